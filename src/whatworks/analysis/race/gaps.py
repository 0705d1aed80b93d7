"""How far one arm is behind another on the rows that both have answered, looked at any time. Pure.

A race looks after every block of rows, so a test that is made for one look would err each time
anew. What is used here holds however often one looks:

- **Betting.** Somebody who bets a share of his money on "the next group falls to the leader by more
  than the margin" can not be expected to win where that is not so; that he has multiplied it by 20
  happens in at most one race of 20 (Ville's inequality). The share is not known beforehand, so the
  money is spread evenly over a grid of shares (Waudby-Smith and Ramdas 2024, Journal of the Royal
  Statistical Society B 86:1, the grid Kelly bettor of section 5). For 0/1 answers it is the mixture
  sequential probability ratio test of the sign test (Robbins 1970, Annals of Mathematical
  Statistics 41:1397). The margins that are not rejected are a confidence sequence.
- **A posterior.** The true gap given the one that was seen, as a normal, with the variance of the
  groups' means and one more group that differs, so that a few equal answers are not taken for
  certainty. Bayesian stopping needs no correction for looking either (Berger and Wolpert 1988, The
  Likelihood Principle, section 4.2).

Groups count as one draw, weighted by their rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

Array = Any  # numpy is imported where it is used

SHARES = 48
"""Shares of the money that a bet is spread over."""
_NORMAL = NormalDist()


@dataclass(frozen=True, eq=False)
class Gap:
    """The first arm less the second, group by group.

    Attributes:
        totals: Sum of the differences of each group (G).
        sizes: Rows of each group that both answered (G).
        largest: Rows of the largest group that a race may meet; bets are scaled by it.
    """

    totals: Array
    sizes: Array
    largest: int

    @property
    def rows(self) -> int:
        """Rows that both answered."""
        return int(self.sizes.sum())

    @cached_property
    def mean(self) -> float:
        """Mean difference over rows; 0 without any."""
        return float(self.totals.sum()) / self.rows if self.rows else 0.0

    @cached_property
    def variance(self) -> float:
        """Variance of ``mean``, clustered by group, one group that differs more counted in."""
        if not self.rows:
            return 1.0
        count, size = len(self.sizes), self.rows / len(self.sizes)
        off = self.totals - self.mean * self.sizes
        square = float((off**2).sum()) + size**2
        return square / self.rows**2 * (count / max(1, count - 1))

    def bet(self, margin: float) -> float:
        """Money of one who bet 1 on the first being ahead by more than ``margin``."""
        import numpy as np

        if not self.rows:
            return 1.0
        most = 1 / (1 + margin) * (1 - 1e-6)
        shares = np.linspace(0, most, SHARES)
        won = np.log1p(np.outer(shares, (self.totals - margin * self.sizes) / self.largest))
        logs = won.sum(axis=1)
        top = float(logs.max())
        return float(np.exp(logs - top).mean()) * math.exp(min(700.0, top))

    def bound(self, alpha: float) -> tuple[float, float]:
        """An interval of the true gap that holds at all looks together with 1 - ``alpha``."""
        other = Gap(-self.totals, self.sizes, self.largest)
        return self._find_low(alpha / 2), -other._find_low(alpha / 2)

    def _find_low(self, alpha: float) -> float:
        low, high = -1.0 + 1e-9, 1.0 - 1e-9
        if self.bet(low) < 1 / alpha:
            return -1.0
        for _ in range(16):
            middle = (low + high) / 2
            low, high = (middle, high) if self.bet(middle) >= 1 / alpha else (low, middle)
        return low

    def doubt(self, margin: float = 0.0, extra: float = 0.0) -> float:
        """Posterior probability that the second is at most ``margin`` behind the first.

        Args:
            margin: May be negative: the second is ahead by so much.
            extra: Further variance: that of the seeds.
        """
        spread = math.sqrt(self.variance + extra)
        return _NORMAL.cdf((margin - self.mean) / spread)

    def expect_gain(self, extra: float = 0.0) -> float:
        """What knowing the true gap is worth: the mean by which the second is ahead, where it is.

        The expected improvement of the normal posterior (Mockus 1975; Frazier and Powell 2008,
        the knowledge gradient of a measurement that tells all).

        Args:
            extra: Further variance: that of the seeds.
        """
        spread = math.sqrt(self.variance + extra)
        z = -self.mean / spread
        return spread * (_NORMAL.pdf(z) + z * _NORMAL.cdf(z))

    def foresee(self, rows: int, margin: float, extra: float = 0.0) -> float:
        """Probability that the second ends at most ``margin`` behind, when all rows are answered.

        The predictive probability of the posterior (Spiegelhalter, Freedman and Blackburn 1986,
        Controlled Clinical Trials 7:8; Saville et al. 2014, Clinical Trials 11:485): the answers to
        come vary by themselves and by what is not known of the true gap.

        Args:
            rows: Rows that there are in all.
            margin: What does not matter.
            extra: Further variance of the end: that of the seeds.
        """
        left = max(0, rows - self.rows)
        per_row = self.variance * self.rows
        share = left / rows
        ends = share**2 * per_row * (1 / max(1, self.rows) + 1 / left) if left else 0.0
        spread = math.sqrt(ends + extra)
        if spread == 0:
            return float(self.mean <= margin)
        return _NORMAL.cdf((margin - self.mean) / spread)


def measure_gap(
    first: Mapping[str, float],
    second: Mapping[str, float],
    groups: Mapping[str, str],
    largest: int = 1,
) -> Gap:
    """The gap between two arms.

    Args:
        first: Row to mean score over seeds.
        second: The same of the other arm.
        groups: Row to group; rows that it does not name are groups of their own.
        largest: Rows of the largest group.
    """
    import numpy as np

    numbers: dict[str, int] = {}
    totals: list[float] = []
    sizes: list[int] = []
    for row, value in second.items():
        other = first.get(row)
        if other is None:
            continue
        at = numbers.setdefault(groups.get(row, f"\0{row}"), len(numbers))
        if at == len(totals):
            totals.append(0.0)
            sizes.append(0)
        totals[at] += other - value
        sizes[at] += 1
    return Gap(np.array(totals), np.array(sizes), max(largest, *sizes, 1))
