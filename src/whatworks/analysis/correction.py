"""Comparisons that were made one by one, corrected for their number. Pure.

Those of one study are made together and corrected by what they share (``compare_all``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whatworks.analysis.comparison import ALPHA, Comparison, Joint
from whatworks.analysis.paired_tests import z


def correct_apart(compared: Mapping[str, Comparison]) -> dict[str, tuple[Comparison, Joint]]:
    """Each comparison with its joint worth: its own, or for those made one by one Holm's p-value
    and an interval widened to Bonferroni's level.
    """
    ps = dict(
        zip(compared, adjust_holm([comparison.p for comparison in compared.values()]), strict=True)
    )
    return {
        n: (comparison, comparison.joint or _widen_joint(comparison, ps[n], len(ps)))
        for n, comparison in compared.items()
    }


def _widen_joint(comparison: Comparison, p: float, arms: int) -> Joint:
    level = ALPHA / arms
    factor = max(1.0, z(1 - level / 2) / z(1 - comparison.alpha / 2))
    low = comparison.difference - factor * (comparison.difference - comparison.low)
    high = comparison.difference + factor * (comparison.high - comparison.difference)
    return Joint(p, max(-1.0, low), min(1.0, high), level, level, arms)


def adjust_holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given."""
    adjusted = [1.0] * len(ps)
    running = 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        running = max(running, min(1.0, (len(ps) - rank) * ps[i]))
        adjusted[i] = running
    return adjusted
