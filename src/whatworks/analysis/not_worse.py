"""Is one arm not worse than another by more than a margin, and what does each cost a month? Pure.

The question of whoever would put a small model in the place of a large one: not whether it is
better, but whether it is not worse by more than what would matter (non-inferiority). The margin is
written down before test is opened. The answer is yes where the 95% interval of the difference lies
above minus the margin, which is a one-sided test at 2.5% (Piaggio et al. 2012, JAMA 308:2594,
"CONSORT extension for noninferiority"); no where it lies below; else it cannot be told. For 0/1
scores the interval is Tango's (1998), made for this question.

All questions of a study are one family: their intervals hold together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from whatworks.analysis.comparison import ArmPair, Comparison, compare_pairs, pair_scores
from whatworks.analysis.cost import MANY, Cost
from whatworks.analysis.score_table import Scores
from whatworks.base.phrasing import format_count, format_interval, format_points, format_rough

Answer = Literal["yes", "no", "cannot tell"]

MOST_TIMES = 1000
"""Times the test rows, beyond which more of them are no answer."""


@dataclass(frozen=True)
class NotWorse:
    """The question.

    Attributes:
        arm: The one that would be taken.
        than: The one that it would replace.
        margin: How much worse it may be, in the score's unit, above 0.
    """

    arm: str
    than: str
    margin: float


@dataclass(frozen=True)
class NotWorseAnswer:
    """A question, answered.

    Attributes:
        question: What was asked.
        answer: ``yes``, ``no`` (shown to be worse by more) or ``cannot tell``.
        difference: The arm's score less the other's; None where one has no answers on test.
        low: Lower end of the interval, which holds together with those of the other questions.
        high: Upper end.
        rows: Test rows that would tell, in all, if the difference stays as it is; None where the
            answer is there, or no number would do.
        costs: What the two cost; None where that is not known.
        requests: Requests a month, where the user said how many.
    """

    question: NotWorse
    answer: Answer
    difference: float | None = None
    low: float = -1.0
    high: float = 1.0
    rows: int | None = None
    costs: tuple[Cost | None, Cost | None] = (None, None)
    requests: int | None = None

    @property
    def words(self) -> str:
        """The question, its answer with the interval, and what each costs, in one line."""
        asked = self.question
        margin = format_points(asked.margin).lstrip("+")
        head = f"Is {asked.arm} not worse than {asked.than} by more than {margin} points? "
        if self.difference is None:
            return f"{head}Cannot tell: one of the two has no answers on test."
        figures = f"{format_points(self.difference)} {format_interval(self.low, self.high)}"
        more = ""
        if self.answer == "cannot tell":
            more = (
                f"; about {format_rough(self.rows)} test rows in all would tell"
                if self.rows
                else "; no number of test rows would tell"
            )
        said = {"yes": "Yes", "no": "No, it is worse by more", "cannot tell": "Cannot tell"}
        return f"{head}{said[self.answer]}: {figures}{more}. {self._describe_costs()}"

    def _describe_costs(self) -> str:
        """``100,000 requests a month: sft 2 h, 3 min to make; large $12.40, nothing to make.``"""
        asked = self.question
        requests = self.requests or MANY
        parts = [
            f"{name} {_describe_cost(cost, requests)}"
            for name, cost in zip((asked.arm, asked.than), self.costs, strict=True)
        ]
        a_month = " a month" if self.requests else ""
        return f"{format_count(requests)} requests{a_month}: {'; '.join(parts)}."


def answer_not_worse(
    questions: Sequence[NotWorse],
    scores: Mapping[str, Scores],
    groups: Mapping[str, str],
    costs: Mapping[str, Cost | None],
    *,
    requests: int | None = None,
    failed: Collection[str] = (),
    look: int = 1,
) -> tuple[NotWorseAnswer, ...]:
    """Each question, answered.

    Args:
        questions: What is asked.
        scores: Arm to its scores on test.
        groups: Example id to group.
        costs: Arm to what it costs.
        requests: Requests a month, where the user said how many.
        failed: Arms of which a seed failed.
        look: How often there were results to look at.
    """
    pairs: dict[str, ArmPair] = {}
    for place, one in enumerate(questions):
        arm, than = scores.get(one.arm), scores.get(one.than)
        if arm and than:
            pairs[str(place)] = pair_scores(arm, than, groups)
    lost = [key for key in pairs if {questions[int(key)].arm, questions[int(key)].than} & {*failed}]
    compared = compare_pairs(pairs, failed=lost, look=look)

    def answer(place: int, asked: NotWorse) -> NotWorseAnswer:
        own = costs.get(asked.arm), costs.get(asked.than)
        comparison = compared.get(str(place))
        if comparison is None:
            return NotWorseAnswer(asked, "cannot tell", costs=own, requests=requests)
        return _decide(asked, comparison, own, requests)

    return tuple(answer(place, asked) for place, asked in enumerate(questions))


def _decide(
    asked: NotWorse,
    comparison: Comparison,
    costs: tuple[Cost | None, Cost | None],
    requests: int | None,
) -> NotWorseAnswer:
    joint = comparison.joint
    low, high = (joint.low, joint.high) if joint else (comparison.low, comparison.high)
    said: Answer = "cannot tell"
    if low > -asked.margin:
        said = "yes"
    elif high < -asked.margin:
        said = "no"
    gain = comparison.difference
    rows = None
    if said == "cannot tell":
        rows = _estimate_rows(gain, low, high, asked.margin, comparison.n_items)
    return NotWorseAnswer(asked, said, gain, low, high, rows, costs, requests)


def _estimate_rows(gain: float, low: float, high: float, margin: float, rows: int) -> int | None:
    """Test rows with which the end of the interval would lie on the right side of the margin.

    The half-width shrinks with the root of their number.
    """
    distance = abs(gain + margin)
    half = gain - low if gain > -margin else high - gain
    if distance * MOST_TIMES**0.5 < half:
        return None
    return max(rows + 1, round(rows * (half / distance) ** 2))


def _describe_cost(cost: Cost | None, requests: int) -> str:
    if cost is None:
        return "at a price that is not known"
    once = cost.format(cost.once) if cost.once else "nothing"
    unit = " of this machine" if cost.unit == "seconds" else ""
    return f"{cost.format(cost.request * requests)}{unit}, {once} to make"
