"""What a look at the results may err, when they are looked at again with more rows or seeds. Pure.

Each look spends nine tenths of what is left of the 5%: 4.5%, 0.45%, 0.045%, ... The sum stays
below 5% however many looks there are and whatever they have in common (alpha spending, Lan and
DeMets 1983, Biometrika 70:659, with Bonferroni's inequality for their dependence). The first look
keeps nearly all of its power; a later one is for clear answers.
"""

from __future__ import annotations

from whatworks.analysis.paired_tests import ALPHA

SHARE = 0.9
"""Part of what is left that a look spends."""


def spend(look: int, alpha: float = ALPHA) -> float:
    """What the look may err.

    Args:
        look: Its number, from 1.
        alpha: What all looks together may err.

    Raises:
        ValueError: If ``look`` is below 1.
    """
    if look < 1:
        raise ValueError("looks are counted from 1")
    return alpha * SHARE * (1 - SHARE) ** (look - 1)
