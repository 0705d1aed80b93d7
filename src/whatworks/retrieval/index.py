"""The index: the closest texts of a pool, exactly, in an order that is always the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import InputError
from whatworks.retrieval.embedding import Vectors
from whatworks.retrieval.embedding import embedder as load_embedder
from whatworks.retrieval.ranking import ByVector, ByWords, Fused, Ranking

Search = Literal["vector", "lexical", "hybrid"]

CANDIDATES = 4
"""Maximal marginal relevance chooses among this many times ``k`` texts."""

_building = threading.RLock()


@dataclass(frozen=True)
class Hit:
    """A text of the pool: where it stands, and how well it fits (higher is better).

    The score is a cosine (vector), BM25 (lexical) or a sum of reciprocal ranks (hybrid).
    """

    position: int
    score: float


class Index:
    """A pool of texts to search in."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking

    def search(
        self,
        query: str,
        k: int,
        *,
        allowed: Callable[[int], bool] | None = None,
        diversity: float = 0.0,
    ) -> list[Hit]:
        """The ``k`` best texts, best first; fewer when the pool has fewer.

        Lexical search finds only texts that share a word with the query.

        Args:
            query: Any text.
            k: How many.
            allowed: Says which positions may be returned. Called best first and only until
                enough are found.
            diversity: 0 takes the best. Up to 1, ``4 k`` candidates are found and chosen from by
                maximal marginal relevance (Carbonell and Goldstein 1998) with lambda = 1 -
                diversity; hits then come in the order of choice.

        Raises:
            InputError: If ``diversity`` is not in [0, 1].
        """
        if not 0 <= diversity <= 1:
            raise InputError(f"diversity is {diversity}", remedy="give a number from 0 to 1")
        if k < 1:
            return []
        positions, scores, top = self._ranking.rank(query)
        wanted = k if diversity == 0 else CANDIDATES * k
        fitting = (i for i, p in enumerate(positions) if allowed is None or allowed(int(p)))
        hits = [Hit(int(positions[i]), float(scores[i])) for i in islice(fitting, wanted)]
        if diversity == 0 or len(hits) < 2:
            return hits
        relevance = np.array([hit.score / top for hit in hits], np.float32)
        vectors = self._ranking.vectors([hit.position for hit in hits])
        return [hits[i] for i in spread(relevance, vectors, k, diversity)]

    def warm(self, queries: Sequence[str]) -> None:
        """Embed many queries together; later searches for them need no embedding."""
        self._ranking.warm(queries)


def index_of(texts: tuple[str, ...], search: Search, embedder: str) -> Index:
    """The index over ``texts``, built once per process and kept while recently used.

    Args:
        texts: The pool; positions refer to it.
        search: ``vector`` (cosine), ``lexical`` (BM25) or ``hybrid`` (reciprocal rank fusion of
            both).
        embedder: Name of the embedder behind ``vector`` and ``hybrid``.

    Raises:
        InputError: If the embedder or the search is not available here.
    """
    with _building:
        return _index(texts, search, "" if search == "lexical" else embedder)


@lru_cache(maxsize=8)
def _index(texts: tuple[str, ...], search: Search, embedder: str) -> Index:
    if search == "lexical":
        return Index(ByWords(texts))
    by_vector = ByVector(texts, load_embedder(embedder))
    return Index(by_vector if search == "vector" else Fused(by_vector, ByWords(texts)))


def spread(relevance: NDArray[np.float32], vectors: Vectors, k: int, diversity: float) -> list[int]:
    """Maximal marginal relevance: positions of ``k`` candidates in the order of choice.

    Each step takes the candidate with the highest ``(1 - diversity) * relevance - diversity *
    (highest cosine to those already taken)``, the earlier one when equal (Carbonell and Goldstein
    1998, section 2).
    """
    left = np.ones(len(relevance), bool)
    nearest = np.zeros(len(relevance), np.float32)
    chosen: list[int] = []
    while len(chosen) < min(k, len(relevance)):
        value = (1 - diversity) * relevance - diversity * nearest
        best = int(np.argmax(np.where(left, value, -np.inf)))
        cosines = vectors @ vectors[best]
        nearest = cosines if not chosen else np.maximum(nearest, cosines)
        chosen.append(best)
        left[best] = False
    return chosen
