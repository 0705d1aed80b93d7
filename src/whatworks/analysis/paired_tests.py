"""The machinery of a paired comparison: two tests with their intervals, and two variances. Pure.

``analysis.comparison`` says when each is used and why; here is how. Arrays are numpy's: ``mean``
holds the difference of each of N examples, averaged over seeds; ``labels`` the number of each
example's group, 0 to G - 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

Array = Any  # numpy is imported where it is used

ALPHA = 0.05
DRAWS = 4999
FEW = 8
"""With fewer differing groups than this, resampling cannot see what it has not drawn."""
CHANCE = 0.25
"""The seeds' spread counts unless it is among this share of the smallest that chance alone gives.
Leaving it out only when it falls short of chance's mean lets 8% of null comparisons through when
three seeds do differ; counting it always costs power when they do not."""


@dataclass(frozen=True)
class SeedSpread:
    """What the seeds add to the variance of a mean.

    Attributes:
        variance: Variance of the mean of the seeds' means.
        df: Its degrees of freedom.
        alone: The part of it that more examples would not remove.
    """

    variance: float = 0.0
    df: float = 1.0
    alone: float = 0.0


def mcnemar(gains: int, losses: int, n: int, alpha: float = ALPHA) -> tuple[float, float, float]:
    """Tango's interval and the exact McNemar p from the numbers of discordant examples."""
    from scipy import special  # not scipy.stats, which takes a second to import

    p = min(1.0, 2 * float(special.bdtr(min(gains, losses), gains + losses, 0.5)))
    low, high = tango(gains, losses, n, alpha)
    if p >= alpha:  # the exact test is the stricter one; the interval must not say otherwise
        low, high = min(low, 0.0), max(high, 0.0)
    return low, high, p


def tango(gains: int, losses: int, n: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Score interval of a paired difference of proportions (Tango 1998, formula 7)."""
    critical = z(1 - alpha / 2)

    def rejected(delta: float) -> bool:
        b = -gains - losses + (2 * n - gains + losses) * delta
        c = -losses * delta * (1 - delta)
        share = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
        variance = n * (2 * share + delta * (1 - delta))
        return (gains - losses - n * delta) ** 2 > critical**2 * max(variance, 0.0)

    middle = (gains - losses) / n
    return _edge(rejected, middle, -1.0), _edge(rejected, middle, 1.0)


def bootstrap(
    mean: Array, labels: Array, seeds: SeedSpread, rng: Any, alpha: float = ALPHA
) -> tuple[float, float, float]:
    """Interval and p-value of the wild cluster bootstrap with a second level for the seeds.

    Args:
        mean: Difference of each example, averaged over seeds (N).
        labels: Group of each example (N), 0 to G - 1.
        seeds: What the seeds add to the variance of the difference.
        rng: Source of the draws.
        alpha: The interval covers 1 - alpha.
    """
    import numpy as np

    n = len(mean)
    totals, sizes = np.bincount(labels, weights=mean), np.bincount(labels).astype(float)
    flipped, flipped_sizes = _flips(np.stack([totals, sizes], axis=1), rng).T / n
    spread = math.sqrt(seeds.variance)
    by_seeds = rng.standard_t(seeds.df, DRAWS) * spread if spread else 0.0
    observed = float(mean.mean())

    def p_value(delta: float) -> float:
        drawn = np.abs(flipped - delta * flipped_sizes + by_seeds)
        # The margin keeps ties, which flips of equal totals produce, from hanging on rounding.
        return (1 + int((drawn >= abs(observed - delta) - 1e-12).sum())) / (DRAWS + 1)

    def rejected(delta: float) -> bool:
        return p_value(delta) < alpha

    p = p_value(0.0)
    # Bracketing at 0 makes the interval exclude 0 exactly when p is below the level.
    low_end = 0.0 if p < alpha and observed > 0 else -1.0
    high_end = 0.0 if p < alpha and observed < 0 else 1.0
    low, high = _edge(rejected, observed, low_end), _edge(rejected, observed, high_end)
    gains, losses = int((totals > 1e-12).sum()), int((totals < -1e-12).sum())
    if gains + losses < FEW or float(np.ptp(mean)) == 0:  # nothing varies: nothing to resample
        changed = np.abs(totals[np.abs(totals) > 1e-12])
        scale = float(changed.mean()) * len(totals) / n if len(changed) else 1.0
        wide = [scale * end for end in tango(gains, losses, len(totals), alpha)]
        low, high = max(-1.0, min(low, wide[0])), min(1.0, max(high, wide[1]))
    if p >= alpha:
        low, high = min(low, 0.0), max(high, 0.0)
    return low, high, p


def _flips(columns: Array, rng: Any) -> Array:
    """Sums of each column's entries under random signs: (G, C) to (DRAWS, C)."""
    import numpy as np

    parts: list[Array] = []
    step = max(1, 4_000_000 // len(columns))  # bounds the memory of the sign matrix
    for start in range(0, DRAWS, step):
        draws = min(step, DRAWS - start)
        signs = rng.integers(0, 2, size=(draws, len(columns)), dtype=np.int8) * 2 - 1
        parts.append(signs.astype(float) @ columns)
    return np.concatenate(parts)


def _edge(rejected: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where ``rejected`` begins between a point that is kept and one beyond; by bisection."""
    if not rejected(outside):
        return outside
    for _ in range(40):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if rejected(middle) else (middle, outside)
    return inside


def group_variance(mean: Array, labels: Array) -> float:
    """Cluster-robust variance of the overall mean (Miller 2024, section 2.2), G/(G-1) corrected."""
    import numpy as np

    residuals = np.bincount(labels, weights=mean - mean.mean())
    count = len(residuals)
    if count < 2:
        return 0.0
    return float((residuals**2).sum() * count / (count - 1) / len(mean) ** 2)


def seed_spread(tables: Sequence[Array], labels: Array) -> SeedSpread:
    """What the seeds add to the variance of the overall mean.

    Seeds that do not matter still differ, because examples come out differently by chance; that
    chance is already in the groups' variance (two-way clustering, Cameron, Gelbach and Miller
    2011). The spread counts in full unless it is smaller than chance would usually make it.
    Several tables have independent seeds (Welch and Satterthwaite).

    Args:
        tables: Scores or differences, each (seeds, N).
        labels: Group of each example (N).
    """
    import numpy as np
    from scipy import special

    count, n = int(labels.max()) + 1, len(labels)
    parts: list[SeedSpread] = []
    for table in tables:
        df = len(table) - 1
        if df < 1:
            continue
        means = table.mean(axis=1)
        spread = float(means.var(ddof=1)) / len(table)
        noise = table - table.mean(axis=0) - (means - means.mean())[:, None]
        totals = np.stack([np.bincount(labels, weights=row) for row in noise])
        correction = count / (count - 1) if count > 1 else 1.0
        chance = float((totals**2).sum()) * correction / (len(table) * df * n**2)
        if spread > chance * float(special.chdtri(df, 1 - CHANCE)) / df:
            parts.append(SeedSpread(spread, df, max(0.0, spread - chance)))
    total = sum(part.variance for part in parts)
    if not total:
        return SeedSpread()
    df = total**2 / sum(part.variance**2 / part.df for part in parts)
    return SeedSpread(total, df, sum(part.alone for part in parts))


def z(share: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(share)
