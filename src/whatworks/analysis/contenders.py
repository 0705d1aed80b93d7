"""Which of the two best: the choice against its runner-up, sameness, and what each costs. Pure.

The verdicts compare with the baseline; what to take is a question between the best. Two arms are
the same within a margin when two one-sided tests say so (TOST: Schuirmann 1987, Journal of
Pharmacokinetics and Biopharmaceutics 15:657), which is when the 90% interval lies inside it.

What to take follows one rule. An arm that is shown to be better is taken. Where the two are the
same, or cannot be told apart and lie within the margin, the cheaper one is: at the requests a month
that the user named, what it takes to make it included; without such a number the one with fewer
tokens a request, and where these are about equal the one that needs no training. Else dev's choice
stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from whatworks.analysis.comparison import Comparison, compare
from whatworks.analysis.cost import Cost, describe_break_even
from whatworks.analysis.further_rows import NOTHING_MORE, More, estimate_needs_to_settle
from whatworks.analysis.paired_tests import ALPHA
from whatworks.analysis.score_table import Scores
from whatworks.base.phrasing import format_count, format_interval, format_points

Answer = Literal["better", "worse", "same", "cannot tell"]

ABOUT = 0.05
"""Tokens a request that differ by less than this share are about equal."""


@dataclass(frozen=True)
class Contender:
    """One of the two.

    Attributes:
        name: The arm.
        scores: Its scores on test.
        cost: What it costs; None where that is not known.
        tokens: Read and written for a request, mean.
        trained: Whether it trains.
    """

    name: str
    scores: Scores
    cost: Cost | None = None
    tokens: float = 0.0
    trained: bool = False


@dataclass(frozen=True)
class Duel:
    """One arm against another, neither being a baseline.

    Attributes:
        first: The arm that was chosen.
        second: The other.
        answer: What the first is: ``better`` or ``worse`` than the second, the ``same`` within the
            margin, or not to be told.
        difference: First less second.
        margin: What differences do not matter.
        needs: What would settle it, where it cannot be told.
        requests: Requests a month, where the user said how many.
    """

    first: Contender
    second: Contender
    answer: Answer
    difference: Comparison
    margin: float
    needs: More = NOTHING_MORE
    requests: int | None = None

    @property
    def take(self) -> str:
        """The arm to take."""
        return self._decide()[0].name

    @property
    def words(self) -> str:
        """The answer, what to take and why, in a sentence."""
        first, second, comparison = self.first.name, self.second.name, self.difference
        between = format_interval(comparison.low, comparison.high)
        gain = f"{format_points(comparison.difference)} {between}"
        taken, why = self._decide()
        advice = f"{why}: take {taken.name}" if why else f"take {taken.name}"
        need = f"; {self.needs.words} would tell" if self.needs != NOTHING_MORE else ""
        match self.answer:
            case "better":
                return f"{first} is better than {second}: {gain} points; {advice}."
            case "worse":
                return f"{second} is better than {first}: {gain} points; {advice}."
            case "same":
                within = format_points(self.margin).lstrip("+")
                return (
                    f"{first} and {second} are the same within {within} points ({gain}); {advice}."
                )
            case "cannot tell":
                return f"{first} or {second}: cannot tell ({gain}); {advice}{need}."

    @property
    def prices(self) -> str:
        """What each costs and where they break even, in a sentence; "" where it is not known."""
        costs = self.costs
        if costs is None:
            return ""
        names = self.first.name, self.second.name
        parts = [f"{name} {cost.words}" for name, cost in zip(names, costs, strict=True)]
        if self.requests:
            totals = [one.format(one.compute_total(self.requests)) for one in costs]
            parts.append(
                f"with {format_count(self.requests)} requests the first month {totals[0]} "
                f"and {totals[1]}"
            )
        if turn := describe_break_even(names, costs):
            parts.append(turn)
        head = "Price" if costs[0].unit == "usd" else "No price is known, so time"
        return f"{head}: {'; '.join(parts)}."

    @property
    def costs(self) -> tuple[Cost, Cost] | None:
        """What the two cost, in one unit; None where that is not known."""
        first, second = self.first.cost, self.second.cost
        if first is None or second is None or first.unit != second.unit:
            return None
        return first, second

    def _decide(self) -> tuple[Contender, str]:
        """The arm to take, and why."""
        if self.answer == "better":
            return self.first, ""
        if self.answer == "worse":
            return self.second, f"though dev chose {self.first.name}"
        near = self.answer == "same" or abs(self.difference.difference) < self.margin
        cheaper = self._find_cheaper() if near else None
        return cheaper or (self.first, f"{self.first.name} was chosen on dev")

    def _find_cheaper(self) -> tuple[Contender, str] | None:
        pair = self.first, self.second
        costs = self.costs
        if self.requests and costs:
            totals = [cost.compute_total(self.requests) for cost in costs]
            if totals[0] == totals[1]:
                return None
            at = totals.index(min(totals))
            named = f"{format_count(self.requests)} requests a month"
            return pair[at], f"{pair[at].name} costs less at {named}"
        tokens = [one.tokens for one in pair]
        if abs(tokens[0] - tokens[1]) > ABOUT * max(tokens):
            at = tokens.index(min(tokens))
            counts = (
                f"{format_count(round(min(tokens)))} against {format_count(round(max(tokens)))}"
            )
            return pair[at], f"{pair[at].name} takes fewer tokens a request, {counts}"
        for one, other in (pair, pair[::-1]):
            if other.trained and not one.trained:
                return one, f"{one.name} costs no training"
        return None


def compare_two(
    first: Contender,
    second: Contender,
    groups: Mapping[str, str] | None = None,
    *,
    margin: float,
    requests: int | None = None,
) -> Duel:
    """The choice against its runner-up, both fixed on dev: one comparison, not corrected.

    A difference that is told and lies within the margin is ``same``: it does not matter.

    Args:
        first: The arm that was chosen.
        second: The other.
        groups: Example id to group.
        margin: What differences do not matter, above 0.
        requests: Requests a month, where the user said how many.

    Raises:
        ValueError: If the two share no example.
    """
    comparison = compare(first.scores, second.scores, groups)
    narrow = compare(first.scores, second.scores, groups, alpha=2 * ALPHA)
    answer: Answer = "cannot tell"
    if -margin < narrow.low and narrow.high < margin:
        answer = "same"
    elif comparison.p < ALPHA:
        answer = "better" if comparison.difference > 0 else "worse"
    open_ = answer == "cannot tell"
    needs = estimate_needs_to_settle(comparison, margin) if open_ else NOTHING_MORE
    return Duel(first, second, answer, comparison, margin, needs, requests)
