"""Statistics over scores in [0, 1]: paired comparisons, intervals, corrections, power. Pure.

An arm's scores are a mapping ``(seed, example id) -> value``. Every comparison is paired on the
same examples; examples of one group count as one draw; where an arm has several seeds, their
spread is part of the interval. Intervals are at 95%. The same input always gives the same output.

Two tests:

- **Exact McNemar** (McNemar 1947) for 0/1 scores with one seed per arm and one example per group,
  with Tango's score interval for the paired difference (Tango 1998, Statistics in Medicine 17:891).
- **Wild cluster bootstrap** otherwise, Rademacher signs with the null imposed, the variant that
  keeps its size with few clusters (Cameron, Gelbach and Miller 2008, section III; for a mean it is
  the sign-flip test, exact when the two arms are exchangeable). The interval holds the differences
  that the test does not reject, so the two never contradict one another. The seeds are a second
  level: three of them cannot be resampled, so their mean is drawn from Student's t with its
  estimated variance and S - 1 degrees of freedom.

Background: Efron and Tibshirani 1993; Dror et al. 2018; Miller 2024, "Adding Error Bars to Evals".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from whatworks.analysis.paired_tests import (
    ALPHA,
    Array,
    SeedSpread,
    bootstrap,
    group_variance,
    mcnemar,
    seed_spread,
    z,
)

Scores = Mapping[tuple[int, str], float]

POWER = 0.8
MOST_EXAMPLES = 1e6
"""Times the examples, beyond which more of them are no answer."""
MOST_SEEDS = 20
"""Seeds, beyond which more of them are no answer."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval, all in [-1, 1]."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """An arm against the baseline on the same examples.

    Attributes:
        difference: Mean score of the arm minus that of the baseline, over examples.
        low: Lower end of the 95% interval.
        high: Upper end.
        p: Two-sided p-value of no difference, not corrected for the number of arms.
        test: How ``p`` was computed.
        n_items: Examples that both arms answered.
        n_groups: Groups among them, the number of independent draws.
        n_seeds: Seeds of the arm or of the baseline, whichever has more.
        se_items: Standard error of the difference from the choice of examples; shrinks with more.
        se_seeds: Standard error from the seeds; shrinks only with more seeds. 0 with one seed.
        spread: Standard error that the interval counts for the seeds: ``se_seeds`` and what the
            choice of examples adds to their differences. 0 with one seed, or when they agree.
        df: Its degrees of freedom.
        alpha: The interval covers 1 - alpha.
    """

    difference: float
    low: float
    high: float
    p: float
    test: Literal["mcnemar", "bootstrap"]
    n_items: int
    n_groups: int
    n_seeds: int
    se_items: float
    se_seeds: float
    spread: float = 0.0
    df: float = 1.0
    alpha: float = ALPHA


@dataclass(frozen=True)
class More:
    """What it would take to tell: more examples, or more seeds; neither when no number would do."""

    examples: int | None = None
    seeds: int | None = None


