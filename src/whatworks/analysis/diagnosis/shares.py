"""The 2 x 2 of form and facts: which share of a gap each of them explains. Pure.

Wrong answers are asked for again with the form given, with the facts given, and with both. The
share of a factor is its mean effect over the two orders in which it can be added, the Shapley value
of two players (Shapley 1953); the shares and the rest sum to the gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from whatworks.analysis.comparison import Estimate, compare, estimate_mean

Factor = Literal["form", "facts", "both", "neither", "cannot tell"]

MOST = 2.0
"""What explains so many times as much as the other is the answer; less is both."""


LEAST = 6
"""Fewer answers than this make nothing likely."""


@dataclass(frozen=True)
class Cells:
    """The score that counts of one answer, by what was given to it; each lies in [0, 1]."""

    neither: float
    form: float
    facts: float
    both: float


@dataclass(frozen=True)
class Shares:
    """What the gap of some answers is made of, in points of score, with 95% intervals.

    Attributes:
        n: How many answers were asked for again.
        gap: 1 less their mean score.
        form: What giving the form brings.
        facts: What giving the facts brings.
        rest: What is left with both: the answer is not read even then.
        lead: ``form`` less ``facts``.
        lead_by_row: The same as if every answer were a group of its own: what few groups hide.
    """

    n: int
    gap: float
    form: Estimate
    facts: Estimate
    rest: Estimate
    lead: Estimate
    lead_by_row: Estimate

    @property
    def cause(self) -> Factor:
        """What explains most of the gap, shown or likely; see ``sure``."""
        form, facts = self.form.value, self.facts.value
        larger, smaller = max(form, facts), min(form, facts)
        if self.rest.low > max(larger, 0.0):
            return "neither"
        shown = (self.form.low > 0.0, self.facts.low > 0.0)
        if not self.sure and not self._is_likely(shown):
            return "both" if all(shown) else "cannot tell"
        if smaller > 0.0 and larger < MOST * smaller:
            return "both"
        return "form" if form > facts else "facts"

    def _is_likely(self, shown: tuple[bool, bool]) -> bool:
        """Whether one of the two is likely the larger: it alone is shown, or row by row it is."""
        if self.n < LEAST:
            return False
        if any(shown):
            return not all(shown) and shown[0] == (self.form.value > self.facts.value)
        return not self.lead_by_row.low <= 0.0 <= self.lead_by_row.high

    @property
    def sure(self) -> bool:
        """Whether chance is an unlikely reason for which of the two is larger."""
        return not self.lead.low <= 0.0 <= self.lead.high


def measure_shares(
    cells: Mapping[str, Cells], groups: Mapping[str, str] | None = None
) -> Shares | None:
    """The shares of form and facts, paired by answer; None without any answer.

    Args:
        cells: Answer (row id) to its four scores.
        groups: Row id to the group that it is clustered by.
    """
    if not cells:
        return None

    def scores(*names: str) -> dict[tuple[int, str], float]:
        return {
            (0, row): sum(getattr(own, name) for name in names) / len(names)
            for row, own in cells.items()
        }

    def differ(
        more: Sequence[str], less: Sequence[str], by: Mapping[str, str] | None = groups
    ) -> Estimate:
        comparison = compare(scores(*more), scores(*less), by)
        return Estimate(comparison.difference, comparison.low, comparison.high)

    both = estimate_mean(scores("both"), groups)
    return Shares(
        n=len(cells),
        gap=1.0 - sum(own.neither for own in cells.values()) / len(cells),
        form=differ(("form", "both"), ("neither", "facts")),
        facts=differ(("facts", "both"), ("neither", "form")),
        rest=Estimate(1.0 - both.value, 1.0 - both.high, 1.0 - both.low),
        lead=differ(("form",), ("facts",)),
        lead_by_row=differ(("form",), ("facts",), None),
    )
