"""What becomes of an arm when one thing of it is changed: the effect of each change. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from whatworks.analysis.comparison import Estimate, compare
from whatworks.base.phrasing import format_count, format_interval, format_points


@dataclass(frozen=True)
class Probe:
    """One change of an arm, asked on some of its dev rows.

    Attributes:
        changed: What was changed, as it follows the arm's name: ``without its instructions``.
        n: Rows.
        effect: The score after the change less the arm's own, with a 95% interval.
        made_up: The same of the share of answers that say something and are wrong; None where the
            metric does not tell them from abstentions.
        fall: What a fall says of the arm.
        rise: What a rise says.
    """

    changed: str
    n: int
    effect: Estimate
    made_up: Estimate | None = None
    fall: str = ""
    rise: str = ""

    @property
    def meaning(self) -> str:
        """What it says of the arm; "" where the interval holds 0."""
        if self.effect.high < 0:
            return self.fall
        return self.rise if self.effect.low > 0 else ""

    @property
    def in_words(self) -> str:
        """One line: ``without its instructions: -20.0 [-35, -5] on 30 rows; it needs them``."""
        words = f"{self.changed}: {_describe(self.effect)} on {format_count(self.n)} rows"
        if self.made_up is not None:
            words += f", made-up answers {_describe(self.made_up)}"
        return f"{words}; {self.meaning or 'cannot be told apart'}"


def measure_effect(
    after: Mapping[str, float], before: Mapping[str, float], groups: Mapping[str, str]
) -> Estimate:
    """The mean of the differences, paired by row and clustered by group, with a 95% interval.

    Args:
        after: Row id to what it is with the change, in [0, 1].
        before: The same without it; the same rows.
        groups: Row id to group.
    """
    told = compare(
        {(0, row): value for row, value in after.items()},
        {(0, row): value for row, value in before.items()},
        groups,
    )
    return Estimate(told.difference, told.low, told.high)


def _describe(value: Estimate) -> str:
    return f"{format_points(value.value)} {format_interval(value.low, value.high)}"
