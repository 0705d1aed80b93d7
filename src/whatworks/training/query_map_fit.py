"""Fitting a map of requests' vectors to the passages that answer them. Pure numpy, in the process.

The loss is the multiple negatives ranking loss (Henderson et al. 2017, section 4; the contrastive
loss of Karpukhin et al. 2020, DPR, section 3.2), each passage that answers some request standing
against every other: with scores
``s = q' . p / TEMPERATURE``, ``-log sum_positives exp(s) + log sum_all exp(s)``, mean over the
requests, and ``q' = q + up down q``. ``up`` begins at zero, so that the untouched retriever is the
start (Hu et al. 2022, LoRA, section 4.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whatworks.prompts.retrieval.vectors import Vectors

TEMPERATURE = 0.05
"""As sentence-transformers scales cosines (by 20)."""

BATCH = 8
"""Requests a step; every passage that is given stands against each, whatever the batch."""
_BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class FittedMap:
    """A map after an epoch.

    Attributes:
        down: [rank, dimensions].
        up: [dimensions, rank].
        losses: Of every step so far.
    """

    down: Vectors
    up: Vectors
    losses: tuple[float, ...]


@dataclass(frozen=True)
class MapSettings:
    """How a map is fitted.

    Attributes:
        rank: Of the map.
        epochs: Passes over the requests.
        learning_rate: Of Adam.
        seed: Of the start and the order.
    """

    rank: int
    epochs: int
    learning_rate: float
    seed: int


def fit_query_map(
    queries: Vectors,
    passages: Vectors,
    positives: Sequence[Sequence[int]],
    settings: MapSettings,
) -> Iterator[FittedMap]:
    """The map after each epoch.

    Args:
        queries: Unit vectors of the requests, [n, dimensions].
        passages: Unit vectors of passages, [m, dimensions]: those that answer some request. One
            that answers none would be learned as never right, and new requests would miss it.
        positives: For each request, positions of the passages that answer it, one at least.
        settings: How it is fitted.
    """
    rng = np.random.default_rng(settings.seed)
    size = queries.shape[1]
    down = (rng.standard_normal((settings.rank, size)) / np.sqrt(size)).astype(np.float32)
    up = np.zeros((size, settings.rank), np.float32)
    adam = (_Adam(down, settings.learning_rate), _Adam(up, settings.learning_rate))
    losses: list[float] = []
    for _ in range(settings.epochs):
        order = rng.permutation(len(queries))
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            loss, gradient = _differentiate(
                queries[some], passages, [positives[i] for i in some], down, up
            )
            losses.append(loss)
            for one, towards in zip(adam, gradient, strict=True):
                one.step(towards)
        yield FittedMap(down.copy(), up.copy(), tuple(losses))


def _differentiate(
    queries: Vectors,
    passages: Vectors,
    positives: Sequence[Sequence[int]],
    down: Vectors,
    up: Vectors,
) -> tuple[float, tuple[Vectors, Vectors]]:
    """The loss of a batch, and its gradient by ``down`` and ``up``."""
    inner = queries @ down.T
    scores: Vectors = ((queries + inner @ up.T) @ passages.T / TEMPERATURE).astype(np.float32)
    right = np.full_like(scores, -np.inf)
    for row, own in enumerate(positives):
        right[row, list(own)] = scores[row, list(own)]
    every, mine = _sum_exponentials(scores), _sum_exponentials(right)
    towards = (np.exp(scores - every) - np.exp(right - mine)) / (TEMPERATURE * len(queries))
    moved: Vectors = (towards @ passages).astype(np.float32)  # by the mapped queries
    loss = float((every - mine).mean())
    by_down: Vectors = ((moved @ up).T @ queries).astype(np.float32)
    by_up: Vectors = (moved.T @ inner).astype(np.float32)
    return loss, (by_down, by_up)


def _sum_exponentials(scores: Vectors) -> Vectors:
    """Log of the sum of exponentials of each row, [n, 1]."""
    top = scores.max(axis=1, keepdims=True)
    total: Vectors = top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
    return total


class _Adam:
    """Adam on one matrix, in place (Kingma and Ba 2015, algorithm 1)."""

    def __init__(self, values: Vectors, rate: float) -> None:
        self._values, self._rate, self._steps = values, rate, 0
        self._mean: NDArray[np.float32] = np.zeros_like(values)
        self._square: NDArray[np.float32] = np.zeros_like(values)

    def step(self, gradient: Vectors) -> None:
        """Move against the gradient."""
        self._steps += 1
        first, second = _BETAS
        self._mean += (1 - first) * (gradient - self._mean)
        self._square += (1 - second) * (gradient * gradient - self._square)
        mean = self._mean / (1 - first**self._steps)
        square = self._square / (1 - second**self._steps)
        self._values -= self._rate * mean / (np.sqrt(square) + 1e-8)
