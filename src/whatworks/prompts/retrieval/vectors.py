"""Texts as unit vectors: what an embedder must offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

CACHE_VARIABLE = "WHATWORKS_EMBEDDINGS"
"""Environment variable: the folder where vectors are kept, or ``off``."""

Vectors = NDArray[np.float32]
"""Rows of unit length (or zero, for a text without tokens)."""


class Model(Protocol):
    """What computes vectors; the embedder around it remembers them."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Positions in ``texts`` with their vectors, batch by batch, in any order.

        A vector depends on its text alone, to the last bit: not on its batch, so that a study
        that was interrupted and goes on retrieves what it would have retrieved.
        """
        ...

    def over(self, pool: Sequence[str]) -> Model:
        """The model as used over a pool: itself, unless it weighs words by the pool."""
        ...
