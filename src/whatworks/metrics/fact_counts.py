"""The figures of fact answers: what each answer adds to two sums, whose ratio is the figure.

The metric's own figures and those of the claims, with their intervals, are both sums over these.

================== =============================================================================
accuracy           right answers among all
abstention_rate    abstentions among all
wrong_rate         wrong answers among all; a malformed one is wrong here and below
attempted_accuracy right among the answerable questions that were not abstained from
f_score            harmonic mean of that and the share right of all answerable ones (SimpleQA,
                   Wei et al. 2024, section 4)
made_up_rate       answers to questions that have none
score_at_50, ...   points a question: right 1, abstained 0, wrong -t / (1 - t), t = .5, .75, .9
                   (Kalai et al. 2025, "Why Language Models Hallucinate", section 4.2)
================== =============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from whatworks.data.task import Example

LEVELS = (50, 75, 90)
Pair = tuple[float, float]


class Graded(Protocol):
    """A score, or a row of results."""

    @property
    def value(self) -> float: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def parts(self) -> Mapping[str, float]: ...  # noqa: D102


Count = Callable[[Graded, bool], Pair | None]
"""What an answer, to a question that has one or has none, adds to the numerator and to the
denominator; None where it does not count."""


def is_answerable(example: Example) -> bool:
    """Whether the question has an answer."""
    return example.meta.get("answerable") is not False


def _count_all(test: Callable[[Graded], float]) -> Count:
    return lambda answer, _: (test(answer), 1.0)


def _count_attempted(answer: Graded, known: bool) -> Pair | None:
    return (answer.value, 1.0) if known and answer.kind != "abstained" else None


def _count_f(answer: Graded, known: bool) -> Pair | None:
    # 2ac / (a + c) with a = right / attempted and c = right / asked
    return (2 * answer.value, 1.0 + (answer.kind != "abstained")) if known else None


def _count_made_up(answer: Graded, known: bool) -> Pair | None:
    return None if known else (1 - answer.value, 1.0)


def _is_wrong(answer: Graded) -> bool:
    return answer.kind in ("wrong", "malformed")


def earn_points(answer: Graded, known: bool, level: int) -> float:
    """What an answer earns where a wrong one costs t / (1 - t), t = ``level`` percent."""
    if _is_wrong(answer):
        return -level / (100 - level)
    return float(answer.kind == "correct" and known)


def _count_points_at(level: int) -> Count:
    return lambda answer, known: (earn_points(answer, known, level), 1.0)


FIGURES: Mapping[str, Count] = {
    "accuracy": _count_all(lambda answer: answer.value),
    "abstention_rate": _count_all(lambda answer: answer.parts.get("abstained", 0.0)),
    "wrong_rate": _count_all(lambda answer: float(_is_wrong(answer))),
    "attempted_accuracy": _count_attempted,
    "f_score": _count_f,
    "made_up_rate": _count_made_up,
    **{f"score_at_{level}": _count_points_at(level) for level in LEVELS},
}


def compute_figures(answers: Iterable[tuple[Graded, bool]]) -> dict[str, float]:
    """Every figure that has answers, of answers each with whether its question has one."""
    answers = list(answers)
    figures: dict[str, float] = {}
    for name, count in FIGURES.items():
        pairs = [pair for answer, known in answers if (pair := count(answer, known)) is not None]
        if pairs:
            figures[name] = sum(one for one, _ in pairs) / sum(other for _, other in pairs)
    return figures
