"""Form apart from content: of the answers whose content is right, how many are usable. Pure.

Content is the lenient score: is the right thing in the answer. Form is the strict score given the
lenient one: the sum of the strict scores over the sum of the lenient ones, a ratio of two means
over the same examples. Its difference between two arms is linearised (the delta method for ratios,
Cochran 1977, Sampling Techniques, section 6.4; Deng et al. 2018, KDD, section 3): example i counts
as (strict_i - r lenient_i) / mean(lenient), with r from both arms together, as under no difference,
and the mean of these over examples is the ratio less r. So the paired test of ``comparison``, with
its groups and seeds, is that of the form as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from whatworks.analysis.comparison import (
    Comparison,
    Estimate,
    Pair,
    compare_pairs,
    mean_interval,
)
from whatworks.analysis.paired_tests import tango
from whatworks.analysis.score_table import (
    Scores,
    fill_table,
    group_keys,
    items_of,
    number_groups,
    seeds_of,
)
from whatworks.analysis.seed_spread import measure_spread


@dataclass(frozen=True)
class Marks:
    """Both scores of an arm's answers, by seed and example; the keys are the same."""

    strict: Scores
    lenient: Scores

    @property
    def apart(self) -> bool:
        """Whether any answer has another lenient score than strict one."""
        return any(self.lenient[key] != value for key, value in self.strict.items())


@dataclass(frozen=True)
class Usable:
    """How many of the answers with the right content can be used as they stand.

    Attributes:
        share: With its 95% interval.
        usable: Answers, the sum of their strict scores.
        right: Answers with the right content, the sum of their lenient scores.
    """

    share: Estimate
    usable: float
    right: float


def usable_of(marks: Marks, groups: Mapping[str, str] | None = None) -> Usable | None:
    """The share of usable answers among those with the right content; None where there are none.

    Answers of several seeds to one example are of one group.
    """
    named = groups or {}
    right = {key: value for key, value in marks.lenient.items() if value > 0}
    if not right:
        return None
    shares = {(0, f"{seed} {item}"): min(1.0, marks.strict[seed, item] / value)
              for (seed, item), value in right.items()}  # fmt: skip
    together = {f"{seed} {item}": named.get(item, item) for seed, item in right}
    usable = sum(marks.strict[key] for key in right)
    return Usable(mean_interval(shares, together), usable, sum(right.values()))


def pair_forms(arm: Marks, baseline: Marks, groups: Mapping[str, str] | None = None) -> Pair | None:
    """Two arms' shares of usable answers among those with the right content, to be compared.

    Over the examples that every seed of both answered and that any answer is right in; None where
    one of the arms has no answer with the right content.

    Args:
        arm: The arm's scores.
        baseline: Those of the baseline.
        groups: Example id to group.
    """
    seeds, others = seeds_of(arm.strict), seeds_of(baseline.strict)
    items = [
        item
        for item in items_of(arm.strict, seeds)
        if all((s, item) in baseline.strict for s in others)
        and (
            any(arm.lenient[s, item] > 0 for s in seeds)
            or any(baseline.lenient[s, item] > 0 for s in others)
        )
    ]
    if not items:
        return None
    strict = [fill_table(arm.strict, seeds, items), fill_table(baseline.strict, others, items)]
    lenient = [fill_table(arm.lenient, seeds, items), fill_table(baseline.lenient, others, items)]
    if not all(one.any() for one in lenient):
        return None
    both = sum(one.mean() for one in strict) / sum(one.mean() for one in lenient)
    first, second = ((s - both * one) / one.mean() for s, one in zip(strict, lenient, strict=True))
    keys = group_keys(items, groups)
    labels = number_groups(keys)
    tables = [first - second] if seeds == others else [first, second]
    return Pair(
        first.mean(axis=0) - second.mean(axis=0),
        keys,
        labels,
        measure_spread(tables, labels),
        max(len(seeds), len(others)),
        binary=False,
    )


def compare_form(
    arm: Marks, baseline: Marks, groups: Mapping[str, str] | None = None
) -> Comparison | None:
    """The difference of the two shares by itself; None where one of the arms has none."""
    return compare_forms({"": arm}, baseline, groups).get("")


def compare_forms(
    arms: Mapping[str, Marks],
    baseline: Marks,
    groups: Mapping[str, str] | None = None,
    *,
    failed: Collection[str] = (),
    look: int = 1,
) -> dict[str, Comparison]:
    """The forms of several arms against the baseline's, as ``compare_all`` does it for scores.

    Arms without an answer with the right content are left out.
    """
    pairs = {name: pair_forms(own, baseline, groups) for name, own in arms.items()}
    there = {name: pair for name, pair in pairs.items() if pair is not None}
    compared = compare_pairs(there, failed=[n for n in failed if n in there], look=look)
    return {
        name: _with_few(one, _fewest(arms[name], baseline, groups))
        for name, one in compared.items()
    }


def _fewest(arm: Marks, baseline: Marks, groups: Mapping[str, str] | None) -> int:
    """Groups with the right content, of the arm with fewer of them."""
    named = groups or {}
    return min(
        len({named.get(item, item) for (_, item), value in one.lenient.items() if value > 0})
        for one in (arm, baseline)
    )


def _with_few(found: Comparison, groups: int) -> Comparison:
    """Where all or none are usable nothing varies: the interval is that of the fewer answers."""
    if found.changes is None or found.changes.gains + found.changes.losses:
        return found
    low, high = tango(0, 0, groups, found.alpha)
    joint = found.joint
    if joint is not None:
        ends = tango(0, 0, groups, joint.level)
        joint = replace(joint, low=ends[0], high=ends[1])
    return replace(found, low=low, high=high, joint=joint)
