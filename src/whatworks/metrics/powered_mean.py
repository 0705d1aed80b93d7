"""The share of good answers, from many verdicts of a judge and a few of people, with an interval.

Prediction-powered inference (Angelopoulos et al. 2023, Science 382:669) with the weight of its
second version (Angelopoulos, Duchi and Zrnic 2023, "PPI++", section 6): the judge's verdicts count
for as much as they say of people's, and what people say of the labelled answers takes the judge's
bias out. It holds however bad the judge is, if the labelled answers are like those of test. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

ALPHA = 0.05
"""The interval misses the truth in at most this share of studies."""


class PoweredMean(NamedTuple):
    """A mean with its 95% interval, within [0, 1]."""

    value: float
    low: float
    high: float


def estimate_powered_mean(
    verdicts: Sequence[float], human: Sequence[float], judged: Sequence[float]
) -> PoweredMean:
    """What people would say of the answers on average.

    The interval is Student's, with two made-up answers on either side of each mean, so that it has
    a width where a few labelled answers are all judged right (Agresti and Coull 1998 add as many).

    Args:
        verdicts: The judge's, of the answers of test (N).
        human: People's, of the labelled answers (n).
        judged: The judge's, of the same (n).

    Raises:
        ValueError: If there are fewer than two of either.
    """
    import numpy as np
    from scipy.stats import t

    test, people, judge = (np.asarray(one, dtype=float) for one in (verdicts, human, judged))
    if min(len(test), len(people)) < 2:
        raise ValueError("an interval takes two answers of test and two labelled ones")
    spread = float(np.concatenate([test, judge]).var(ddof=1))
    shared = float(np.cov(people, judge, ddof=1)[0, 1])
    weight = shared / (spread * (1 + len(people) / len(test))) if spread > 0 else 0.0
    weight = min(1.0, max(0.0, weight))
    rest = people - weight * judge
    value = weight * float(test.mean()) + float(rest.mean())
    variance = weight**2 * _vary(test, 0.5) + _vary(rest, 1.0)
    wide = float(t.ppf(1 - ALPHA / 2, len(people) - 1)) * variance**0.5
    value = min(1.0, max(0.0, value))
    return PoweredMean(value, max(0.0, value - wide), min(1.0, value + wide))


def _vary(values: object, apart: float) -> float:
    """Variance of a mean, two values that far from it added."""
    import numpy as np

    own = np.asarray(values, dtype=float)
    mean = float(own.mean())
    return float(np.append(own, [mean - apart, mean + apart]).var(ddof=1)) / (len(own) + 2)
