"""The vector of a word without a model: hashed from the word and its character n-grams.

An exported arm carries this file as it stands, so it needs numpy alone.
"""

from __future__ import annotations

import math
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 1024
_NGRAMS = (3, 4)
_WHOLE = 4  # hashes of the word itself
_SPELLED = 64  # letters of a word that are read


@lru_cache(maxsize=100_000)
def make_word_vector(word: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Places and signed weights of a word; places may repeat, their weights add up."""
    spelled = f"<{word[:_SPELLED]}>"
    grams = [spelled[i : i + n] for n in _NGRAMS for i in range(len(spelled) - n + 1)]
    features = [*grams, *(f"{i}\0{word}" for i in range(_WHOLE))]
    hashes = np.array([zlib.crc32(f.encode("utf-8", "surrogatepass")) for f in features], np.int64)
    weights = np.full(len(features), _WHOLE**-0.5, np.float32)
    weights[: len(grams)] = max(len(grams), 1) ** -0.5
    signs = np.where(hashes & 1, 1, -1).astype(np.float32)
    return ((hashes >> 1) % DIMENSIONS).astype(np.int32), signs * weights


def weigh_count(count: int) -> float:
    """What a word weighs that stands so often in a text."""
    return 1 + math.log(count)


def weigh_rarity(holding: int, size: int) -> float:
    """What a word weighs that so many of a pool's texts hold (its idf)."""
    return math.log(1 + (size - holding + 0.5) / (holding + 0.5))
