"""Training in the test process, where trl is imported once; test_launch has real children."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from training_helpers import ANSWERS, Run, Train, ask, job_of

from whatworks.data.task import Example
from whatworks.models.engine import ModelFiles
from whatworks.prompts.prompt import Prompt
from whatworks.training import launch
from whatworks.training.job import Trained
from whatworks.training.rows import RenderedRow, TrainingRow, make_training_rows
from whatworks.training.run_folder import AttemptPlan, RunFolder
from whatworks.training.settings import AnySettings, SFTSettings


@pytest.fixture(scope="session")
def rows() -> list[TrainingRow]:
    examples = [
        Example(id=str(i), inputs={"q": f"colour {i % 4}" + "?" * (i % 3)}, target=ANSWERS[i % 4])
        for i in range(20)
    ]
    return make_training_rows(Prompt(instructions="Name it."), examples)


@pytest.fixture(scope="session")
def lively_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with embeddings large enough for an adapter to reach any answer with.

    They are also the output layer, which an adapter leaves alone: as small as they begin, no
    adapter could make a token likely.
    """
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("models") / "lively"
    shutil.copytree(tiny_model, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.embed_tokens.weight"] *= 25
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture(scope="session")
def here(
    lively_model: Path, rows: list[TrainingRow], tmp_path_factory: pytest.TempPathFactory
) -> Train:
    """Train in this process; see the inner function's parameters."""

    def train(
        settings: AnySettings,
        *,
        base: Path = lively_model,
        adapter: Path | None = None,
        rows: Sequence[RenderedRow] = rows,
        micro_batch: int | None = None,
        recompute: bool = False,
        second: ModelFiles | None = None,
        packing: bool = False,
        **fields: object,
    ) -> tuple[Trained, Path]:
        from whatworks.training.worker import run

        folder = RunFolder(tmp_path_factory.mktemp("run"))
        folder.begin(job_of(settings, **fields), rows)
        plan = AttemptPlan(
            base=base,
            adapter=adapter,
            micro_batch=micro_batch or settings.batch_size,
            recompute=recompute,
            save_seconds=600,
            second=second,
            packing=packing,
        )
        folder.finish(run(folder, plan, lambda kind, content: None))
        result = folder.result()
        assert result is not None
        return result, folder.path

    return train


@pytest.fixture(scope="session")
def half_tuned(here: Train) -> Run:
    """A model that says one of two things, so that a reward can prefer one."""
    rows = [
        TrainingRow(id=f"{i}{word}", messages=(ask(i),), target=word)
        for i in range(12)
        for word in ("red", "blue")
    ]
    return here(SFTSettings(epochs=20, batch_size=8, rank=8, learning_rate=3e-2), rows=rows)


@pytest.fixture
def saved_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resumable state is written after every step."""
    monkeypatch.setattr(launch, "SAVE_SECONDS", 0.0)
