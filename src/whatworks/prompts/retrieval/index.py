"""The index: the closest texts of a pool, exactly, in an order that is always the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from whatworks.base.errors import InputError
from whatworks.prompts.retrieval.embedding import load_embedder as load_embedder
from whatworks.prompts.retrieval.ordering import CANDIDATES, MARGIN, choose_diverse
from whatworks.prompts.retrieval.query_map import QueryMap
from whatworks.prompts.retrieval.ranking import ByVector, ByWords, Fused, Ranking
from whatworks.prompts.retrieval.stores import ByStore

Search = Literal["vector", "lexical", "hybrid"]

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
        hits, top = self._find(query, count, allowed or (lambda _: True))
        if diversity == 0 or len(hits) < 2:
            return hits
        relevance = np.array([hit.score / top for hit in hits], np.float32)
        vectors = self._ranking.vectors([hit.position for hit in hits])
        return [hits[i] for i in choose_diverse(relevance, vectors, k, diversity)]

    def _find(
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


def get_index(
    texts: tuple[str, ...],
    search: Search,
    embedder: str,
    store: str = "",
    query_map: QueryMap | None = None,
) -> Index:
    """The index over ``texts``, built once per process and kept while recently used.

    Args:
        texts: The pool; positions refer to it.
        search: ``vector`` (cosine), ``lexical`` (BM25) or ``hybrid`` (reciprocal rank fusion of
            both).
        embedder: Name of the embedder behind ``vector`` and ``hybrid``.
        store: A vector database (``stores.open_store``) instead of exact search in memory.
        query_map: Moves the vectors of queries; passages found by their words are not concerned.

    Raises:
        InputError: If the embedder, the store or the search is not available here.
    """
    with _building:
        if search == "lexical":
            return _build_index(texts, search, "", "", None)
        return _build_index(texts, search, embedder, store, query_map)


@lru_cache(maxsize=2)
def _embed_pool(texts: tuple[str, ...], embedder: str) -> ByVector:
    """The pool's vectors, shared by the maps of requests that are tried on it."""
    return ByVector(texts, load_embedder(embedder))


@lru_cache(maxsize=8)
def _build_index(
    texts: tuple[str, ...],
    search: Search,
    embedder: str,
    store: str,
    query_map: QueryMap | None,
) -> Index:
    if search == "lexical":
        return Index(ByWords(texts))
    by_vector: Ranking
    if store:
        by_vector = ByStore(texts, load_embedder(embedder), store, query_map)
    else:
        by_vector = _embed_pool(texts, embedder).moved_by(query_map)
    return Index(by_vector if search == "vector" else Fused(by_vector, ByWords(texts)))
