"""Whether test is known to the model is told by what another row does to its likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example, MetricSpec, Splits, Task
from whatworks.models.engine import Answers, ModelFiles, Prompts
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.studies.checks.contamination import FEWEST, check_contamination


def make_rows(split: str, count: int) -> tuple[Example, ...]:
    return tuple(
        Example(
            id=f"{split}{i}", inputs={"q": f"{split} question {i * 7919}"}, target=f"{split} {i}"
        )
        for i in range(count)
    )


def make_task(tests: int = 60) -> Task:
    splits = Splits(
        train=make_rows("train", 30), dev=make_rows("dev", 5), test=make_rows("test", tests)
    )
    return Task(name="t", instructions="Answer.", splits=splits, metric=MetricSpec(name="exact"))


class Rater(FakeEngine):
    """Finds so many of the rows less likely after another row, the others likelier."""

    def __init__(self, known: Sequence[str], context: int | None = None) -> None:
        super().__init__(context=context)
        self._known = known

    def logprobs(
        self, model: ModelFiles, prompts: Prompts, answers: Answers
    ) -> list[tuple[float, ...]]:
        self.seen += [tuple(asked) for asked in prompts]
        rated: list[tuple[float, ...]] = []
        for asked in prompts:
            loses = asked[-1].content in self._known
            change = (-0.5 if loses else 0.5) if len(asked) > 1 else 0.0
            rated.append((-2.0 + change, -1.0 + change, -50.0 * len(asked)))  # the end is no part
        return rated


def test_rows_that_lose_by_company_are_a_doubt_and_those_that_gain_are_none() -> None:
    task, weights = make_task(), Weights(base="fake:")
    texts = [row.text for row in task.splits.test]
    knows = check_contamination(task, Rater(texts[:50]), weights)
    assert (knows.level, knows.says[:3]) == ("doubt", "83%") and knows.remedy
    new = check_contamination(task, Rater(texts[:30]), weights)
    assert (new.level, new.says[:3]) == ("fine", "50%")
    assert "no sign" in check_contamination(task, Rater([]), weights).says


def test_only_rows_of_train_stand_before_and_no_row_is_named() -> None:
    task, engine = make_task(), Rater([])
    found = check_contamination(task, engine, Weights(base="fake:"))
    shown = "\n".join(m.content for asked in engine.seen for m in asked[:-1])
    assert (
        "train question" in shown and "test question" not in shown and "dev question" not in shown
    )
    assert not found.rows and not found.drop


def test_what_cannot_be_measured_is_said() -> None:
    few = check_contamination(make_task(FEWEST - 1), Rater([]), Weights(base="fake:"))
    assert few.level == "fine" and "not measured" in few.says
    short = check_contamination(make_task(), Rater([], context=20), Weights(base="fake:"))
    assert "0 test rows fit" in short.says

    class Mute(FakeEngine):
        def logprobs(
            self, model: ModelFiles, prompts: Prompts, answers: Answers
        ) -> list[tuple[float, ...]]:
            raise ArmFailure("this server tells no likelihoods", remedy="none")

    assert (
        "tells no likelihoods" in check_contamination(make_task(), Mute(), Weights(base="f")).says
    )


@pytest.mark.parametrize("target", ["", "  "])
def test_rows_without_an_answer_are_left_out(target: str) -> None:
    task = make_task()
    test = tuple(row.replace(target=target) for row in task.splits.test)
    bare = task.replace(splits=task.splits.replace(test=test))
    assert "not measured" in check_contamination(bare, Rater([]), Weights(base="fake:")).says
