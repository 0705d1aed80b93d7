"""What the choice of seeds adds to the variance of a mean, by one arm or by all together. Pure.

Seeds that do not matter still differ, because examples come out differently by chance; that chance
is in the groups' variance already (two-way clustering, Cameron, Gelbach and Miller 2011). So the
seeds add the variance of their means less that chance, which may be nothing.

Three seeds say little of their own variance: Student's t with two degrees of freedom takes nearly
all power. Arms that train under one study train alike, so their variances are pooled, as in a
one-way analysis of variance. A guard keeps an unstable arm from hiding among stable ones: where an
arm's seeds differ more than those of the others make likely (an F test), its own variance counts,
with its own degrees of freedom. Moderating each variance towards the pool instead (Smyth 2004,
Statistical Applications in Genetics and Molecular Biology 3:3) was measured beside it: with one
unstable arm in eight it lets 11 to 15% of null studies through, the guard 1 to 3%
(``benchmarks/verdict.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Array = Any  # numpy is imported where it is used

UNLIKELY = 0.15
"""An arm's own spread counts when it is among this share of the largest that the others' make
likely. At 0.1 an unstable arm among three lets 6% through; at 0.2 a gain of 20 points on 100
rows is seen in 77% instead of 82% where seeds do not matter."""


@dataclass(frozen=True)
class SeedSpread:
    """The variance that seeds give to the mean over them.

    Attributes:
        variance: Variance of the mean of the seeds' means, chance among the examples included.
        df: Its degrees of freedom; 0 where nothing is known of it.
        chance: The part of it that chance among the examples makes on average.
        seeds: Seeds in the mean.
    """

    variance: float = 0.0
    df: float = 0.0
    chance: float = 0.0
    seeds: int = 1

    @property
    def alone(self) -> float:
        """The part that more examples would not remove."""
        return max(0.0, self.variance - self.chance)

    def draw(self, rng: Any, draws: int) -> Array:
        """Draws of the seeds' part of the error, with the uncertainty of its variance (draws).

        The true variance is drawn given the one seen, ``variance * df / chi-square(df)`` (the
        fiducial argument that makes Student's t; Fisher 1935), and chance is taken off each draw:
        without chance this is ``sqrt(variance) * t(df)``.
        """
        import numpy as np

        if self.df == 0 or self.variance == 0:
            return np.zeros(draws)
        true = self.variance * self.df / rng.chisquare(self.df, draws)
        return np.sqrt(np.maximum(0.0, true - self.chance)) * rng.standard_normal(draws)


def measure_spread(tables: Sequence[Array], labels: Array) -> SeedSpread:
    """What an arm's own seeds say.

    Args:
        tables: Scores or differences, each (seeds, N); several have independent seeds, and their
            degrees of freedom are Welch's and Satterthwaite's.
        labels: Group of each example (N), 0 to G - 1.
    """
    parts = [_measure_one(table, labels) for table in tables if len(table) > 1]
    total = sum(part.variance for part in parts)
    if len(parts) == 1 or not total:
        return parts[0] if parts else SeedSpread()
    return SeedSpread(
        total,
        total**2 / sum(part.variance**2 / part.df for part in parts),
        sum(part.chance for part in parts),
        max(part.seeds for part in parts),
    )


def _measure_one(table: Array, labels: Array) -> SeedSpread:
    import numpy as np

    seeds, n = table.shape
    count, df = int(labels.max()) + 1, seeds - 1
    means = table.mean(axis=1)
    noise = table - table.mean(axis=0) - (means - means.mean())[:, None]
    totals = np.stack([np.bincount(labels, weights=row) for row in noise])
    correction = count / (count - 1) if count > 1 else 1.0
    chance = float((totals**2).sum()) * correction / (seeds * df * n**2)
    return SeedSpread(float(means.var(ddof=1)) / seeds, df, chance, seeds)


def pool_spreads(spreads: Sequence[SeedSpread]) -> list[SeedSpread]:
    """The spread to use for each arm: the pooled one, or its own where the guard strikes.

    Args:
        spreads: What each arm's own seeds say; arms with one seed take no part.
    """
    return [
        _pool_one(own, [s for i, s in enumerate(spreads) if i != number])
        for number, own in enumerate(spreads)
    ]


def _pool_one(own: SeedSpread, others: Sequence[SeedSpread]) -> SeedSpread:
    from scipy import special  # not scipy.stats, which takes a second to import

    others = [one for one in others if one.df > 0]
    if own.df == 0 or not others:
        return own
    df = sum(one.df for one in others)
    excess = sum((one.variance - one.chance) * one.seeds * one.df for one in others)
    likely = max(0.0, excess / df) / own.seeds + own.chance
    if own.variance > likely * float(special.fdtri(own.df, df, 1 - UNLIKELY)):
        return own
    pooled = (excess + (own.variance - own.chance) * own.seeds * own.df) / (df + own.df)
    variance = max(0.0, pooled) / own.seeds + own.chance
    return SeedSpread(variance, df + own.df, own.chance, own.seeds)
