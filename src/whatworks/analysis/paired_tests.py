"""The machinery of a paired comparison: its two tests, their intervals, and many at once. Pure.

``analysis.comparison`` says when each is used and why; here is how. Arrays are numpy's: ``mean``
holds the difference of each of N examples, averaged over seeds; ``labels`` the number of each
example's group, 0 to G - 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

Array = Any  # numpy is imported where it is used

ALPHA = 0.05
DRAWS = 4999
FEW = 8
"""With fewer differing groups than this, resampling cannot see what it has not drawn."""
TINY = 1e-9
"""Keeps ties, which flips of equal totals produce, from hanging on rounding."""


def mcnemar(gains: int, losses: int, n: int, alpha: float = ALPHA) -> tuple[float, float, float]:
    """Tango's interval and the exact McNemar p from the numbers of discordant examples."""
    from scipy import special  # not scipy.stats, which takes a second to import

    p = min(1.0, 2 * float(special.bdtr(min(gains, losses), gains + losses, 0.5)))
    low, high = tango(gains, losses, n, alpha)
    if p >= alpha:  # the exact test is the stricter one; the interval must not say otherwise
        low, high = min(low, 0.0), max(high, 0.0)
    return low, high, p


def tango(gains: float, losses: float, n: float, alpha: float = ALPHA) -> tuple[float, float]:
    """Score interval of a paired difference of proportions (Tango 1998, formula 7)."""
    critical = z(1 - alpha / 2)

    def rejects(delta: float) -> bool:
        b = -gains - losses + (2 * n - gains + losses) * delta
        c = -losses * delta * (1 - delta)
        share = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
        variance = n * (2 * share + delta * (1 - delta))
        return (gains - losses - n * delta) ** 2 > critical**2 * max(variance, 0.0)

    middle = (gains - losses) / n
    return _find_edge(rejects, middle, -1.0), _find_edge(rejects, middle, 1.0)


