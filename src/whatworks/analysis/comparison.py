"""Statistics over scores in [0, 1]: paired comparisons, intervals, corrections. Pure.

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
  level: their part is drawn with the uncertainty of its variance (``seed_spread``).

Arms that are compared with one baseline are compared together (``compare_all``): seed variances are
pooled, and p-values and intervals are corrected by what the arms have in common. The arm that dev
chose, before test was opened, has half of what may be erred where it has one seed; the others share
the rest.

Background: Efron and Tibshirani 1993; Dror et al. 2018; Miller 2024, "Adding Error Bars to Evals".
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from whatworks.analysis.looks import spend
from whatworks.analysis.paired_tests import (
    ALPHA,
    FEW,
    Array,
    Changes,
    Flips,
    adjust_together,
    compute_group_variance,
    count_changes,
    flip_signs,
    mcnemar,
    weigh,
    widen,
    z,
)
from whatworks.analysis.score_table import (
    Scores,
    fill_table,
    label_items,
    list_group_keys,
    list_items,
    list_seeds,
    number_groups,
)
from whatworks.analysis.seed_spread import SeedSpread, measure_spread, pool_spreads


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval, all in [-1, 1]."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Joint:
    """A comparison corrected for the others that decide together with it.

    Attributes:
        p: p-value corrected for their number (and for the looks that were taken before).
        low: Lower end of an interval; all of them hold together with 95%.
        high: Upper end.
        level: The level of such an interval by itself.
        later: The level at the next look: for further rows or seeds it is that which counts.
        arms: Number of comparisons.
    """

    p: float
    low: float
    high: float
    level: float
    later: float
    arms: int


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
        spread: Standard error of the seeds' mean as seen: ``se_seeds`` and what the choice of
            examples adds to their differences. 0 with one seed, or when they agree.
        df: Its degrees of freedom.
        alpha: The interval covers 1 - alpha.
        changes: Groups that the arm changes; None where that is not known.
        joint: What it is worth as one of several; None when it stands alone.
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
    changes: Changes | None = None
    joint: Joint | None = None


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

    pair = pair_scores(arm, baseline, groups)
    if pair.exact:
        return pair.measure(None, pair.own, alpha)
    return pair.measure(_flip([pair], [pair.own], np.random.default_rng(seed))[0], pair.own, alpha)


def compare_all(
    arms: Mapping[str, Scores],
    baseline: Scores,
    groups: Mapping[str, str] | None = None,
    *,
    failed: Collection[str] = (),
    first: str = "",
    look: int = 1,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Paired comparisons of several arms with one baseline, each with its ``joint`` worth.

    Args:
        arms: Name to scores, as for ``compare``.
        baseline: The baseline's.
        groups: Example id to group, as for ``compare``.
        failed: Arms of which a seed failed: their seeds say nothing of how the others' differ.
        first: The arm that was chosen before these scores were seen: half of what may be erred is
            for it, since the question is about it, if it has one seed. Seeds are the same on dev
            and on test, so an arm that dev chose for its lucky seeds would be lucky here, too.
        look: How often results were looked at, this time included (``looks.spend``).
        seed: Seed of the bootstrap.

    Raises:
        ValueError: If an arm shares no example with the baseline, or a value is outside [0, 1].
    """
    pairs = {name: pair_scores(own, baseline, groups) for name, own in arms.items()}
    return compare_pairs(pairs, failed=failed, first=first, look=look, seed=seed)


def compare_pairs(
    pairs: Mapping[str, ArmPair],
    *,
    failed: Collection[str] = (),
    first: str = "",
    look: int = 1,
    seed: int = 0,
) -> dict[str, Comparison]:
    """``compare_all``, from pairs."""
    import numpy as np

    if not pairs:
        return {}
    alpha = spend(look)
    alike = [name for name in pairs if name not in failed]
    pooled = dict(zip(alike, pool_spreads([pairs[name].own for name in alike]), strict=True))
    spreads = [pooled.get(name, pair.own) for name, pair in pairs.items()]
    rng = np.random.default_rng(seed)
    flips = _flip([*pairs.values()], spreads, rng)
    names = [*pairs]
    favoured = first in pairs and pairs[first].n_seeds == 1
    weights = weigh(len(names), names.index(first) if favoured else None)
    ps, levels = adjust_together(flips, weights, rng, alpha)
    compared: dict[str, Comparison] = {}
    for (name, pair), spread, flip, p, level in zip(
        pairs.items(), spreads, flips, ps, levels, strict=True
    ):
        alone, wide = (pair.measure(flip, spread, a) for a in (ALPHA, level))
        p = alone.p if len(pairs) == 1 else max(p, alone.p)
        low, high = wide.low, wide.high
        if p >= alpha:  # the test is by steps, the interval is not; the one must not gainsay it
            low, high = min(low, 0.0), max(high, 0.0)
        p, later = min(1.0, p * ALPHA / alpha), level * spend(look + 1) / alpha
        compared[name] = replace(alone, joint=Joint(p, low, high, level, later, len(pairs)))
    return compared


