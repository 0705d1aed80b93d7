"""What it would take to tell: further examples, groups or seeds, and what can be seen. Pure.

Plans hold the observed variances and change the counts. Where hardly any answer differs there is
no variance to hold: the counts of changed groups are scaled instead, and Tango's interval taken at
the scaled counts. A sign test cannot be significant below ``1 + log2(1 / alpha)`` groups, however
large the difference; no plan asks for fewer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from whatworks.analysis.comparison import Comparison
from whatworks.analysis.paired_tests import ALPHA, FEW, Changes, tango, z
from whatworks.base.phrasing import describe_more, format_between

POWER = 0.8
MOST_EXAMPLES = 1e6
"""Times the examples, beyond which more of them are no answer."""
MOST_SEEDS = 20
"""Seeds, beyond which more of them are no answer."""
QUARTILE = 0.5
"""A range is planned over the middle half of the differences that the study leaves likely."""


@dataclass(frozen=True)
class More:
    """What it would take to tell; neither examples nor seeds when no number would do.

    Attributes:
        examples: Further examples, or groups where ``unit`` says so; of a range the lower end.
        seeds: Further seeds; of a range the lower end.
        most: Upper end of the examples; None where there is one number.
        most_seeds: Upper end of the seeds; None where there is one number.
        open_end: Whether there is no upper end.
        unit: What is counted: ``example``, or ``group`` where several examples are one draw.
    """

    examples: int | None = None
    seeds: int | None = None
    most: int | None = None
    most_seeds: int | None = None
    open_end: bool = False
    unit: str = "example"

    @property
    def words(self) -> str:
        """``about 300 to 1,500 more examples``; ``more seeds`` where no number would do."""
        return describe_more(
            (self.examples or 0, self.most or self.examples or 0),
            (self.seeds or 0, self.most_seeds or self.seeds or 0),
            open_end=self.open_end,
            unit=self.unit,
        )

    @property
    def brief(self) -> str:
        """What is needed, for a narrow column: ``300–1,500 more, 1–4 seeds``."""
        ends = (self.examples or 0, self.most or self.examples or 0)
        seeds = (self.seeds or 0, self.most_seeds or self.seeds or 0)
        more = f"{format_between(*ends)} more" if ends[1] else ""
        many = f"{format_between(*seeds)} seed{'s' * (seeds[1] > 1)}" if seeds[1] else ""
        return ", ".join(filter(None, (more, many))) or "more seeds"


NOTHING_MORE = More()
"""Where nothing is open, or no number would do."""


def compute_detectable_effect(comparison: Comparison, *, power: float = POWER) -> float:
    """Smallest true difference that a study like this one would call significant.

    Half the width of the interval that decides, which a difference must pass to be significant,
    plus z(power) standard errors (Bloom 1995; Card et al. 2020 for language models). Infinite where
    there are too few groups for any.

    Args:
        comparison: The comparison whose observed variance is used.
        power: Probability of seeing the effect, 80% by default.
    """
    low, high, level = comparison.low, comparison.high, comparison.alpha
    if comparison.joint is not None:
        low, high, level = comparison.joint.low, comparison.joint.high, comparison.joint.level
    if comparison.n_groups < count_fewest_groups(level):
        return math.inf
    return (high - low) / 2 + z(power) * math.hypot(comparison.se_items, comparison.se_seeds)


def count_fewest_groups(alpha: float) -> int:
    """Groups that a two-sided sign test needs to be significant when all of them agree."""
    return math.ceil(1 + math.log2(1 / alpha) - 1e-9)


def estimate_needs(
    comparison: Comparison,
    effect: float,
    *,
    arms: int = 1,
    alpha: float = ALPHA,
    power: float = POWER,
) -> More:
    """What would show a true difference of ``effect``, everything else staying as observed.

    More examples shrink the examples' part of the error, and what chance among them adds to the
    seeds'; more seeds shrink the seeds' part and raise its degrees of freedom. Of all pairs that
    would do, it is the one with the fewest answers in all.

    Args:
        comparison: The comparison so far.
        effect: The difference to be told from 0, above 0.
        arms: Number of arms compared; the level is divided by it.
        alpha: The level before that.
        power: Probability of seeing the effect.

    Returns:
        Further examples (groups, where there are groups), further seeds or both, each at least 1
        where given; neither when no number up to ``MOST_EXAMPLES`` times the examples and
        ``MOST_SEEDS`` would do.
    """
    return _find_cheapest(comparison, [_End(effect, upward=False)], alpha / arms, power)


def estimate_needs_to_settle(
    comparison: Comparison, min_effect: float, *, alpha: float = ALPHA, power: float = POWER
) -> More:
    """What would end "cannot tell", as a range.

    A verdict has two ends: a difference is shown, or a gain that matters is ruled out. For a true
    difference the quicker one counts; the range is over the true differences between the quartiles
    of what the study leaves likely.

    Args:
        comparison: The comparison so far.
        min_effect: Smallest difference that matters.
        alpha: The level at which both ends are judged, the number of arms being counted in.
        power: Probability of reaching the end.
    """
    low, high = _compute_quartiles(comparison)
    hardest = min(max(low, min_effect / 2), high)  # as far from both ends as the quartiles allow
    trues = (comparison.difference, low, hardest, high)
    plans = [
        _find_cheapest(comparison, _list_ends(true, min_effect), alpha, power) for true in trues
    ]
    known = [plan for plan in plans if plan.examples is not None or plan.seeds is not None]
    if plans[0] not in known:
        return plans[0]
    examples = [plan.examples or 0 for plan in known]
    seeds = [plan.seeds or 0 for plan in known]
    return More(
        min(examples) or None,
        min(seeds) or None,
        max(examples) or None,
        max(seeds) or None,
        open_end=len(known) < len(plans),
        unit=plans[0].unit,
    )


@dataclass(frozen=True)
class _End:
    """One way to settle: a gap that half an interval must fit in, on its upper or lower side."""

    gap: float
    upward: bool


def _list_ends(true: float, min_effect: float) -> list[_End]:
    ends = [_End(abs(true), upward=true < 0)] if true else []
    return [*ends, _End(min_effect - true, upward=True)] if true < min_effect else ends


def _find_cheapest(comparison: Comparison, ends: list[_End], alpha: float, power: float) -> More:
    units = comparison.n_groups
    unit = "group" if units < comparison.n_items else "example"
    best: tuple[float, More] | None = None
    for seeds in range(
        comparison.n_seeds, MOST_SEEDS + 1 if comparison.n_seeds > 1 else comparison.n_seeds + 1
    ):
        factor = _find_factor(comparison, ends, seeds / comparison.n_seeds, alpha, power)
        if factor is None:
            continue
        further = max(0, math.ceil(units * factor - 1e-9) - units)
        answers = (units + further) * seeds
        if best is None or answers < best[0]:
            best = answers, More(further or None, seeds - comparison.n_seeds or None, unit=unit)
    if best is None:
        return More(unit=unit)
    done = best[1].examples is None and best[1].seeds is None
    return More(examples=1, unit=unit) if done else best[1]


def _find_factor(
    comparison: Comparison, ends: list[_End], seeds: float, alpha: float, power: float
) -> float | None:
    """Least number of times the examples that reaches one of the ends; None where none does."""
    least = max(1.0, count_fewest_groups(alpha) / comparison.n_groups)

    def enough(factor: float) -> bool:
        return any(
            _compute_room(comparison, factor, seeds, alpha, power, upward=end.upward) <= end.gap
            for end in ends
        )

    return _find_least(enough, least)


def _compute_room(
    comparison: Comparison,
    examples: float,
    seeds: float,
    alpha: float,
    power: float,
    *,
    upward: bool,
) -> float:
    """Smallest gap that is passed with so many times the examples and the seeds."""
    chance = max(0.0, comparison.spread**2 - comparison.se_seeds**2)
    spread = (comparison.se_seeds**2 + chance / examples) / seeds
    df = (
        comparison.df
        if seeds == 1
        else comparison.df * (seeds * comparison.n_seeds - 1) / (comparison.n_seeds - 1)
    )
    normal = z(1 - alpha / 2)
    by_seeds = max(
        0.0, _compute_critical(df, alpha) ** 2 * spread - normal**2 * chance / examples / seeds
    )
    if comparison.spread == 0:
        by_seeds = 0.0
    changes = comparison.changes
    if changes is not None and changes.gains + changes.losses < FEW:
        half, items = _estimate_few(changes, examples, alpha, upward=upward)
    else:
        items = comparison.se_items / math.sqrt(examples)
        # As wide as observed where the examples decide: few groups have heavier tails than normal.
        if comparison.spread == 0 and comparison.se_items:
            observed = (
                (comparison.high - comparison.low)
                / 2
                / comparison.se_items
                / z(1 - comparison.alpha / 2)
            )
            normal *= max(1.0, observed)
        half = normal * items
    return math.sqrt(half**2 + by_seeds) + z(power) * math.hypot(
        items, comparison.se_seeds / math.sqrt(seeds)
    )


def _estimate_few(
    changes: Changes, times: float, alpha: float, *, upward: bool
) -> tuple[float, float]:
    """Half an interval and a standard error from so many times the changed groups."""
    gains, losses, groups = (n * times for n in (changes.gains, changes.losses, changes.groups))
    low, high = tango(gains, losses, groups, alpha)
    middle = (gains - losses) / groups
    share = (gains + losses) / groups
    error = math.sqrt(max(0.0, share - middle**2) / groups)
    half = high - middle if upward else middle - low
    return changes.scale * half, changes.scale * error


def _compute_quartiles(comparison: Comparison) -> tuple[float, float]:
    changes = comparison.changes
    if changes is not None and changes.gains + changes.losses < FEW:
        ends = tango(changes.gains, changes.losses, changes.groups, QUARTILE)
        return changes.scale * ends[0], changes.scale * ends[1]
    half = z(1 - QUARTILE / 2) * math.hypot(comparison.se_items, comparison.se_seeds)
    return comparison.difference - half, comparison.difference + half


@lru_cache
def _compute_critical(df: float, alpha: float) -> float:
    """Two-sided quantile of Student's t."""
    from scipy import special

    return float(special.stdtrit(df, 1 - alpha / 2)) if df else z(1 - alpha / 2)


def _find_least(enough: Callable[[float], bool], low: float) -> float | None:
    """Smallest factor from ``low`` on that is enough, to a relative 1e-8; None if too large."""
    high = MOST_EXAMPLES
    if enough(low):
        return low
    if not enough(high):
        return None
    for _ in range(32):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
