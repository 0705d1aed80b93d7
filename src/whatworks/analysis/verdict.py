"""Verdicts per arm, and the choice on dev. Pure.

The choice is made from dev scores before test is opened; test only says what the choice is worth.
Nothing here picks the best test score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from whatworks.analysis.comparison import ALPHA, Comparison, Joint
from whatworks.analysis.correction import correct_apart
from whatworks.analysis.cost import Cost, rate_value
from whatworks.analysis.further_rows import (
    NOTHING_MORE,
    More,
    compute_detectable_effect,
    count_fewest_groups,
    estimate_needs_to_settle,
)
from whatworks.base.phrasing import format_points

Label = Literal[
    "baseline",
    "works",
    "content only",
    "does not work",
    "cannot tell",
    "behind on dev",
    "failed",
]
MIN_EFFECT = 0.02
"""Smallest difference of scores that matters, by default."""


@dataclass(frozen=True)
class Verdict:
    """What the test says about one arm.

    Attributes:
        label: The verdict.
        reason: Why, in a sentence without a full stop.
        p_adjusted: p-value after the correction for the number of arms compared and of looks.
        needs: Under ``cannot tell``: what would settle it, if the true difference is about the
            observed one.
        detectable: Smallest true difference that this test would have shown four times in five;
            None where it could not have shown any.
        matters: Under ``works``: whether the gain is shown to be more than the smallest that
            matters; if not, it is above 0 and the rest is open.
        unbeaten: The constant answer in words, where the arm beats the baseline and is not told
            from saying that alone; else "".
    """

    label: Label
    reason: str
    p_adjusted: float | None = None
    needs: More = NOTHING_MORE
    detectable: float | None = None
    matters: bool = False
    unbeaten: str = ""

    @property
    def more_examples(self) -> int | None:
        """How many more test examples, or groups, at least; None: none, or no number would do."""
        return self.needs.examples

    @property
    def more_seeds(self) -> int | None:
        """How many more seeds."""
        return self.needs.seeds

    @property
    def more(self) -> str:
        """What would settle it: "about 300 to 1,500 more examples"; "" where nothing is open."""
        return self.needs.words if self.label == "cannot tell" else ""


def judge(
    comparisons: Mapping[str, Comparison | None],
    *,
    min_effect: float = MIN_EFFECT,
    failures: Mapping[str, str] | None = None,
) -> dict[str, Verdict]:
    """A verdict for every arm that was compared with the baseline.

    All is corrected for the number of arms: by ``Comparison.joint``, or by Holm's and Bonferroni's
    where the comparisons were made one by one. ``works``: significantly better; whether by more
    than ``min_effect`` is said. ``does not work``: significantly worse, or the interval's upper end
    lies below the smallest effect that matters, whatever its sign. ``cannot tell``: neither.
    ``failed``: the arm has no comparison (None).

    Args:
        comparisons: Arm to its comparison with the baseline.
        min_effect: Smallest difference that matters.
        failures: What to say of arms of which a seed failed; it stands first in their reason.
    """
    compared = correct_apart(
        {n: comparison for n, comparison in comparisons.items() if comparison is not None}
    )
    verdicts: dict[str, Verdict] = {}
    for name in comparisons:
        if name not in compared:
            verdicts[name] = Verdict("failed", "no test answers to compare")
            continue
        verdict = _judge_one(*compared[name], min_effect)
        if lost := (failures or {}).get(name):
            verdict = replace(verdict, reason=f"{lost}; {verdict.reason}")
        verdicts[name] = verdict
    return verdicts


def _judge_one(comparison: Comparison, joint: Joint, min_effect: float) -> Verdict:
    comparison = replace(comparison, joint=joint)
    detectable: float | None = compute_detectable_effect(comparison)
    detectable = detectable if detectable <= 1 else None
    significant = joint.p < ALPHA
    effect = f"the {format_points(min_effect).lstrip('+')} points that matter"
    if significant and comparison.difference < 0:
        return Verdict(
            "does not work",
            "significantly worse than the baseline",
            joint.p,
            NOTHING_MORE,
            detectable,
        )
    if joint.high < min_effect:
        small = f"any gain is below {effect}"
        return Verdict("does not work", small, joint.p, NOTHING_MORE, detectable)
    if significant:
        matters = joint.low > min_effect
        reason = (
            f"better than the baseline by more than {effect}"
            if matters
            else f"above 0; whether by {effect} is open"
        )
        return Verdict("works", reason, joint.p, NOTHING_MORE, detectable, matters)
    more = estimate_needs_to_settle(comparison, min_effect, alpha=joint.later)
    if comparison.n_groups < count_fewest_groups(joint.level):
        unit = "group" if comparison.n_groups < comparison.n_items else "example"
        ones = f"{comparison.n_groups} {unit}{'s' * (comparison.n_groups > 1)}"
        reason = f"{ones} cannot show any difference, not even the largest"
    elif more.examples is None and more.seeds is None:
        reason = "its seeds differ too much: more seeds are needed, not only more examples"
    elif comparison.p < ALPHA and joint.arms > 1:
        reason = f"it would be significant alone, but not as one of {joint.arms} arms"
    elif comparison.p < ALPHA:
        reason = "it falls just short of the level that leaves room for looking again"
    elif more.seeds is not None:
        reason = f"its {comparison.n_seeds} seeds say too little of their spread"
    elif comparison.difference == 0 and comparison.low == -comparison.high:
        reason = "no difference seen, but the test is too small to rule one out"
    else:
        reason = "the interval holds both no gain and one that matters"
    return Verdict("cannot tell", reason, joint.p, more, detectable)


def show_decided(comparison: Comparison, *, min_effect: float = MIN_EFFECT) -> Comparison:
    """The comparison with the interval that its verdict rests on.

    It is the arm's own, except where the correction for the number of arms takes the decision away:
    then the interval is the corrected one, so that both say the same.
    """
    joint = comparison.joint
    if joint is None:
        return comparison
    taken = comparison.p < ALPHA <= joint.p or comparison.high < min_effect <= joint.high
    if not taken:
        return comparison
    return replace(comparison, low=joint.low, high=joint.high, alpha=joint.level)


# -- the choice, on dev -------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """What the choice may look at: nothing from test.

    Attributes:
        name: The arm.
        dev_score: Mean score on dev, of the kind that counts; None when the arm failed.
        tokens: Mean prompt and completion tokens of a request.
        trained: Whether the arm trains.
        dev_content: Mean lenient score on dev.
        cost: What it costs, in the same unit for all arms; None where that is not known.
    """

    name: str
    dev_score: float | None
    tokens: float = 0.0
    trained: bool = False
    dev_content: float = 0.0
    cost: Cost | None = None


def choose(
    options: Sequence[Option], *, min_effect: float = MIN_EFFECT, requests: int | None = None
) -> str | None:
    """The arm to recommend: best on dev, and the cheapest of those that tie with it.

    Arms within ``min_effect`` of the best dev score tie. With ``requests``, how many a month there
    will be, the one of them with the most score per price is taken (``cost.rate_value``), if all
    prices are in one unit. Without,
    cheaper is fewer whole tokens a request, then no training; between arms as cheap the dev score
    decides, then the order given.
    Measured times are left out so that the same seed always makes the same choice. Where no arm is
    right on dev, content alone decides; where there is none either, being cheap is no merit, and
    the first stays. None when every arm failed.
    """
    scored = [(o, o.dev_score) for o in options if o.dev_score is not None]
    if not scored:
        return None
    best = max(score for _, score in scored)
    if best == 0:
        scored = [(o, o.dev_content) for o, _ in scored]
        best = max(score for _, score in scored)
    if best == 0:
        return scored[0][0].name
    # The margin keeps a tie of exactly min_effect from hanging on rounding.
    tied = [one for one in scored if one[1] > best - min_effect + 1e-9 or one[1] == best]
    units = {one.cost.unit if one.cost is not None else None for one, _ in tied}
    if requests and len(units) == 1 and None not in units:
        return max(tied, key=lambda one: _rate(*one, requests))[0].name
    return min(tied, key=lambda one: (round(one[0].tokens), one[0].trained, -one[1]))[0].name


def _rate(option: Option, score: float, requests: int) -> float:
    return rate_value(score, option.cost, requests) if option.cost else 0.0
