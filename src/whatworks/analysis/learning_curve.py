"""The learning curve: an arm at several numbers of train rows, against the best k-shot. Pure.

Each point is an arm like any other and is compared with the k-shot by the same paired test
(``analysis.comparison``). The crossover is where the curve of differences passes 0 for good; its
interval is where the two ends of the differences' intervals do, so that it never contradicts the
tests: it holds the numbers of rows at which "no difference" is not rejected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from whatworks.analysis.comparison import Comparison, Estimate
from whatworks.base.phrasing import format_interval, format_points, format_rough


@dataclass(frozen=True)
class Point:
    """One arm of the curve, or the k-shot that it is compared with.

    Attributes:
        arm: Its name.
        rows: Train rows that it was given, or tokens that were written for it.
        score: On test; None when it failed.
        difference: To the best k-shot; None for that itself and where one of the two failed.
        prompt_tokens: Mean per request.
        seconds: Mean per request.
    """

    arm: str
    rows: int
    score: Estimate | None = None
    difference: Comparison | None = None
    prompt_tokens: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Crossover:
    """From how many rows on the arm is better, with a 95% interval.

    Each figure is the smallest number of rows measured where it may be smaller still, and None
    where it is beyond the largest one.
    """

    rows: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Curve:
    """An arm by its number of train rows.

    Attributes:
        arm: What it is called without the number.
        points: By rows, the fewest first.
        against: The best k-shot by its dev score; None when every one of them failed.
        crossover: None when fewer than two points can be compared.
        unit: What ``rows`` counts: train rows, or synthetic tokens.
    """

    arm: str
    points: tuple[Point, ...]
    against: Point | None
    crossover: Crossover | None
    unit: Literal["rows", "tokens"] = "rows"

    @property
    def counted(self) -> str:
        """What is counted, in words."""
        return "train rows" if self.unit == "rows" else "synthetic tokens"

    @property
    def sentence(self) -> str:
        """The answer in words, without a full stop."""
        if self.against is None:
            return f"no k-shot arm ended, so {self.arm} has nothing to overtake"
        if self.crossover is None:
            return f"too few arms of the curve of {self.arm} ended to say where it overtakes"
        measured = [point.rows for point in self.points if point.difference]
        first, last = measured[0], measured[-1]
        crossing, name = self.crossover, self.against.arm
        ends = " to ".join(_describe_end(end, first, last) for end in (crossing.low, crossing.high))
        if crossing.rows is None:
            end = next(p.difference for p in reversed(self.points) if p.difference)
            gap = f"{format_points(end.difference)} {format_interval(end.low, end.high)} points"
            hope = (
                ""
                if crossing.low is None
                else f"; it may lie anywhere from {format_rough(round(crossing.low))}"
            )
            there = f"{self.arm} is {gap} to {name} there{hope}"
            return f"no crossover up to {last:,} {self.unit}: {there}"
        at = "at most" if crossing.rows <= first else "about"
        where = f"{at} {format_rough(round(crossing.rows))} {self.counted}"
        return f"{self.arm} overtakes {name} from {where} on (95%: {ends})"


def find_crossover(compared: Sequence[tuple[int, Comparison]]) -> Crossover | None:
    """Where the differences pass 0 for good, between the numbers of rows on a log scale.

    Args:
        compared: Number of rows and the arm's difference to the k-shot, the fewest rows first.
    """
    if len(compared) < 2:
        return None
    rows = [n for n, _ in compared]
    return Crossover(
        rows=_find_zero(rows, [comparison.difference for _, comparison in compared], tied=True),
        low=_find_zero(rows, [comparison.high for _, comparison in compared]),
        high=_find_zero(rows, [comparison.low for _, comparison in compared]),
    )


def _find_zero(rows: Sequence[int], values: Sequence[float], *, tied: bool = False) -> float | None:
    """Where a line through the values is last below 0; the first number where it never is.

    ``tied``: a value of 0 is below too, as equal scores are not better.
    """
    below = [i for i, value in enumerate(values) if value < 0 or (tied and value == 0)]
    if not below:
        return float(rows[0])
    last = below[-1]
    if last + 1 == len(rows):
        return None
    share = -values[last] / (values[last + 1] - values[last])
    before, after = math.log(rows[last]), math.log(rows[last + 1])
    return math.exp(before + share * (after - before))


def _describe_end(rows: float | None, first: int, last: int) -> str:
    if rows is None:
        return f"more than {last:,}"
    return f"at most {first:,}" if rows <= first else format_rough(round(rows))
