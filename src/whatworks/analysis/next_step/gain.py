"""What an arm is expected to bring on dev, from what was measured there. Pure.

Of ``n`` rows of dev, the arm reaches those that are wrong and that it gives something to. Rows
like them were given it before: the share ``m`` of what they lacked came then. Of rows that are
right, it may break some: a share ``b`` of rows like them was wrong under such a change. So

    gain = (sum of what the reached rows lack * m * r - sum of what the rows at risk have * b) / n

where ``r`` is the share of rows that still are right when what is given does not stand alone (1
where that does not matter). Each share is a rate with Jeffreys's prior (Jeffreys 1946; Brown, Cai
and DasGupta 2001, section 4), whose trials are the groups of the rows that measured it. The
interval is that of the prediction, not of the rate: each group of reached rows comes right, or
does not, as a whole, by a draw from the rate (beta-binomial; Gelman et al. 2013, section 5.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whatworks.analysis.comparison import Estimate

DRAWS = 4000


@dataclass(frozen=True)
class Share:
    """One row: its group, and a share in [0, 1]: of what it lacks, has, or what came of it."""

    group: str
    value: float


@dataclass(frozen=True)
class Measured:
    """What is known of an arm before it runs.

    Attributes:
        reached: Rows that it gives something to, with what each lacks (1 less its score).
        mended: Rows like them that were given it, with the share of the lack that came.
        read: Rows that have it among other things, with 1 where they are right; none where that
            does not matter.
        at_risk: Rows that may be lost, with the score of each.
        broken: Rows like them under such a change, with the share of the score that was lost.
    """

    reached: Sequence[Share]
    mended: Sequence[Share]
    read: Sequence[Share] = ()
    at_risk: Sequence[Share] = ()
    broken: Sequence[Share] = ()


def predict_gain(known: Measured, n: int) -> Estimate:
    """What an arm is expected to bring on dev: the mean and a 95% interval for what comes.

    Args:
        known: What was measured.
        n: Rows of dev.

    Raises:
        ValueError: If nothing was measured of what mends.
    """
    if not known.mended or n < 1:
        raise ValueError("nothing was measured")
    rng = np.random.default_rng(0)
    gain = _draw_sums(known.reached, _draw_rate(known.mended, rng) * _draw_read(known, rng), rng)
    if known.at_risk and known.broken:
        gain = gain - _draw_sums(known.at_risk, _draw_rate(known.broken, rng), rng)
    low, high = np.quantile(gain, [0.025, 0.975]) / n
    return Estimate(float(gain.mean()) / n, float(low), float(high))


def _draw_read(known: Measured, rng: np.random.Generator) -> np.ndarray:
    return _draw_rate(known.read, rng) if known.read else np.ones(DRAWS)


def _draw_rate(rows: Sequence[Share], rng: np.random.Generator) -> np.ndarray:
    """Draws of a rate from the posterior under Jeffreys's prior, a group being one trial."""
    trials = len({row.group for row in rows})
    came = trials * sum(row.value for row in rows) / len(rows)
    return rng.beta(0.5 + came, 0.5 + trials - came, DRAWS)


def _draw_sums(rows: Sequence[Share], rates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws of what comes of some rows, a group as a whole."""
    by_group: dict[str, float] = {}
    for row in rows:
        by_group[row.group] = by_group.get(row.group, 0.0) + row.value
    if not by_group:
        return np.zeros(DRAWS)
    sizes = np.array(list(by_group.values()))
    came = rng.random((DRAWS, len(sizes))) < rates[:, None]
    return came @ sizes
