"""Which of the two best: the choice against its runner-up, sameness, and the tied set. Pure.

The verdicts compare with the baseline; what to take is a question between the best. Two arms are
the same within a margin when two one-sided tests say so (TOST: Schuirmann 1987, Journal of
Pharmacokinetics and Biopharmaceutics 15:657), which is when the 90% interval lies inside it. The
tied set holds every arm that cannot be told from the best one, all comparisons together (multiple
comparisons with the best, Hsu 1981; here by the joint intervals of ``compare_all``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from whatworks.analysis.comparison import Comparison, compare, compare_all
from whatworks.analysis.further_rows import NOTHING_MORE, More, estimate_needs_to_settle
from whatworks.analysis.paired_tests import ALPHA
from whatworks.analysis.score_table import Scores
from whatworks.base.phrasing import format_interval, format_points

Answer = Literal["better", "worse", "same", "cannot tell"]


@dataclass(frozen=True)
class Duel:
    """One arm against another, neither being a baseline.

    Attributes:
        first: The arm that was chosen.
        second: The other.
        answer: What the first is: ``better`` or ``worse`` than the second, the ``same`` within the
            margin, or not to be told.
        difference: First less second.
        margin: What differences do not matter.
        needs: What would settle it, where it cannot be told.
    """

    first: str
    second: str
    answer: Answer
    difference: Comparison
    margin: float
    needs: More = NOTHING_MORE

    @property
    def words(self) -> str:
        """The answer in a sentence, without the price."""
        comparison = self.difference
        between = format_interval(comparison.low, comparison.high)
        gain = f"{format_points(comparison.difference)} {between}"
        match self.answer:
            case "better":
                return f"{self.first} is better than {self.second}: {gain} points."
            case "worse":
                return f"{self.second} is better than {self.first}: {gain} points."
            case "same":
                within = format_points(self.margin).lstrip("+")
                return (
                    f"{self.first} and {self.second} are the same within {within} points ({gain})."
                )
            case "cannot tell":
                need = f"; {self.needs.words} would tell" if self.needs != NOTHING_MORE else ""
                return f"{self.first} or {self.second}: cannot tell ({gain}){need}."


def compare_two(
    first: tuple[str, Scores],
    second: tuple[str, Scores],
    groups: Mapping[str, str] | None = None,
    *,
    margin: float,
) -> Duel:
    """The choice against its runner-up, both fixed on dev: one comparison, not corrected.

    A difference that is told and lies within the margin is ``same``: it does not matter.

    Args:
        first: Name and scores of the arm that was chosen.
        second: Name and scores of the other.
        groups: Example id to group.
        margin: What differences do not matter, above 0.

    Raises:
        ValueError: If the two share no example.
    """
    comparison = compare(first[1], second[1], groups)
    narrow = compare(first[1], second[1], groups, alpha=2 * ALPHA)
    answer: Answer = "cannot tell"
    if -margin < narrow.low and narrow.high < margin:
        answer = "same"
    elif comparison.p < ALPHA:
        answer = "better" if comparison.difference > 0 else "worse"
    open_ = answer == "cannot tell"
    needs = estimate_needs_to_settle(comparison, margin) if open_ else NOTHING_MORE
    return Duel(first[0], second[0], answer, comparison, margin, needs)


def compare_runs(
    new: Scores, old: Scores, groups: Mapping[str, str] | None = None, *, alpha: float = ALPHA
) -> Comparison:
    """A new run of an arm against an old one, on the rows of the old; those it lacks are wrong.

    Args:
        new: Its scores.
        old: The old run's.
        groups: Example id to group.
        alpha: The interval covers 1 - alpha.

    Raises:
        ValueError: If the new run has none of the old run's rows.
    """
    items = {item for _, item in old}
    seeds = {seed for seed, _ in new}
    if items.isdisjoint(item for _, item in new):
        raise ValueError("the two runs share no example")
    whole = {(seed, item): new.get((seed, item), 0.0) for seed in seeds for item in items}
    return compare(whole, old, groups, alpha=alpha)


def is_no_worse(found: Comparison, margin: float) -> bool:
    """Whether a fall by ``margin`` or more is ruled out: the interval lies above it.

    With an interval at 90% (``alpha=0.1``) this is the one-sided test of non-inferiority at 5%.
    """
    return found.low > -margin


def find_tied(
    arms: Mapping[str, Scores],
    groups: Mapping[str, str] | None = None,
    *,
    failed: Collection[str] = (),
    look: int = 1,
) -> list[str]:
    """The arms that cannot be told from the one with the highest mean score, that one first.

    The best is picked by the scores that are compared, which favours it a little.

    Args:
        arms: Name to scores; those without any are left out.
        groups: Example id to group.
        failed: Arms of which a seed failed, as for ``compare_all``.
        look: How often results were looked at.
    """
    means = {name: sum(own.values()) / len(own) for name, own in arms.items() if own}
    if not means:
        return []
    best = max(means, key=lambda name: means[name])
    others = {name: arms[name] for name in means if name != best}
    comparisons = compare_all(
        others, arms[best], groups, failed=[n for n in failed if n in others], look=look
    )
    tied = [n for n, one in comparisons.items() if one.joint is not None and one.joint.p >= ALPHA]
    return [best, *sorted(tied, key=lambda name: -means[name])]