@dataclass(frozen=True, eq=False)
class ArmPair:
    """An arm and the baseline on the examples that both answered.

    ``mean`` is the difference of each example (N), ``keys`` its group, ``labels`` the group's
    number; ``own`` is what the arm's own seeds say of their spread.
    """

    mean: Array
    keys: list[tuple[bool, str]]
    labels: Array
    own: SeedSpread
    n_seeds: int
    binary: bool

    @property
    def groups(self) -> int:
        """Groups, the number of independent draws."""
        return int(self.labels.max()) + 1

    @property
    def exact(self) -> bool:
        """Whether the exact test is to be had."""
        return self.binary and self.n_seeds == 1 and self.groups == len(self.mean)

    def measure(self, flips: Flips | None, spread: SeedSpread, alpha: float) -> Comparison:
        """The comparison at a level; ``flips`` may be left out where the test is exact."""
        mean, changes = self.mean, count_changes(self.mean, self.labels)
        if self.exact or flips is None:
            low, high, p = mcnemar(changes.gains, changes.losses, len(mean), alpha)
        else:
            p, (low, high) = flips.p, flips.interval(alpha)
            if changes.gains + changes.losses < FEW or float(mean.max() - mean.min()) == 0:
                low, high = widen(low, high, changes, alpha)  # nothing varies to be resampled
            if p >= alpha:
                low, high = min(low, 0.0), max(high, 0.0)
        se_items = math.sqrt(compute_group_variance(mean, self.labels))
        if se_items == 0:  # all answers alike: the interval knows more than the empty variance
            se_items = (high - low) / 2 / z(1 - alpha / 2)
        return Comparison(
            difference=float(mean.mean()),
            low=low,
            high=high,
            p=p,
            test="mcnemar" if self.exact else "bootstrap",
            n_items=len(mean),
            n_groups=self.groups,
            n_seeds=self.n_seeds,
            se_items=se_items,
            se_seeds=math.sqrt(spread.alone),
            spread=math.sqrt(spread.variance),
            df=spread.df or 1.0,
            alpha=alpha,
            changes=changes,
        )


def pair_scores(arm: Scores, baseline: Scores, groups: Mapping[str, str] | None = None) -> ArmPair:
    """An arm's scores less the baseline's.

    Raises:
        ValueError: If no example is shared, or a value lies outside [0, 1].
    """
    import numpy as np

    seeds, others = list_seeds(arm), list_seeds(baseline)
    items = [i for i in list_items(arm, seeds) if all((s, i) in baseline for s in others)]
    if not items or not others:
        raise ValueError("the two arms share no example")
    first, second = fill_table(arm, seeds, items), fill_table(baseline, others, items)
    keys = list_group_keys(items, groups)
    labels = number_groups(keys)
    tables = [first - second] if seeds == others else [first, second]
    return ArmPair(
        first.mean(axis=0) - second.mean(axis=0),
        keys,
        labels,
        measure_spread(tables, labels),
        max(len(first), len(second)),
        all(bool(np.isin(table, (0.0, 1.0)).all()) for table in (first, second)),
    )


def _flip(pairs: Sequence[ArmPair], spreads: Sequence[SeedSpread], rng: Any) -> list[Flips]:
    """Draws for each pair, a group having the same sign in all of them."""
    import numpy as np

    numbers = {key: i for i, key in enumerate(dict.fromkeys(k for p in pairs for k in p.keys))}
    columns: list[Array] = []
    for pair in pairs:
        rows = np.array([numbers[key] for key in pair.keys])
        sizes = np.bincount(rows, minlength=len(numbers)) / len(rows)
        totals = np.bincount(rows, weights=pair.mean, minlength=len(numbers)) / len(rows)
        columns += [totals, sizes]
    drawn = flip_signs(np.stack(columns, axis=1), rng).T
    return [
        Flips(
            float(pair.mean.mean()), drawn[2 * i], drawn[2 * i + 1], spread.draw(rng, len(drawn[0]))
        )
        for i, (pair, spread) in enumerate(zip(pairs, spreads, strict=True))
    ]


def estimate_mean(
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

    seeds = list_seeds(scores)
    items = list_items(scores, seeds)
    if not items:
        raise ValueError("no example has a score")
    table = fill_table(scores, seeds, items)
    labels = label_items(items, groups)
    n_groups = int(labels.max()) + 1
    value = float(table.mean())
    if len(table) == 1 and n_groups == len(items) and bool(np.isin(table, (0.0, 1.0)).all()):
        return _wilson(value, len(items), z(1 - alpha / 2))
    by_groups = compute_group_variance(table.mean(axis=0), labels)
    spread = measure_spread([table], labels)
    total = by_groups + spread.alone
    if total == 0 or n_groups == 1:
        return _wilson(value, n_groups, z(1 - alpha / 2))
    by_chance = z(1 - alpha / 2) ** 2 * spread.chance  # in the groups' variance already
    by_seeds = special.stdtrit(spread.df or 1, 1 - alpha / 2) ** 2 * spread.variance - by_chance
    by_items = special.stdtrit(n_groups - 1, 1 - alpha / 2) ** 2 * by_groups
    square = (float(by_items) + max(0.0, float(by_seeds))) / total
    return _wilson(value, value * (1 - value) / total, math.sqrt(square))


def _wilson(value: float, n: float, critical: float) -> Estimate:
    square = critical**2
    centre = (value + square / (2 * n)) / (1 + square / n)
    half = critical / (1 + square / n) * math.sqrt(value * (1 - value) / n + square / (4 * n * n))
    # At 0 and 1 the end is exact; rounding must not move it past the value.
    return Estimate(value, min(value, max(0.0, centre - half)), max(value, min(1.0, centre + half)))