def compare(
    arm: Scores,
    baseline: Scores,
    groups: Mapping[str, str] | None = None,
    *,
    alpha: float = ALPHA,
    seed: int = 0,
) -> Comparison:
    """Paired comparison of two arms; see the module's text for the tests.

    Arms with the same seeds are paired seed by seed, since chains share what a seed decides.
    Arms with one seed tell nothing of its spread; ``n_seeds`` says so.

    Args:
        arm: ``(seed, example id) -> value`` in [0, 1].
        baseline: The same for the baseline; examples that not every seed of both answered are
            left out.
        groups: Example id to group; examples that it does not name are groups of their own.
        alpha: The interval covers 1 - alpha; smaller where several comparisons decide together.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: If no example is shared, or a value lies outside [0, 1].
    """
    import numpy as np

    seeds, others = _seeds(arm), _seeds(baseline)
    items = [i for i in _items(arm, seeds) if all((s, i) in baseline for s in others)]
    if not items or not others:
        raise ValueError("the two arms share no example")
    first, second = _matrix(arm, seeds, items), _matrix(baseline, others, items)
    labels = _labels(items, groups)
    n_groups = int(labels.max()) + 1
    mean = first.mean(axis=0) - second.mean(axis=0)
    binary = all(bool(np.isin(m, (0.0, 1.0)).all()) for m in (first, second))
    if binary and len(first) == len(second) == 1 and n_groups == len(items):
        low, high, p = mcnemar(int((mean > 0).sum()), int((mean < 0).sum()), len(items), alpha)
        test, seeds_ = "mcnemar", SeedSpread()
    else:
        tables = [first - second] if seeds == others else [first, second]
        seeds_ = seed_spread(tables, labels)
        low, high, p = bootstrap(mean, labels, seeds_, np.random.default_rng(seed), alpha)
        test = "bootstrap"
    se_items = math.sqrt(group_variance(mean, labels))
    if se_items == 0:  # all answers alike: the interval knows more than the empty variance
        se_items = (high - low) / 2 / z(1 - alpha / 2)
    return Comparison(
        difference=float(mean.mean()),
        low=low,
        high=high,
        p=p,
        test=test,
        n_items=len(items),
        n_groups=n_groups,
        n_seeds=max(len(first), len(second)),
        se_items=se_items,
        se_seeds=math.sqrt(seeds_.alone),
        spread=math.sqrt(seeds_.variance),
        df=seeds_.df,
        alpha=alpha,
    )


def mean_interval(
    scores: Scores, groups: Mapping[str, str] | None = None, *, alpha: float = ALPHA
) -> Estimate:
    """Mean score of one arm with its interval, which covers 1 - alpha.

    Wilson's interval (Wilson 1927). With groups, seeds or fractional scores it is taken at the
    effective number of examples, value(1 - value) / variance, with Student's t for few groups or
    seeds (Korn and Graubard 1998; Dean and Pagano 2015): it stays in [0, 1] and keeps a width at 0
    and at 1, where a bootstrap would have none.

    Raises:
        ValueError: If there are no scores, or a value lies outside [0, 1].
    """
    import numpy as np
    from scipy import special

    seeds = _seeds(scores)
    items = _items(scores, seeds)
    if not items:
        raise ValueError("no example has a score")
    table = _matrix(scores, seeds, items)
    labels = _labels(items, groups)
    n_groups = int(labels.max()) + 1
    value = float(table.mean())
    if len(table) == 1 and n_groups == len(items) and bool(np.isin(table, (0.0, 1.0)).all()):
        return _wilson(value, len(items), z(1 - alpha / 2))
    by_groups = group_variance(table.mean(axis=0), labels)
    spread = seed_spread([table], labels)
    total = by_groups + spread.variance
    if total == 0 or n_groups == 1:
        return _wilson(value, n_groups, z(1 - alpha / 2))
    by_both = ((by_groups, n_groups - 1), (spread.variance, spread.df))
    square = (
        sum(var * float(special.stdtrit(df, 1 - alpha / 2)) ** 2 for var, df in by_both) / total
    )
    return _wilson(value, value * (1 - value) / total, math.sqrt(square))


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given."""
    adjusted = [1.0] * len(ps)
    running = 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        running = max(running, min(1.0, (len(ps) - rank) * ps[i]))
        adjusted[i] = running
    return adjusted


def minimum_detectable_effect(found: Comparison, *, power: float = POWER) -> float:
    """Smallest true difference that a study like this one would call significant.

    Half the interval's width, which a difference must pass to be significant, plus
    z(power) standard errors (Bloom 1995; Card et al. 2020 for language models).

    Args:
        found: The comparison whose observed variance is used.
        power: Probability of seeing the effect, 80% by default.
    """
    return (found.high - found.low) / 2 + z(power) * math.hypot(found.se_items, found.se_seeds)


def needed(found: Comparison, effect: float, *, arms: int = 1, power: float = POWER) -> More:
    """What would show a true difference of ``effect``, everything else staying as observed.

    More examples shrink the examples' part of the error, and what chance among them adds to the
    seeds'; more seeds shrink the seeds' part and raise its degrees of freedom. Of all pairs that
    would do, it is the one with the fewest answers in all.

    Args:
        found: The comparison so far.
        effect: The difference to be told from 0, above 0.
        arms: Number of arms compared; the level is divided by it.
        power: Probability of seeing the effect.

    Returns:
        Further examples, further seeds or both, each at least 1 where given; neither when no
        number up to ``MOST_EXAMPLES`` times the examples and ``MOST_SEEDS`` would do.
    """
    alpha = ALPHA / arms
    best: tuple[float, More] | None = None
    for seeds in range(found.n_seeds, MOST_SEEDS + 1 if found.n_seeds > 1 else found.n_seeds + 1):
        share = seeds / found.n_seeds
        factor = _least(lambda f, share=share: _room(found, f, share, alpha, power) <= effect)
        if factor is None:
            continue
        further = max(0, math.ceil(found.n_items * factor) - found.n_items)
        answers = (found.n_items + further) * seeds
        if best is None or answers < best[0]:
            best = answers, More(further or None, seeds - found.n_seeds or None)
    if best is None:
        return More()
    return best[1] if best[1] != More() else More(examples=1)


def _room(found: Comparison, examples: float, seeds: float, alpha: float, power: float) -> float:
    """Smallest difference shown with so many times the examples and the seeds."""
    items = found.se_items / math.sqrt(examples)
    chance = max(0.0, found.spread**2 - found.se_seeds**2)
    spread = math.sqrt((found.se_seeds**2 + chance / examples) / seeds)
    df = found.df if seeds == 1 else found.df * (seeds * found.n_seeds - 1) / (found.n_seeds - 1)
    # As wide as observed where the examples decide: few groups have heavier tails than a normal.
    normal = z(1 - alpha / 2)
    if found.spread == 0 and found.se_items:
        observed = (found.high - found.low) / 2 / found.se_items / z(1 - found.alpha / 2)
        normal *= max(1.0, observed)
    half = math.hypot(normal * items, _critical(df, alpha) * spread)
    return half + z(power) * math.hypot(items, spread)


def _critical(df: float, alpha: float) -> float:
    """Two-sided quantile of Student's t."""
    from scipy import special

    return float(special.stdtrit(df, 1 - alpha / 2))


