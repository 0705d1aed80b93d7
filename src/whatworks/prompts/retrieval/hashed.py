"""Vectors without a model: hashed words and character n-grams, weighted by TF-IDF.

A text is the sum of its words' vectors, each times ``(1 + log tf) * idf``. A word's vector is
hashed with signs (Weinberger et al. 2009, "Feature hashing") from the word itself and from the
character n-grams of ``<word>`` (Bojanowski et al. 2017, section 3.2), so that inflections and
misspellings stay close.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from whatworks.prompts.retrieval.vectors import Vectors
from whatworks.prompts.retrieval.words import split_words

DIMENSIONS = 1024
_NGRAMS = (3, 4)
_WHOLE = 4  # hashes of the word itself
_SPELLED = 64  # letters of a word that are read
_BLOCK = 2048  # texts at a time, which bounds the memory for their words


class HashedWords:
    """TF-IDF over hashed words; without a pool, every word weighs the same."""

    dimensions = DIMENSIONS

    def __init__(self, frequencies: Mapping[str, int] | None = None, pool_size: int = 0) -> None:
        self._frequencies = frequencies
        self._pool_size = pool_size

    def over(self, pool: Sequence[str]) -> HashedWords:
        """The same vectors with words weighted by their rarity in ``pool``."""
        return HashedWords(Counter(w for text in pool for w in set(split_words(text))), len(pool))

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
            for word, count in Counter(split_words(text)).items():
                indices.append(columns.setdefault(word, len(columns)))
                weights.append((1 + math.log(count)) * self._idf(word))
            ends.append(len(indices))
        counts = csr_array(
            (np.array(weights, np.float32), indices, ends), shape=(len(texts), len(columns))
        )
        hashed = [_make_word_vector(word) for word in columns]
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
        holding = self._frequencies.get(word, 0)
        return math.log(1 + (self._pool_size - holding + 0.5) / (holding + 0.5))


@lru_cache(maxsize=100_000)
def _make_word_vector(word: str) -> tuple[NDArray[np.int32], Vectors]:
    """Places and signed weights of a word; places may repeat, their weights add up."""
    spelled = f"<{word[:_SPELLED]}>"
    grams = [spelled[i : i + n] for n in _NGRAMS for i in range(len(spelled) - n + 1)]
    features = [*grams, *(f"{i}\0{word}" for i in range(_WHOLE))]
    hashes = np.array([zlib.crc32(f.encode("utf-8", "surrogatepass")) for f in features], np.int64)
    weights = np.full(len(features), _WHOLE**-0.5, np.float32)
    weights[: len(grams)] = max(len(grams), 1) ** -0.5
    signs = np.where(hashes & 1, 1, -1).astype(np.float32)
    return ((hashes >> 1) % DIMENSIONS).astype(np.int32), signs * weights
