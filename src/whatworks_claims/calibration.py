"""Does the model know what it knows: probability of an answer against its being right. Pure.

The probability is that of the whole answer, ``exp(Generation.logprob)``, where the engine gives it.
Expected calibration error (Naeini et al. 2015) over bins of equal size, which do not leave most
bins empty when answers are sure; bootstrap over answers for its interval, less the bias that
binning noise alone adds (Brocker 2012; Kumar et al. 2019, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from whatworks.analysis.comparison import Estimate

BINS = 10
DRAWS = 1000
LEAST = 20
"""Answers from which a calibration is computed at all."""


@dataclass(frozen=True)
class Bin:
    """Answers of similar probability."""

    probability: float
    right: float
    answers: int


@dataclass(frozen=True)
class Calibration:
    """How far probabilities are from what they promise.

    Attributes:
        error: Expected calibration error with its interval, in [0, 1].
        raw: The same without correction for bias.
        bins: From the least to the most probable.
        ranking: Share of pairs of a right and a wrong answer in which the right one is the more
            probable (AUROC); 0.5 for no knowledge, None where all are right or all wrong.
    """

    error: Estimate
    raw: float
    bins: tuple[Bin, ...]
    ranking: float | None


def measure_calibration(
    probabilities: Sequence[float],
    right: Sequence[float],
    groups: Sequence[str] = (),
    *,
    bins: int = BINS,
    seed: int = 0,
) -> Calibration | None:
    """Calibration of answers; None for fewer than ``LEAST``.

    Args:
        probabilities: Of each answer, in [0, 1].
        right: 1 for a right answer, 0 for a wrong one.
        groups: Source of each answer, e.g. its question where several seeds answered it; drawn
            whole. Every answer is its own by default.
        bins: How many, fewer where there are few answers.
        seed: Of the bootstrap.
    """
    import numpy as np

    if len(probabilities) < LEAST:
        return None
    p, y = np.asarray(probabilities, float), np.asarray(right, float)
    count = min(bins, len(p) // 5)
    order = np.argsort(p, kind="stable")
    p, y = p[order], y[order]
    named = np.asarray(groups or range(len(p)))[order]
    members = [np.flatnonzero(named == name) for name in dict.fromkeys(named.tolist())]
    parts = np.array_split(np.arange(len(p)), count)
    rng = np.random.default_rng(seed)
    raw = _measure_error(p, y, count)
    # What a perfectly calibrated model of the same probabilities would show by chance, its answers
    # of one source as alike as they can be: seeds mostly answer a question alike.
    source = np.empty(len(p), int)
    for number, one in enumerate(members):
        source[one] = number
    levels = (rng.random(len(members))[source] for _ in range(200))
    chance = float(np.mean([_measure_error(p, level < p, count) for level in levels]))
    drawn: list[float] = []
    for _ in range(DRAWS):
        whole = rng.integers(0, len(members), len(members))
        pick = np.sort(np.concatenate([members[i] for i in whole]))
        drawn.append(_measure_error(p[pick], y[pick], count))
    # Resampling doubles the noise within bins: the draws lie above the error by about its excess.
    excess = float(np.mean(drawn)) - raw
    low, high = (float(np.quantile(drawn, share)) - excess for share in (0.025, 0.975))
    value = max(0.0, raw - chance)
    error = Estimate(value, min(value, max(0.0, low - chance)), max(value, min(1.0, high)))
    return Calibration(
        error,
        raw,
        tuple(Bin(float(p[i].mean()), float(y[i].mean()), len(i)) for i in parts),
        _measure_ranking(p, y),
    )


def _measure_error(p: Any, y: Any, count: int) -> float:
    import numpy as np

    return float(
        sum(
            abs(float(one.mean()) - float(other.mean())) * len(one)
            for one, other in zip(
                np.array_split(p, count), np.array_split(y.astype(float), count), strict=True
            )
        )
        / len(p)
    )


def _measure_ranking(p: Any, y: Any) -> float | None:
    import numpy as np

    good, bad = p[y == 1], p[y == 0]
    if not len(good) or not len(bad):
        return None
    above = (good[:, None] > bad[None, :]).mean() + 0.5 * (good[:, None] == bad[None, :]).mean()
    return float(np.round(above, 12))
