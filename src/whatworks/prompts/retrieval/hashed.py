"""Vectors without a model: hashed words and character n-grams, weighted by TF-IDF.

A text is the sum of its words' vectors, each times ``(1 + log tf) * idf``. A word's vector is
hashed with signs (Weinberger et al. 2009, "Feature hashing") from the word itself and from the
character n-grams of ``<word>`` (Bojanowski et al. 2017, section 3.2), so that inflections and
misspellings stay close. Words with a hyphen count with and without it (``list_forms``), so that one
that a line's end divides is close to its whole form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from whatworks.prompts.retrieval.vectors import Vectors
from whatworks.prompts.retrieval.word_vectors import (
    DIMENSIONS,
    make_word_vector,
    weigh_count,
    weigh_rarity,
)
from whatworks.prompts.retrieval.words import list_forms

_BLOCK = 2048  # texts at a time, which bounds the memory for their words


class HashedWords:
    """TF-IDF over hashed words; without a pool, every word weighs the same."""

    dimensions = DIMENSIONS

    def __init__(self, frequencies: Mapping[str, int] | None = None, pool_size: int = 0) -> None:
        self._frequencies = frequencies
        self._pool_size = pool_size

    def over(self, pool: Sequence[str]) -> HashedWords:
        """The same vectors with words weighted by their rarity in ``pool``."""
        return HashedWords(count_holding(pool), len(pool))

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Positions and vectors, block by block."""
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            yield list(range(start, start + len(block))), self._vectors(block)

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        from scipy.sparse import csr_array

        columns: dict[str, int] = {}
        weights: list[float] = []
        indices: list[int] = []
        ends = [0]
        for text in texts:
            for word, count in Counter(list_forms(text)).items():
                indices.append(columns.setdefault(word, len(columns)))
                weights.append(weigh_count(count) * self._idf(word))
            ends.append(len(indices))
        counts = csr_array(
            (np.array(weights, np.float32), indices, ends), shape=(len(texts), len(columns))
        )
        hashed = [make_word_vector(word) for word in columns]
        spelled = csr_array(
            (
                np.concatenate([np.zeros(0, np.float32), *(signs for _, signs in hashed)]),
                np.concatenate([np.zeros(0, np.int32), *(places for places, _ in hashed)]),
                np.cumsum([0, *(len(places) for places, _ in hashed)]),
            ),
            shape=(len(columns), DIMENSIONS),
        )
        sums: Vectors = counts @ spelled.toarray()
        lengths: Vectors = np.sqrt((sums * sums).sum(axis=1, keepdims=True))
        return np.divide(sums, lengths, out=sums, where=lengths > 0)

    def _idf(self, word: str) -> float:
        if self._frequencies is None:
            return 1.0
        return weigh_rarity(self._frequencies.get(word, 0), self._pool_size)


def count_holding(pool: Sequence[str]) -> Counter[str]:
    """How many texts of a pool hold each word."""
    return Counter(word for text in pool for word in set(list_forms(text)))
