"""What cannot be trained on ends as a failed arm, with its cause and a remedy; one row will do."""

from __future__ import annotations

import math

import pytest
from training_helpers import Run, Train, ask

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example, MetricSpec
from whatworks.training.failure import diagnose
from whatworks.training.rows import LabelledRow, PairRow, PromptRow, RenderedRow, TrainingRow
from whatworks.training.settings import (
    DPOSettings,
    KTOSettings,
    RewardSettings,
    RLSettings,
    Schedule,
    SoftPromptSettings,
)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SHAPE = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-2}
ALL = [
    DPOSettings(**SHAPE),
    KTOSettings(**SHAPE),
    RewardSettings(**SHAPE),
    RLSettings(metric=MetricSpec(name="exact"), max_tokens=6, leash=1e9, **SHAPE),
    SoftPromptSettings(tokens=4, **SHAPE),
]
every_trainer = pytest.mark.parametrize("settings", ALL, ids=lambda settings: settings.trainer)


def rows_for(settings: Schedule, count: int, padding: str = "") -> list[RenderedRow]:
    made: list[RenderedRow] = []
    for i in range(count):
        shared = {"id": str(i), "messages": (ask(i).replace(content=f"colour {i}?{padding}"),)}
        if settings.row is PairRow:
            made.append(PairRow(**shared, chosen="ok", rejected="a yellow one"))
        elif settings.row is LabelledRow:
            made.append(LabelledRow(**shared, answer="ok", good=i % 2 == 0))
        elif settings.row is PromptRow:
            made.append(PromptRow(**shared, example=Example(id=str(i), target="blue")))
        else:
            made.append(TrainingRow(**shared, target="blue"))
    return made


def on(settings: Schedule, half_tuned: Run) -> dict[str, object]:
    """Reinforcement needs a model that is right at times."""
    if not isinstance(settings, RLSettings):
        return {}
    return {"adapter": half_tuned[1] / "epoch-20", "stacking": "continue"}


@pytest.mark.parametrize("settings", ALL[:4], ids=lambda settings: settings.trainer)
def test_numbers_that_leave_the_finite_are_a_failure(
    settings: Schedule, here: Train, half_tuned: Run
) -> None:
    """A soft prompt is left out: its model divides lengths out, and the loss stays finite."""
    wild = settings.replace(learning_rate=1e30)
    with pytest.raises((ArmFailure, RuntimeError)) as raised:
        here(wild, rows=rows_for(settings, 12), **on(settings, half_tuned))
    failure = diagnose(raised.value)
    assert "diverged" in failure.cause
    assert "learning rate" in failure.remedy


@every_trainer
def test_rows_that_are_all_too_long_are_a_failure(settings: Schedule, here: Train) -> None:
    with pytest.raises(ArmFailure, match="all 3 rows are too long") as failure:
        here(settings, rows=rows_for(settings, 3, "?" * 600))
    assert "longer context" in failure.value.remedy


@every_trainer
def test_one_row_will_do(settings: Schedule, here: Train, half_tuned: Run) -> None:
    trained, _ = here(settings, rows=rows_for(settings, 1), **on(settings, half_tuned))
    assert len(trained.losses) == len(trained.checkpoints) == 2
    assert all(map(math.isfinite, trained.losses))
