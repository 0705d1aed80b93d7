"""On-policy distillation: what falls, what moves, what stays, what is kept after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_helpers import Run, Train, ask, job_of, moved, tensors

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Message
from whatworks.models.engine import ModelFiles
from whatworks.training.distillation_settings import GKDSettings
from whatworks.training.rows import TaughtRow
from whatworks.training.run_folder import AttemptPlan, RunFolder

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SETTINGS = GKDSettings(epochs=4, batch_size=8, rank=8, max_tokens=6, learning_rate=1e-2)
MORE = Message(role="system", content="Say blue, and nothing else.")
SHOWN = [TaughtRow(id=str(i), messages=(ask(i),), shown=(MORE, ask(i))) for i in range(12)]
SAME = [row.replace(shown=row.messages) for row in SHOWN]
OTHER = SETTINGS.replace(teacher="key", beta=0.0)


@pytest.fixture(scope="module")
def teacher(half_tuned: Run, lively_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of its own that says red or blue."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("models") / "teacher"
    base = AutoModelForCausalLM.from_pretrained(lively_model)
    PeftModel.from_pretrained(base, half_tuned[1] / "epoch-20").merge_and_unload().save_pretrained(
        folder
    )
    AutoTokenizer.from_pretrained(lively_model).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def distilled(here: Train, teacher: Path) -> Run:
    return here(OTHER, rows=SAME, second=ModelFiles(base=str(teacher)))


def test_the_divergence_from_another_model_falls(distilled: Run) -> None:
    trained, folder = distilled
    assert len(trained.losses) == 4 * 2  # 12 rows are a step and a half, filled up
    first, last = sum(trained.losses[:2]), sum(trained.losses[-2:])
    assert 0 < last < 0.8 * first
    up = {name: t for name, t in tensors(folder / "epoch-4").items() if "lora_B" in name}
    assert up and all(t.abs().max() > 0 for t in up.values())


def test_a_model_that_is_its_own_teacher_learns_nothing(here: Train, lively_model: Path) -> None:
    once = OTHER.replace(epochs=1)
    trained, _ = here(once, rows=SAME, second=ModelFiles(base=str(lively_model)))
    assert trained.losses[0] == pytest.approx(0.0, abs=1e-5)
    trained, _ = here(SETTINGS.replace(epochs=1), rows=SAME)
    assert trained.losses[0] == pytest.approx(0.0, abs=1e-5)


def test_what_only_the_teacher_is_shown_is_learned(here: Train, half_tuned: Run) -> None:
    adapter = half_tuned[1] / "epoch-20"
    trained, folder = here(
        SETTINGS.replace(epochs=12), rows=SHOWN, adapter=adapter, stacking="continue"
    )
    first, last = sum(trained.losses[:2]), sum(trained.losses[-2:])
    assert 0 < last < 0.8 * first
    assert moved(adapter, folder / "epoch-12") == tensors(adapter).keys()


def test_full_training_moves_every_weight_and_leaves_the_teacher(
    here: Train, teacher: Path, lively_model: Path
) -> None:
    before = tensors(teacher)
    full = OTHER.replace(kind="full", rank=16, epochs=1, learning_rate=1e-3)
    _, folder = here(full, rows=SAME, second=ModelFiles(base=str(teacher)))
    assert moved(lively_model, folder / "epoch-1") == tensors(lively_model).keys()
    assert all(before[name].equal(t) for name, t in tensors(teacher).items())


def test_another_tokenizer_is_refused(here: Train) -> None:
    with pytest.raises(ArmFailure, match="another tokenizer") as caught:
        here(OTHER, rows=SAME, second=ModelFiles(base="lab"))
    assert "distill+sft" in (caught.value.remedy or "")


class Killed(BaseException):
    pass


def test_killed_and_resumed_it_ends_in_the_same_weights(
    distilled: Run,
    teacher: Path,
    lively_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from whatworks.training import callbacks
    from whatworks.training.worker import run

    monkeypatch.setattr(callbacks, "PROGRESS_SECONDS", 0.0)
    folder = RunFolder(tmp_path)
    folder.begin(job_of(OTHER), SAME)
    plan = AttemptPlan(
        base=lively_model,
        adapter=None,
        micro_batch=8,
        recompute=False,
        save_seconds=0,
        second=ModelFiles(base=str(teacher)),
    )

    def die(_: str, content: dict[str, int]) -> None:
        if content["step"] == 4:
            raise Killed

    with pytest.raises(Killed):
        run(folder, plan, die)
    again = run(folder, plan, lambda *_: None)
    assert again.losses == distilled[0].losses
    expected, got = tensors(distilled[1] / "epoch-4"), tensors(tmp_path / "epoch-4")
    assert all(expected[name].equal(got[name]) for name in expected)
