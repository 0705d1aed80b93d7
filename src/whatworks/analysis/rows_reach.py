"""What differences the rows can show, before a study runs, and what more would add. Pure.

A paired difference of two arms has a variance of ``changes`` / rows, where ``changes`` is the mean
squared difference of the two on a row: for 0/1 scores the share of rows that they answer
differently. A pilot measures it; until there is one it is assumed.

Test shows a difference four times in five when it is as large as the normal quantiles of level and
power, times the standard error (Bloom 1995; for paired answers Connor 1987, Biometrics 43:207). The
level is that of a first look, half of it for the arm that dev chooses (``paired_tests.weigh``). Dev
has to put two arms in the right order, which takes the quantile of that probability alone. Rows of
one group count as one. What seeds add is not in it: that is known only once arms are trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from whatworks.analysis.further_rows import POWER, count_fewest_groups
from whatworks.analysis.looks import spend
from whatworks.analysis.paired_tests import weigh, z
from whatworks.base.phrasing import format_count, format_points, format_rough

ASSUMED = 0.3
"""Share of rows that two arms are assumed to answer differently."""
WORTH = 10
"""Pilot rows that the assumption is worth beside those that were asked."""
IN_ORDER = 0.9
"""How often dev is to put two arms in the right order."""
TIMES = (1, 2, 4)
"""Times the rows for which it is said what they show."""
ASKED_FOR = (0.1, 0.05, 0.02)
"""Differences for which it is said how many test rows they take."""


@dataclass(frozen=True)
class TestReach:
    """The smallest difference that so many test rows, or groups, show four times in five.

    Attributes:
        rows: How many.
        chosen: Smallest difference to the baseline of the arm that dev chooses; None where no
            difference is large enough.
        other: The same of any other arm.
    """

    __test__ = False  # not for pytest

    rows: int
    chosen: float | None
    other: float | None


@dataclass(frozen=True)
class Reach:
    """What the rows of a study can show.

    Attributes:
        changes: Mean squared difference of two arms on a row.
        pilot: Dev rows on which it was measured; 0 where it is assumed.
        dev: Dev rows, and the difference at which two arms are put in the right order in nine
            studies of ten; then the same for more rows.
        test: What the test rows show; then the same for more rows.
        takes: Difference to the test rows that it takes, for the arm that dev chooses.
        unit: What is counted: ``row`` or ``group``.
    """

    changes: float
    pilot: int
    dev: Sequence[tuple[int, float]]
    test: Sequence[TestReach]
    takes: Sequence[tuple[float, int]]
    unit: str = "row"

    @property
    def lines(self) -> tuple[str, ...]:
        """What is to be read, a sentence a line."""
        ones, (least, gap), now = f"{self.unit}s", self.dev[0], self.test[0]
        dev = ", ".join(f"{format_count(rows)} {ones} {_points(d)}" for rows, d in self.dev[1:])
        test = ", ".join(
            f"{format_count(t.rows)} {ones} {_points(t.chosen)}" for t in self.test[1:]
        )
        takes = ", ".join(f"{_points(d)} points {format_rough(rows)}" for d, rows in self.takes)
        others = f", of the arm that dev chooses (another's: {_points(now.other)})"
        others = others if now.other != now.chosen else ""
        share = f"on {100 * self.changes:.0f}% of the {ones}"
        source = (
            f"by {format_count(self.pilot)} dev rows asked for this plan two arms differ {share}"
            if self.pilot
            else f"assuming that two arms differ {share}"
        )
        return (
            f"dev: {format_count(least)} {ones} put two arms in the right order nine times in ten "
            f"if they are {_points(gap)} points apart; {dev}",
            f"test: {format_count(now.rows)} {ones} show a gain of {_points(now.chosen)} points "
            f"over the baseline four times in five{others}; {test}",
            f"test {ones} that a gain takes: {takes}",
            f"{source}; what seeds differ by comes on top",
        )


def _points(difference: float | None) -> str:
    return "none" if difference is None else format_points(difference).lstrip("+")


def measure_changes(pilot: Mapping[str, Mapping[str, float]]) -> tuple[float, int]:
    """The mean squared difference of two arms on a row, and on how many rows it was measured.

    All pairs of arms are averaged; the assumption counts as ``WORTH`` rows beside them.

    Args:
        pilot: Arm to row to score, of at least two arms; rows that not all have are left out.
    """
    rows = set[str].intersection(*(set(own) for own in pilot.values())) if pilot else set[str]()
    if len(pilot) < 2 or not rows:
        return ASSUMED, 0
    seen = fmean(
        fmean((pilot[a][row] - pilot[b][row]) ** 2 for row in rows)
        for a, b in combinations(pilot, 2)
    )
    return (len(rows) * seen + WORTH * ASSUMED) / (len(rows) + WORTH), len(rows)


def compute_reach(
    dev: int,
    test: int,
    arms: int,
    pilot: Mapping[str, Mapping[str, float]] | None = None,
    *,
    unit: str = "row",
) -> Reach:
    """What a study's rows can show.

    Args:
        dev: Dev rows, or groups.
        test: Test rows, or groups.
        arms: Arms compared with the baseline.
        pilot: Arm to row to score on dev, of arms that train nothing.
        unit: What is counted.
    """
    changes, measured = measure_changes(pilot or {})
    weights = weigh(max(1, arms), 0)
    chosen, other = spend(1) * weights[0] / len(weights), spend(1) * weights[-1] / len(weights)
    takes = [
        (gap, max(count_fewest_groups(chosen), math.ceil(_pass(chosen) ** 2 * changes / gap**2)))
        for gap in ASKED_FOR
    ]
    return Reach(
        changes,
        measured,
        [(n * dev, z(IN_ORDER) * math.sqrt(changes / (n * dev))) for n in TIMES],
        [
            TestReach(
                n * test, _find_gap(changes, n * test, chosen), _find_gap(changes, n * test, other)
            )
            for n in TIMES
        ],
        takes,
        unit,
    )


def _pass(level: float) -> float:
    """Standard errors that a difference must be, to be shown at a level four times in five."""
    return z(1 - level / 2) + z(POWER)


def _find_gap(changes: float, rows: int, level: float) -> float | None:
    """The smallest difference that is shown; None where none is.

    A difference cannot be larger than the share of changed rows allows: two arms that are ``gap``
    apart differ on at least that share.
    """
    if rows < count_fewest_groups(level):
        return None
    gap = _pass(level) * math.sqrt(changes / rows)
    if gap > changes:  # then all changes are of one kind, and there must be more of them
        gap = _pass(level) ** 2 / rows
    return gap if gap <= 1 else None
