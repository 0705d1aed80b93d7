"""From scores to an order: best first, ties by position; fused, and spread out.

An exported arm carries this file as it stands, so it needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RRF = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009, section 2)."""

DEPTH = 1000
"""How far into each ranking a fusion looks at least: what comes later adds under a thousandth."""

CANDIDATES = 4
"""Maximal marginal relevance chooses among this many times ``k`` texts."""

MARGIN = 16
"""How many texts more than wanted are ranked at first, since some may not be allowed."""


class Ranked(NamedTuple):
    """Positions in the pool, best first, with their scores.

    ``top`` is the score that stands beside a cosine of 1 when relevance is weighed against
    likeness: 1 for cosines, the best score of this query for BM25, that of a text ranked first by
    all for fused ranks.
    """

    positions: NDArray[np.int64]
    scores: NDArray[np.float32]
    top: float = 1.0


def fuse(ranked: Sequence[Ranked]) -> Ranked:
    """Reciprocal rank fusion: the score of a text is the sum of ``1 / (60 + rank)``."""
    positions, places = np.unique(
        np.concatenate([r.positions for r in ranked]), return_inverse=True
    )
    ranks = np.concatenate([np.arange(1, len(r.positions) + 1) for r in ranked])
    scores = np.bincount(places, 1 / (RRF + ranks), len(positions)).astype(np.float32)
    order = rank_scores(scores)
    return Ranked(positions[order.positions], order.scores, len(ranked) / (RRF + 1))


def take_highest(scores: NDArray[np.float32], limit: int, *, top: float = 1.0) -> Ranked:
    """The ``limit`` highest scores, best first, and whatever equals the last of them."""
    if limit * 4 >= len(scores):
        return rank_scores(scores, top=top)
    least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    return rank_scores(scores, np.flatnonzero(scores >= least), top=top)


def rank_scores(
    scores: NDArray[np.float32], positions: NDArray[np.int64] | None = None, *, top: float = 1.0
) -> Ranked:
    """Positions (all of them, or those given) by falling score, equal scores by position.

    One sort of integers made of score and position: many times faster than a stable argsort.
    """
    if positions is None:
        positions = np.arange(len(scores))
    # Falling score as a rising integer: the bits of a negative float rise as its value falls.
    bits = (0.0 - scores[positions]).astype(np.float32).view(np.int32)
    rising = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int64)
    order = np.sort((rising << 32) | positions) & 0xFFFFFFFF
    return Ranked(order, scores[order], top)


def choose_diverse(
    relevance: NDArray[np.float32], vectors: NDArray[np.float32], k: int, diversity: float
) -> list[int]:
    """Maximal marginal relevance: positions of ``k`` candidates in the order of choice.

    Each step takes the candidate with the highest ``(1 - diversity) * relevance - diversity *
    (highest cosine to those already taken)``, the earlier one when equal (Carbonell and Goldstein
    1998, section 2).
    """
    available = np.ones(len(relevance), bool)
    nearest = np.zeros(len(relevance), np.float32)
    chosen: list[int] = []
    while len(chosen) < min(k, len(relevance)):
        value = (1 - diversity) * relevance - diversity * nearest
        best = int(np.argmax(np.where(available, value, -np.inf)))
        cosines = vectors @ vectors[best]
        nearest = cosines if not chosen else np.maximum(nearest, cosines)
        chosen.append(best)
        available[best] = False
    return chosen
