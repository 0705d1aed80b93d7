"""Rankings of a pool: by vectors, by BM25, and both fused. Best first, ties by position."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from whatworks.errors import InputError
from whatworks.retrieval.embedding import Embedder, Vectors, embedder
from whatworks.retrieval.words import words

RRF = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009, section 2)."""


class Ranked(NamedTuple):
    """Positions in the pool, best first, with their scores.

    ``top`` is the score that stands beside a cosine of 1 when relevance is weighed against
    likeness: 1 for cosines, the best score of this query for BM25, that of a text ranked first by
    all for fused ranks.
    """

    positions: NDArray[np.int64]
    scores: NDArray[np.float32]
    top: float = 1.0


class Ranking(Protocol):
    """Ranks the texts of one pool for any query."""

    def rank(self, query: str) -> Ranked:
        """The pool, or the part of it that has anything to do with the query, best first."""
        ...

    def warm(self, queries: Sequence[str]) -> None:
        """Prepare for single queries, many at a time."""
        ...

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Unit vectors of some texts of the pool, to tell how alike they are."""
        ...


class ByVector:
    """Exact search by cosine similarity. Score: the cosine."""

    def __init__(self, texts: Sequence[str], by: Embedder) -> None:
        different = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        self._embedder = by.over(texts)
        # One row per different text: equal texts then score equally to the last bit.
        self._matrix = self._embedder.embed(list(different))
        self._row = np.array([different[text] for text in texts], np.int64)

    def rank(self, query: str) -> Ranked:
        """The whole pool."""
        return best_first((self._matrix @ self._embedder.embed([query])[0])[self._row])

    def warm(self, queries: Sequence[str]) -> None:
        """Embed the queries together."""
        self._embedder.embed(queries)

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Rows of the index."""
        return self._matrix[self._row[list(positions)]]


class ByWords:
    """BM25 (Robertson et al. 1994; Lucene's variant, k1 = 1.5, b = 0.75) on ``bm25s``.

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
        tokens = [[name(word, len(self._vocabulary)) for word in words(text)] for text in texts]
        self._bm25 = None
        if self._vocabulary:
            self._bm25 = bm25s.BM25(backend="numpy")
            self._bm25.index((tokens, dict(self._vocabulary)), show_progress=False)

    def rank(self, query: str) -> Ranked:
        """The texts that share a word with the query."""
        known = [self._vocabulary[word] for word in words(query) if word in self._vocabulary]
        if self._bm25 is None or not known:
            return Ranked(np.zeros(0, np.int64), np.zeros(0, np.float32))
        scores: NDArray[np.float32] = self._bm25.get_scores_from_ids(known)
        return best_first(scores, np.flatnonzero(scores > 0), top=float(scores.max()))

    def warm(self, queries: Sequence[str]) -> None:
        """Nothing to prepare."""

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Hashed vectors, since BM25 has none of its own."""
        return embedder("lexical").embed([self._texts[i] for i in positions])


class Fused:
    """Reciprocal rank fusion of several rankings. Score: the sum of ``1 / (60 + rank)``."""

    def __init__(self, *rankings: Ranking) -> None:
        self._rankings = rankings

    def rank(self, query: str) -> Ranked:
        """Every text that any of the rankings ranks."""
        ranked = [ranking.rank(query) for ranking in self._rankings]
        size = 1 + max(int(r.positions.max(initial=-1)) for r in ranked)
        scores = np.zeros(size)
        for r in ranked:
            scores[r.positions] += 1 / (RRF + np.arange(1, len(r.positions) + 1))
        top = len(ranked) / (RRF + 1)
        return best_first(scores.astype(np.float32), np.flatnonzero(scores), top=top)

    def warm(self, queries: Sequence[str]) -> None:
        """Prepare every ranking."""
        for ranking in self._rankings:
            ranking.warm(queries)

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Those of the first ranking."""
        return self._rankings[0].vectors(positions)


def best_first(
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
