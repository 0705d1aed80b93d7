"""Rankings of a pool: by vectors, by BM25, and both fused. Best first, ties by position."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whatworks.base.errors import InputError
from whatworks.prompts.retrieval.embedding import Embedder, load_embedder
from whatworks.prompts.retrieval.ordering import DEPTH, Ranked, fuse, rank_scores, take_highest
from whatworks.prompts.retrieval.query_map import QueryMap, embed_queries
from whatworks.prompts.retrieval.vectors import Vectors
from whatworks.prompts.retrieval.words import list_forms

WARMED = 2000
"""Most queries whose ranking is kept."""

BLOCK = 1 << 24
"""Cosines computed at a time for many queries: 64 MB."""

CACHED = 1 << 24
"""Bytes of vectors that a processor's cache may hold: up to there BLAS is the faster reader."""

ROUNDING = 1e-4
"""More than two ways of summing up one cosine can differ by in float32."""


class Ranking(Protocol):
    """Ranks the texts of one pool for any query."""

    def rank(self, query: str, limit: int) -> Ranked:
        """The ``limit`` best texts that have anything to do with the query, best first.

        More may come along; fewer mean that there are no others.
        """
        ...

    def warm(self, queries: Sequence[str], limit: int) -> None:
        """Prepare for single queries with this limit, many at a time."""
        ...

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Unit vectors of some texts of the pool, to tell how alike they are."""
        ...


class ByVector:
    """Exact search by cosine similarity. Score: the cosine."""

    def __init__(self, texts: Sequence[str], by: Embedder) -> None:
        different = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        self._embedder = by.over(texts)
        self._query_map: QueryMap | None = None
        # One row per different text: equal texts then score equally to the last bit.
        self._matrix = self._embedder.embed(list(different))
        self._row = np.array([different[text] for text in texts], np.int64)
        self._plain = len(different) == len(texts)
        self._warm: dict[str, tuple[int, Ranked]] = {}

    def moved_by(self, query_map: QueryMap | None) -> ByVector:
        """The same pool for queries that a map moves."""
        other = copy(self)
        other._query_map, other._warm = query_map, {}
        return other

    def rank(self, query: str, limit: int) -> Ranked:
        """The nearest of the whole pool."""
        known = self._warm.get(query)
        if known is not None and limit <= known[0]:
            return known[1]
        vector = embed_queries(self._embedder, [query], self._query_map)[0]
        if self._separable(limit) and self._matrix.nbytes <= CACHED:
            return self._rank(self._matrix @ vector, vector, limit)
        cosines = self._cosines(slice(None), vector)
        return take_highest(cosines if self._plain else cosines[self._row], limit)

    def warm(self, queries: Sequence[str], limit: int) -> None:
        """Rank many queries with one product, several times faster than one by one.

        The product finds who comes into question; ranks and scores are then computed as for a
        single query, so that they are the same bits.
        """
        different = list(dict.fromkeys(queries))
        vectors = embed_queries(self._embedder, different, self._query_map)
        size = len(self._matrix)
        if not self._separable(limit):
            return
        for query in list(self._warm)[: max(0, len(self._warm) + len(different) - WARMED)]:
            del self._warm[query]
        step = max(1, BLOCK // size)
        for start in range(0, len(different), step):
            block = vectors[start : start + step]
            for i, rough in enumerate(block @ self._matrix.T):
                ranked = self._rank(rough, block[i], limit)
                self._warm[different[start + i]] = (limit, ranked)

    def _separable(self, limit: int) -> bool:
        """Whether few enough are wanted for one matrix product to find them."""
        return self._plain and limit * 4 < len(self._matrix)

    def _rank(self, rough: NDArray[np.float32], query: Vectors, limit: int) -> Ranked:
        """The ranking that cosines give whose last bits do not count."""
        least = np.partition(rough, len(rough) - limit)[len(rough) - limit] - ROUNDING
        near = np.flatnonzero(rough >= least)
        exact = rank_scores(self._cosines(near, query))
        count = int(np.count_nonzero(exact.scores >= exact.scores[limit - 1]))
        return Ranked(near[exact.positions[:count]], exact.scores[:count])

    def _cosines(self, rows: slice | NDArray[np.int64], query: Vectors) -> NDArray[np.float32]:
        """Cosines of some rows; a row's bits do not depend on the others."""
        # Not ``matrix @ vector``: from memory, einsum reads rows twice as fast as BLAS.
        cosines: NDArray[np.float32] = np.einsum("ij,j->i", self._matrix[rows], query)
        return cosines

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Rows of the index."""
        return self._matrix[self._row[list(positions)]]


class ByWords:
    """BM25 (Robertson et al. 1994; Lucene's variant, k1 = 1.5, b = 0.75) on ``bm25s``.

    Words with a hyphen count with and without it (``list_forms``).
    Score: BM25. Texts that share no word with the query are not ranked.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        try:
            import bm25s
        except ImportError as error:
            raise InputError(
                "lexical and hybrid search need bm25s, which is not installed",
                remedy="pip install 'whatworks[rag]', or use `search: vector`",
            ) from error
        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it turns itself to DEBUG
        self._texts = texts
        self._vocabulary: dict[str, int] = {}
        name = self._vocabulary.setdefault
        tokens = [
            [name(word, len(self._vocabulary)) for word in list_forms(text)] for text in texts
        ]
        self._bm25 = None
        if self._vocabulary:
            self._bm25 = bm25s.BM25(backend="numpy")
            self._bm25.index((tokens, dict(self._vocabulary)), show_progress=False)

    def rank(self, query: str, limit: int) -> Ranked:
        """The best of the texts that share a word with the query."""
        known = [self._vocabulary[word] for word in list_forms(query) if word in self._vocabulary]
        if self._bm25 is None or not known:
            return Ranked(np.zeros(0, np.int64), np.zeros(0, np.float32))
        scores: NDArray[np.float32] = self._bm25.get_scores_from_ids(known)
        ranked = take_highest(scores, limit, top=float(scores.max()))
        sharing = int(np.count_nonzero(ranked.scores > 0))
        return Ranked(ranked.positions[:sharing], ranked.scores[:sharing], ranked.top)

    def weights(self) -> tuple[dict[str, int], Mapping[str, NDArray[Any]]]:
        """Each word's column, and what every text weighs by it: a sparse matrix by columns, as
        ``data``, ``indices`` and ``indptr``."""
        scores: Mapping[str, Any] = {} if self._bm25 is None else self._bm25.scores
        names = [name for name in ("data", "indices", "indptr") if name in scores]
        return dict(self._vocabulary), {name: np.asarray(scores[name]) for name in names}

    def warm(self, queries: Sequence[str], limit: int) -> None:
        """Nothing to prepare."""

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Hashed vectors, since BM25 has none of its own."""
        return load_embedder("lexical").embed([self._texts[i] for i in positions])


class Fused:
    """Reciprocal rank fusion of several rankings. Score: the sum of ``1 / (60 + rank)``."""

    def __init__(self, *rankings: Ranking) -> None:
        self._rankings = rankings

    def rank(self, query: str, limit: int) -> Ranked:
        """Texts among the best ``DEPTH`` (or ``limit``, if more) of any of the rankings."""
        return fuse([ranking.rank(query, max(limit, DEPTH)) for ranking in self._rankings])

    def warm(self, queries: Sequence[str], limit: int) -> None:
        """Prepare every ranking."""
        for ranking in self._rankings:
            ranking.warm(queries, max(limit, DEPTH))

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Those of the first ranking."""
        return self._rankings[0].vectors(positions)
