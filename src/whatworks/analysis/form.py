"""Form apart from content: of the answers whose content is right, how many are usable. Pure.

Content is the lenient score: is the right thing in the answer. Form is the strict score given the
lenient one. An arm's own share is over all its answers with the right content. Two arms are
compared on the examples whose content both have right, so that neither is held to harder ones: the
paired tests of ``comparison`` apply as they stand, with groups and seeds. A difference of two
shares, each over its own examples, would be seen more often; but where one of them has few usable
answers, its linearised test errs in up to three of ten studies instead of one of twenty.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from whatworks.analysis.comparison import (
    Comparison,
    Estimate,
    compare_pairs,
    estimate_mean,
    pair_scores,
)
from whatworks.analysis.score_table import Scores, list_items, list_seeds


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


def measure_usable(marks: Marks, groups: Mapping[str, str] | None = None) -> Usable | None:
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
    return Usable(estimate_mean(shares, together), usable, sum(right.values()))


def find_common_shares(arm: Marks, baseline: Marks) -> tuple[Scores, Scores]:
    """What is usable of the answers to the examples whose content both have right.

    Right in every seed of both, so that each share is of the same examples; the strict score over
    the lenient one.

    Returns:
        Scores of the arm and of the baseline; both empty where they have no such example.
    """
    seeds, others = list_seeds(arm.strict), list_seeds(baseline.strict)
    items = {
        item
        for item in list_items(arm.strict, seeds)
        if all(arm.lenient[s, item] > 0 for s in seeds)
        and all(baseline.lenient.get((s, item), 0.0) > 0 for s in others)
    }

    def shares(marks: Marks) -> Scores:
        return {
            key: min(1.0, value / marks.lenient[key])
            for key, value in marks.strict.items()
            if key[1] in items
        }

    return shares(arm), shares(baseline)


def compare_forms(
    arms: Mapping[str, Marks],
    baseline: Marks,
    groups: Mapping[str, str] | None = None,
    *,
    failed: Collection[str] = (),
    first: str = "",
    look: int = 1,
) -> dict[str, Comparison]:
    """The forms of several arms against the baseline's, as ``compare_all`` does it for scores.

    Arms that share no example with the right content with the baseline are left out.
    """
    shares = {name: find_common_shares(own, baseline) for name, own in arms.items()}
    pairs = {n: pair_scores(one, base, groups) for n, (one, base) in shares.items() if one}
    lost = [name for name in failed if name in pairs]
    return compare_pairs(pairs, failed=lost, first=first, look=look)
