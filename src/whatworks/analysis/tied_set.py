"""The tied set: the best arm and all that cannot be told from it. Pure.

Multiple comparisons with the best (Hsu 1981, Annals of Statistics 9:1026), here by the joint
intervals of ``compare_all``: each holds what an arm is behind the best, all of them together with
95%. The best is picked by the scores that are compared. That costs nothing: the truly best arm is
left out only when some arm is told above it, which two-sided intervals let happen in half of 5%.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from whatworks.analysis.comparison import Comparison, Joint, compare_all
from whatworks.analysis.score_table import Scores
from whatworks.base.phrasing import format_interval, format_points, join_names


@dataclass(frozen=True)
class TiedSet:
    """What could be the best.

    Attributes:
        best: The arm with the highest mean score.
        behind: Every other arm less the best one, with its joint interval, the nearest first.
    """

    best: str
    behind: Mapping[str, Comparison]

    @property
    def members(self) -> tuple[str, ...]:
        """The best, and the arms whose joint interval holds no difference."""
        tied = [name for name, one in self.behind.items() if take_joint(one).high >= 0]
        return (self.best, *tied)

    @property
    def words(self) -> str:
        """Which arms could be the best, and how far the nearest of the others is behind."""
        others = [name for name in self.behind if name not in self.members]
        if len(self.members) == 1:
            text = f"{self.best} is best, and is told from all others" if others else self.best
        else:
            text = f"{join_names(self.members)} cannot be told apart as the best"
        if not others:
            return text
        joint = take_joint(self.behind[others[0]])
        gap = f"{format_points(self.behind[others[0]].difference)}"
        return f"{text}; {others[0]} is behind, {gap} {format_interval(joint.low, joint.high)}"


def find_tied(
    arms: Mapping[str, Scores],
    groups: Mapping[str, str] | None = None,
    *,
    failed: Collection[str] = (),
    look: int = 1,
) -> TiedSet | None:
    """The arms that cannot be told from the one with the highest mean score.

    Args:
        arms: Name to scores; those without any are left out.
        groups: Example id to group.
        failed: Arms of which a seed failed, as for ``compare_all``.
        look: How often results were looked at.

    Returns:
        The set; None where no arm has a score.

    Raises:
        ValueError: If an arm shares no example with the best one.
    """
    means = {name: sum(own.values()) / len(own) for name, own in arms.items() if own}
    if not means:
        return None
    best = max(means, key=lambda name: means[name])
    others = {name: arms[name] for name in sorted(means, key=lambda n: -means[n]) if name != best}
    behind = compare_all(
        others, arms[best], groups, failed=[n for n in failed if n in others], look=look
    )
    return TiedSet(best, behind)


def take_joint(comparison: Comparison) -> Joint:
    """A comparison's p-value and interval, corrected for the others.

    Raises:
        ValueError: If it stands alone.
    """
    if comparison.joint is None:
        raise ValueError("a comparison that stands alone has no joint interval")
    return comparison.joint
