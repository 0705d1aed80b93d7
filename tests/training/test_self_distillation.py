"""Self-distillation: what falls, what moves, what stays, and what it ends in after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_helpers import Run, Train, ask, job_of, moved, tensors

from whatworks.training.distillation_settings import SDFTSettings
from whatworks.training.rows import TrainingRow
from whatworks.training.run_folder import AttemptPlan, RunFolder

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SETTINGS = SDFTSettings(epochs=4, batch_size=8, rank=8, max_tokens=6, learning_rate=1e-2)
ROWS = [TrainingRow(id=str(i), messages=(ask(i),), target="blue") for i in range(12)]
CONTINUE = {"stacking": "continue"}


@pytest.fixture(scope="module")
def distilled(here: Train, half_tuned: Run) -> Run:
    return here(SETTINGS, rows=ROWS, adapter=half_tuned[1] / "epoch-20", **CONTINUE)


def test_the_divergence_falls_and_the_adapter_moves(distilled: Run, half_tuned: Run) -> None:
    trained, folder = distilled
    assert len(trained.losses) == 4 * 2  # 12 rows are a step and a half, filled up
    first, last = sum(trained.losses[:2]), sum(trained.losses[-2:])
    assert 0 < last < 0.8 * first
    before, after = half_tuned[1] / "epoch-20", folder / "epoch-4"
    assert moved(before, after) == tensors(before).keys()
    assert {path.name for path in after.iterdir() if path.is_dir()} == set()


def test_of_a_new_adapter_the_base_beneath_is_the_teacher(here: Train, lively_model: Path) -> None:
    trained, folder = here(SETTINGS.replace(epochs=1), rows=ROWS)
    assert trained.losses[0] > 0
    up = {name: t for name, t in tensors(folder / "epoch-1").items() if "lora_B" in name}
    assert up and all(t.abs().max() > 0 for t in up.values())


def test_full_training_starts_from_the_merged_adapter(
    here: Train, half_tuned: Run, lively_model: Path, distilled: Run
) -> None:
    full = SETTINGS.replace(kind="full", rank=16, epochs=1, learning_rate=1e-3)
    adapter = half_tuned[1] / "epoch-20"
    trained, folder = here(full, rows=ROWS, adapter=adapter, stacking="merge")
    # The same model and the same draws: the same divergence before anything has moved.
    assert trained.losses[0] == pytest.approx(distilled[0].losses[0], rel=1e-2)
    assert moved(lively_model, folder / "epoch-1") == tensors(lively_model).keys()


class Killed(BaseException):
    pass


def test_killed_and_resumed_it_ends_in_the_same_weights(
    distilled: Run,
    half_tuned: Run,
    lively_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from whatworks.training import callbacks
    from whatworks.training.worker import run

    monkeypatch.setattr(callbacks, "PROGRESS_SECONDS", 0.0)
    folder = RunFolder(tmp_path)
    folder.begin(job_of(SETTINGS, **CONTINUE), ROWS)
    plan = AttemptPlan(
        base=lively_model,
        adapter=half_tuned[1] / "epoch-20",
        micro_batch=8,
        recompute=False,
        save_seconds=0,
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