def _least(enough: Callable[[float], bool]) -> float | None:
    """Smallest factor from 1 on that is enough, by bisection; None beyond ``MOST_EXAMPLES``."""
    low, high = 1.0, MOST_EXAMPLES
    if enough(low):
        return low
    if not enough(high):
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _wilson(value: float, n: float, critical: float) -> Estimate:
    square = critical**2
    centre = (value + square / (2 * n)) / (1 + square / n)
    half = critical / (1 + square / n) * math.sqrt(value * (1 - value) / n + square / (4 * n * n))
    # At 0 and 1 the end is exact; rounding must not move it past the value.
    return Estimate(value, min(value, max(0.0, centre - half)), max(value, min(1.0, centre + half)))


def _seeds(scores: Scores) -> list[int]:
    return sorted({seed for seed, _ in scores})


def _items(scores: Scores, seeds: Sequence[int]) -> list[str]:
    """Examples that every seed answered, sorted."""
    return sorted(i for i in {i for _, i in scores} if all((s, i) in scores for s in seeds))


def _matrix(scores: Scores, seeds: Sequence[int], items: Sequence[str]) -> Array:
    import numpy as np

    table = np.array([[scores[s, i] for i in items] for s in seeds], dtype=float)
    if not bool(((table >= 0) & (table <= 1)).all()):
        raise ValueError("scores must lie between 0 and 1")
    return table


def _labels(items: Sequence[str], groups: Mapping[str, str] | None) -> Array:
    """Group number of each item, numbered in order of first appearance."""
    import numpy as np

    numbers: dict[tuple[bool, str], int] = {}
    named = groups or {}
    keys = [(i in named, named.get(i, i)) for i in items]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys])