def _find_edge(rejects: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where ``rejects`` begins between a point that is kept and one beyond; by bisection."""
    if not rejects(outside):
        return outside
    for _ in range(40):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if rejects(middle) else (middle, outside)
    return inside


@dataclass(frozen=True)
class Changes:
    """How many groups an arm changes: for the better, for the worse, of how many, by how much."""

    gains: int
    losses: int
    groups: int
    scale: float = 1.0


def count_changes(mean: Array, labels: Array) -> Changes:
    """The groups whose total differs from 0; ``scale`` is what one of them moves the mean by."""
    import numpy as np

    totals = np.bincount(labels, weights=mean)
    changed = np.abs(totals[np.abs(totals) > TINY])
    gains, losses = int((totals > TINY).sum()), int((totals < -TINY).sum())
    scale = float(changed.mean()) * len(totals) / len(mean) if len(changed) else 1.0
    return Changes(gains, losses, len(totals), scale)


@dataclass(frozen=True, eq=False)
class Flips:
    """Draws of the wild cluster bootstrap for one comparison, with the seeds as a second level.

    Rademacher signs of the groups with the null imposed (Cameron, Gelbach and Miller 2008, section
    III). For a true difference ``delta`` the draws are ``sums - delta * sizes + seeds``.

    Attributes:
        observed: The mean difference.
        sums: Mean differences under random signs (draws).
        sizes: Mean of the signs, each example's being its group's (draws), in [-1, 1].
        seeds: The seeds' part of the error (draws).
    """

    observed: float
    sums: Array
    sizes: Array
    seeds: Array

    @property
    def null(self) -> Array:
        """Absolute differences where there is none, with the null imposed (draws)."""
        import numpy as np

        return np.abs(self.sums + self.seeds)

    @property
    def centred(self) -> Array:
        """Absolute errors of the difference, whatever it is (draws)."""
        import numpy as np

        return np.abs(self.sums - self.observed * self.sizes + self.seeds)

    @property
    def p(self) -> float:
        """Two-sided p-value of no difference."""
        hits = int((self.null >= abs(self.observed) - TINY).sum())
        return (1 + hits) / (len(self.sums) + 1)

    def interval(self, alpha: float) -> tuple[float, float]:
        """The differences that the test does not reject at ``alpha``, cut to [-1, 1].

        Beyond the observed difference each draw is at least as large up to one value of ``delta``
        and smaller from there, so that the end is a quantile of those values.
        """
        import numpy as np

        drawn = self.sums + self.seeds
        keep = math.ceil(alpha * (len(drawn) + 1) - TINY) - 1
        if keep < 1:
            return -1.0, 1.0
        up, down = 1 + self.sizes, 1 - self.sizes
        with np.errstate(divide="ignore", invalid="ignore"):
            one, two = (drawn + self.observed) / up, (self.observed - drawn) / down
        # A draw of equal signs is as large as the observed difference whatever delta is.
        high = np.fmax(np.where(up < TINY, np.inf, one), np.where(down < TINY, np.inf, two))
        low = np.fmin(np.where(up < TINY, -np.inf, one), np.where(down < TINY, -np.inf, two))
        highest = float(np.partition(high, len(high) - keep)[len(high) - keep])
        lowest = float(np.partition(low, keep - 1)[keep - 1])
        return (
            max(-1.0, min(lowest, self.observed)),
            min(1.0, max(highest, self.observed)),
        )


def widen(low: float, high: float, changes: Changes, alpha: float) -> tuple[float, float]:
    """The interval as wide as the changed groups alone would make it, by Tango's."""
    ends = tango(changes.gains, changes.losses, changes.groups, alpha)
    wide = [changes.scale * end for end in ends]
    return max(-1.0, min(low, wide[0])), min(1.0, max(high, wide[1]))


def flip_signs(columns: Array, rng: Any, draws: int = DRAWS) -> Array:
    """Sums of each column's entries under random signs: (G, C) to (draws, C)."""
    import numpy as np

    parts: list[Array] = []
    step = max(1, 4_000_000 // len(columns))  # bounds the memory of the sign matrix
    for start in range(0, draws, step):
        size = (min(step, draws - start), len(columns))
        signs = rng.integers(0, 2, size=size, dtype=np.int8) * 2 - 1
        parts.append(signs.astype(float) @ columns)
    return np.concatenate(parts)


def adjust_together(
    flips: Sequence[Flips], weights: Sequence[float], rng: Any, alpha: float
) -> tuple[list[float], list[float]]:
    """p-values corrected for the number of comparisons, and the level that each is judged at.

    Step-down minimum p by resampling (Westfall and Young 1993, algorithm 2.8; Romano and Wolf
    2005, Econometrica 73:1237): the comparisons share their rows and signs, so what they have in
    common is not paid for twice. Each draw's rank is that of its error around the observed
    difference, since the null imposed would take a lucky baseline for dependence; its p-value is
    then the one that its own test gives at that rank, ties and all.

    Weights that are fixed beforehand divide what may be erred: the minimum is taken over p-values
    divided by them (Holm 1979, section 3; Genovese, Roeder and Wasserman 2006, Biometrika 93:509).

    Args:
        flips: One per comparison, drawn with the same signs.
        weights: Of each comparison, above 0, with a mean of 1.
        rng: Source of the order among ties.
        alpha: What all comparisons together may err.

    Returns:
        The adjusted p-values, and the levels at which all intervals hold together in 1 - alpha.
    """
    import numpy as np

    if len(flips) == 1:
        return [flips[0].p], [alpha]
    columns: list[Array] = []
    for one, weight in zip(flips, weights, strict=True):
        error, null = one.centred, np.sort(one.null)
        rank = np.argsort(np.argsort(error + TINY * rng.random(len(error))))
        own = (len(null) - np.searchsorted(null, null - TINY)) / len(null)
        columns.append(own[rank] / weight)
    drawn = np.stack(columns)
    shares = [one.p / weight for one, weight in zip(flips, weights, strict=True)]
    adjusted, running = [1.0] * len(shares), 0.0
    order = sorted(range(len(shares)), key=lambda i: shares[i])
    smallest = np.minimum.accumulate(drawn[order[::-1]])[::-1]  # over this arm and those after it
    for step, i in enumerate(order):
        hits = int((smallest[step] <= shares[i] + TINY).sum())
        running = max(running, flips[i].p, (1 + hits) / (drawn.shape[1] + 1))
        adjusted[i] = running
    least = np.sort(smallest[0])
    level = float(least[max(0, math.ceil(alpha * len(least)) - 1)])
    level = max(level, alpha / len(shares))  # Bonferroni's, where draws are too coarse
    return adjusted, [min(alpha, level * weight) for weight in weights]


def weigh(number: int, first: int | None) -> list[float]:
    """Weights of so many comparisons: half for the ``first``, the rest shared; equal without one.

    A mean of 1, as ``adjust_together`` wants them.
    """
    if first is None or number < 2:
        return [1.0] * number
    other = number / 2 / (number - 1)
    return [number / 2 if i == first else other for i in range(number)]


def compute_group_variance(mean: Array, labels: Array) -> float:
    """Cluster-robust variance of the overall mean (Miller 2024, section 2.2), G/(G-1) corrected."""
    import numpy as np

    residuals = np.bincount(labels, weights=mean - mean.mean())
    count = len(residuals)
    if count < 2:
        return 0.0
    return float((residuals**2).sum() * count / (count - 1) / len(mean) ** 2)


@lru_cache
def z(share: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(share)
