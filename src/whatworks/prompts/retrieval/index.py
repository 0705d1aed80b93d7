"""The index: the closest texts of a pool, exactly, in an order that is always the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from whatworks.base.errors import InputError
from whatworks.prompts.retrieval.embedding import load_embedder as load_embedder
from whatworks.prompts.retrieval.ranking import ByVector, ByWords, Fused, Ranking
from whatworks.prompts.retrieval.stores import ByStore
from whatworks.prompts.retrieval.vectors import Vectors

Search = Literal["vector", "lexical", "hybrid"]

CANDIDATES = 4
"""Maximal marginal relevance chooses among this many times ``k`` texts."""

MARGIN = 16
"""How many texts more than wanted are ranked at first, since some may not be allowed."""

WARM = 128
"""How many texts are ranked ahead for queries that are prepared together."""

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
        count = k if diversity == 0 else CANDIDATES * k
        hits, top = self._found(query, count, allowed or (lambda _: True))
        if diversity == 0 or len(hits) < 2:
            return hits
        relevance = np.array([hit.score / top for hit in hits], np.float32)
        vectors = self._ranking.vectors([hit.position for hit in hits])
        return [hits[i] for i in choose_diverse(relevance, vectors, k, diversity)]

    def _found(
        self, query: str, wanted: int, allowed: Callable[[int], bool]
    ) -> tuple[list[Hit], float]:
        """The best allowed texts; looks further down the ranking until there are enough."""
        verdicts: dict[int, bool] = {}
        limit = wanted + MARGIN
        while True:
            positions, scores, top = self._ranking.rank(query, limit)
            hits: list[Hit] = []
            for position, score in zip(positions.tolist(), scores.tolist(), strict=True):
                if position not in verdicts:
                    verdicts[position] = allowed(position)
                if verdicts[position]:
                    hits.append(Hit(position, score))
                if len(hits) == wanted:
                    return hits, top
            if len(positions) < limit:
                return hits, top
            limit *= 8

    def warm(self, queries: Sequence[str]) -> None:
        """Rank many queries together; later searches for them are quick."""
        self._ranking.warm(queries, WARM)


class Pool(tuple[str, ...]):
    """Texts to search in; their hash, by which indexes are kept, is computed once."""

    _hash: int | None = None

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = super().__hash__()
        return self._hash


def get_index(texts: tuple[str, ...], search: Search, embedder: str, store: str = "") -> Index:
    """The index over ``texts``, built once per process and kept while recently used.

    Args:
        texts: The pool; positions refer to it.
        search: ``vector`` (cosine), ``lexical`` (BM25) or ``hybrid`` (reciprocal rank fusion of
            both).
        embedder: Name of the embedder behind ``vector`` and ``hybrid``.
        store: A vector database (``stores.open_store``) instead of exact search in memory.

    Raises:
        InputError: If the embedder, the store or the search is not available here.
    """
    with _building:
        if search == "lexical":
            return _build_index(texts, search, "", "")
        return _build_index(texts, search, embedder, store)


@lru_cache(maxsize=8)
def _build_index(texts: tuple[str, ...], search: Search, embedder: str, store: str) -> Index:
    if search == "lexical":
        return Index(ByWords(texts))
    by_vector: Ranking
    if store:
        by_vector = ByStore(texts, load_embedder(embedder), store)
    else:
        by_vector = ByVector(texts, load_embedder(embedder))
    return Index(by_vector if search == "vector" else Fused(by_vector, ByWords(texts)))


def choose_diverse(
    relevance: NDArray[np.float32], vectors: Vectors, k: int, diversity: float
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
