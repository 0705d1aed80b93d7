"""Dev scores made surer by train rows, for arms that were not fitted to them. Pure.

Dev is small, and an arm that trains nothing has seen no target of a train row beyond its own
prompt's demonstrations, from which the row itself, its group and its near-duplicates are left out.
So it can be asked train rows too. An arm that was trained on them cannot; it keeps dev, moved by
what the others show of dev's luck: how much easier or harder dev was for them than all rows, times
how closely the arm follows them on dev (a regression estimator, Cochran 1977, section 7.1; the
slope is kept between 0 and 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean

Means = Mapping[str, float]
"""Row to the mean score over seeds."""


def widen_scores(dev: Mapping[str, Means], train: Mapping[str, Means]) -> dict[str, float]:
    """The mean score of each arm as it would be on dev and train rows together.

    Args:
        dev: Arm to its scores on dev; rows that not all arms have are left out of the comparison
            with the others.
        train: The same on train rows, of the arms that were asked them; they were asked the same.

    Returns:
        Arm to score, in [0, 1]; on dev alone where no arm was asked further rows.
    """
    wide = [arm for arm in train if train[arm] and arm in dev]
    scores = {arm: fmean(own.values()) for arm, own in dev.items()}
    if not wide:
        return scores
    rows = set[str].intersection(*(set(dev[arm]) for arm in dev))
    extra = set[str].intersection(*(set(train[arm]) for arm in wide))
    others = {row: fmean(dev[arm][row] for arm in wide) for row in rows}
    every = [*others.values(), *(fmean(train[arm][row] for arm in wide) for row in extra)]
    luck = fmean(every) - fmean(others.values()) if rows else 0.0
    for arm, own in dev.items():
        if arm in wide:
            scores[arm] = fmean([*own.values(), *train[arm].values()])
        else:
            slope = _find_slope({row: own[row] for row in rows}, others)
            scores[arm] = min(1.0, max(0.0, scores[arm] + slope * luck))
    return scores


def _find_slope(own: Means, others: Means) -> float:
    """How much an arm's score moves with the others' from row to row, from 0 to 1."""
    middle, theirs = fmean(own.values()), fmean(others.values())
    spread = sum((value - theirs) ** 2 for value in others.values())
    if not spread:
        return 0.0
    shared = sum((own[row] - middle) * (value - theirs) for row, value in others.items())
    return min(1.0, max(0.0, shared / spread))
