"""Killed at any moment and resumed, every trainer ends in the weights of one that never was."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_helpers import Run, Train, ask, job_of, kill_worker, moved

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example, MetricSpec
from whatworks.training import launch
from whatworks.training.job import Trained, TrainingProgress
from whatworks.training.rows import PairRow, PromptRow, RenderedRow, TrainingRow
from whatworks.training.settings import AnySettings, DPOSettings, RLSettings, SoftPromptSettings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SHAPE = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-2}
RL = RLSettings(
    metric=MetricSpec(name="exact"), max_tokens=6, leash=1e6, **{**SHAPE, "batch_size": 16}
)


@pytest.fixture(scope="module")
def given() -> dict[str, list[RenderedRow]]:
    def each(make: type[RenderedRow], **fields: str) -> list[RenderedRow]:
        return [make(id=str(i), messages=(ask(i),), **fields) for i in range(12)]

    examples = [Example(id=str(i), target="blue") for i in range(24)]
    return {
        "soft-prompt": each(TrainingRow, target="blue"),
        "dpo": each(PairRow, chosen="ok", rejected="a yellow one"),
        "rl": [PromptRow(id=e.id, messages=(ask(int(e.id)),), example=e) for e in examples],
    }


@pytest.mark.parametrize(
    "settings",
    [DPOSettings(rank=4, **SHAPE), RL, SoftPromptSettings(tokens=4, **SHAPE)],
    ids=lambda settings: settings.trainer,
)
def test_killed_and_resumed_it_ends_in_the_same_weights(
    settings: AnySettings,
    here: Train,
    half_tuned: Run,
    given: dict[str, list[RenderedRow]],
    lively_model: Path,
    tmp_path: Path,
    saved_each_step: None,
) -> None:
    """Killed within the second epoch, with state saved after every step."""
    rows = given[settings.trainer]
    on = {"stacking": "continue"} if settings.trainer == "rl" else {}
    adapter = half_tuned[1] / "epoch-20" if on else None
    expected, folder = here(settings, rows=rows, adapter=adapter, **on)
    half = settings.steps(len(rows)) // 2
    seen: list[int] = []

    def told(progress: TrainingProgress) -> None:
        seen.append(progress.step)
        if progress.step > half and killing:
            kill_worker()

    def train() -> Trained:
        return launch.train(
            job_of(settings, **on), rows, base=lively_model, adapter=adapter, folder=tmp_path,
            on_progress=told,
        )  # fmt: skip

    killing = True
    with pytest.raises(ArmFailure, match="killed"):
        train()
    killing = False
    seen.clear()
    trained = train()
    assert seen[0] > half
    assert trained.losses == expected.losses
    assert trained.trace == expected.trace
    assert [c.name for c in trained.checkpoints] == ["epoch-1", "epoch-2"]
    for checkpoint in trained.checkpoints:
        assert not moved(folder / checkpoint.name, tmp_path / checkpoint.name)
