"""What people say of two arms' answers: how the count stands, and how far people agree. Pure.

People are shown rows where the two answers differ, in random order, and may stop at any moment. So
the test is one that may be looked at after every verdict: the mixture martingale for a coin (Ville
1939; Robbins 1970, Annals of Mathematical Statistics 41:1397, with a uniform prior). Its value
passes ``1 / alpha`` with a probability of at most alpha, whenever one looks; the confidence
sequence holds the shares that it has not ruled out. Rows of one group count once, by the first.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from whatworks.analysis.paired_tests import ALPHA
from whatworks.base.phrasing import format_percent, format_rough

Said = Literal["first", "second", "same", "neither"]
"""Of the pair's first and second arm, whatever order a person saw them in; ``same`` is as good as
one another, ``neither`` is of no use."""
SAID: tuple[Said, ...] = ("first", "second", "same", "neither")
MOST = 100_000
"""Verdicts beyond which no number is named."""


@dataclass(frozen=True)
class HumanVerdict:
    """What one person says of one row.

    Attributes:
        person: Who.
        row: The row's id.
        group: Its group, or its id.
        said: Which arm's answer is better.
        target: What the answer should be, where the person says so.
    """

    person: str
    row: str
    group: str
    said: Said
    target: str = ""


@dataclass(frozen=True)
class Tally:
    """How the count stands.

    Attributes:
        first: Rows on which the first arm's answer is preferred.
        second: Rows on which the second's is.
        same: Rows on which the two are as good.
        neither: Rows on which both are of no use.
        evidence: Value of the martingale against a fair coin; settled from ``1 / ALPHA`` on.
        low: Lower end of the share of decided rows that prefer the first, at any time with 95%.
        high: Upper end.
    """

    first: int
    second: int
    same: int
    neither: int
    evidence: float
    low: float
    high: float

    @property
    def decided(self) -> int:
        """Rows on which one of the two is preferred."""
        return self.first + self.second

    @property
    def is_settled(self) -> bool:
        """Whether it is told which arm people prefer."""
        return self.evidence >= 1 / ALPHA

    def describe(self, first: str, second: str) -> str:
        """The count in a sentence without a full stop."""
        counts = (
            f"{first} preferred on {self.first}, {second} on {self.second}, "
            f"as good on {self.same}, neither of use on {self.neither}"
        )
        if not self.decided:
            return counts
        share = f"{format_percent(self.low, 0)} to {format_percent(self.high, 0)}"
        held = f"{first} is preferred on {share} of the decided rows (at any time, 95%)"
        if self.is_settled:
            better = first if self.first > self.second else second
            return f"{counts}: people prefer {better}; {held}"
        more = count_further(self.first, self.second)
        ask = f"about {format_rough(more)} more verdicts would tell" if more else "no end in sight"
        return f"{counts}: cannot tell; {held}; {ask}"


def tally(verdicts: Sequence[HumanVerdict]) -> Tally:
    """Count verdicts, a row of each group: what most people say of it, the first row first.

    Of a person who judged a row twice the later verdict counts. Where people are of two minds,
    with as many on each side, the two are as good.
    """
    by_row: dict[str, dict[str, HumanVerdict]] = {}
    rows: dict[str, str] = {}
    for one in verdicts:
        by_row.setdefault(one.row, {})[one.person] = one
        rows.setdefault(one.group, one.row)
    counts = dict.fromkeys(SAID, 0)
    for row in rows.values():
        counts[_decide([one.said for one in by_row[row].values()])] += 1
    first, second = counts["first"], counts["second"]
    low, high = find_share(first, second)
    evidence = math.exp(min(700.0, measure_evidence(first, second, 0.5)))
    return Tally(first, second, counts["same"], counts["neither"], evidence, low, high)


def _decide(verdicts: Sequence[Said]) -> Said:
    votes = {one: verdicts.count(one) for one in SAID}
    if votes["first"] != votes["second"]:
        side: Said = "first" if votes["first"] > votes["second"] else "second"
        if votes[side] >= max(votes["same"], votes["neither"]):
            return side
    return "neither" if votes["neither"] > len(verdicts) / 2 else "same"


def measure_evidence(first: float, second: float, share: float) -> float:
    """Logarithm of the martingale against a coin with this share, which lies between 0 and 1."""
    mixed = math.lgamma(first + 1) + math.lgamma(second + 1) - math.lgamma(first + second + 2)
    return mixed - first * math.log(share) - second * math.log1p(-share)


def find_share(first: int, second: int, alpha: float = ALPHA) -> tuple[float, float]:
    """The shares of the first that are not ruled out, at any time with 1 - alpha."""
    if first + second == 0:
        return 0.0, 1.0
    limit, seen = math.log(1 / alpha), first / (first + second)

    def find_end(outside: float) -> float:
        inside = seen
        for _ in range(60):
            middle = (inside + outside) / 2
            kept = 0 < middle < 1 and measure_evidence(first, second, middle) < limit
            inside, outside = (middle, outside) if kept else (inside, middle)
        return inside

    return (0.0 if first == 0 else find_end(0.0)), (1.0 if second == 0 else find_end(1.0))


def count_further(first: int, second: int) -> int | None:
    """Further decided rows until it is settled, if they come as those before; None if never."""
    seen = first + second
    share = max(first, second) / seen if seen else 0.0
    if share <= 0.5:
        return None

    def is_enough(further: int) -> bool:
        rows = seen + further
        return measure_evidence(share * rows, (1 - share) * rows, 0.5) >= math.log(1 / ALPHA)

    if not is_enough(MOST):
        return None
    return bisect_left(range(MOST), True, lo=1, key=is_enough)


@dataclass(frozen=True)
class Agreement:
    """How far two people agree beyond chance, on the rows that both judged.

    Attributes:
        people: Who.
        rows: How many both judged.
        same: Share of them on which they say the same.
        kappa: Cohen's kappa.
        low: Lower end of its 95% interval.
        high: Upper end.
    """

    people: tuple[str, str]
    rows: int
    same: float
    kappa: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """``anna and ben say the same on 18 of 24 rows: kappa 0.61 [0.33, 0.82]``."""
        names = " and ".join(self.people)
        return (
            f"{names} say the same on {round(self.same * self.rows)} of {self.rows} rows: "
            f"kappa {self.kappa:.2f} [{self.low:.2f}, {self.high:.2f}]"
        )


def measure_agreements(verdicts: Sequence[HumanVerdict]) -> list[Agreement]:
    """The agreement of every two people who judged a row in common."""
    by_person: dict[str, dict[str, Said]] = {}
    for one in verdicts:
        by_person.setdefault(one.person, {})[one.row] = one.said
    agreements: list[Agreement] = []
    for pair in combinations(by_person, 2):
        ours, theirs = (by_person[person] for person in pair)
        both = [row for row in ours if row in theirs]
        if both:
            table = [[0] * len(SAID) for _ in SAID]
            for row in both:
                table[SAID.index(ours[row])][SAID.index(theirs[row])] += 1
            low, high = find_kappa_interval(table)
            same = sum(table[i][i] for i in range(len(SAID))) / len(both)
            agreements.append(Agreement(pair, len(both), same, compute_kappa(table), low, high))
    return agreements


def compute_kappa(table: Sequence[Sequence[float]]) -> float:
    """Cohen's kappa (Cohen 1960, Educational and Psychological Measurement 20:37).

    Args:
        table: Counts, one person's verdicts down and the other's across (K, K).

    Returns:
        From -1 to 1; 0 where both say the same of all rows, since chance alone would do that.
    """
    total = sum(map(sum, table))
    same = sum(table[i][i] for i in range(len(table))) / total
    rows = [sum(row) / total for row in table]
    columns = [sum(row[i] for row in table) / total for i in range(len(table))]
    chance = sum(a * b for a, b in zip(rows, columns, strict=True))
    return (same - chance) / (1 - chance) if chance < 1 - 1e-12 else 0.0


def find_kappa_interval(
    table: Sequence[Sequence[int]], alpha: float = ALPHA, *, draws: int = 4000
) -> tuple[float, float]:
    """An interval of kappa that keeps a width when people agree on all rows.

    Quantiles over tables drawn from what the counts leave likely: a Dirichlet distribution with one
    row's worth of prior over the cells of the verdicts that occur (Basu, Banerjee and Sen 2000,
    Biometrics 56:577, with the prior of Perks 1947). The large-sample interval has no width there.
    The same counts always give the same interval.
    """
    import numpy as np

    counts = np.array(table, dtype=float)
    used = [i for i in range(len(counts)) if counts[i].sum() + counts[:, i].sum() > 0]
    if len(used) < 2:
        used = [*used, next(i for i in range(len(counts)) if i not in used)]
    cells = counts[np.ix_(used, used)]
    drawn = np.random.default_rng(0).dirichlet(cells.ravel() + 1 / cells.size, draws)
    kappas = [compute_kappa(one.reshape(cells.shape).tolist()) for one in drawn]
    seen = compute_kappa(table)
    low, high = np.quantile(kappas, [alpha / 2, 1 - alpha / 2])
    return min(float(low), seen), max(float(high), seen)
