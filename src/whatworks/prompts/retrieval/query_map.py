"""A learned map of the vectors of requests; those of the passages stay as they are.

The encoder is frozen and so are the vectors of the pool: what is kept on disk or in a vector store
serves with and without the map.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from whatworks.base.file_ref import Named
from whatworks.base.frozen import Frozen
from whatworks.prompts.retrieval.embedding import Embedder
from whatworks.prompts.retrieval.mapping import map_vector
from whatworks.prompts.retrieval.vectors import Vectors


class QueryMap(Frozen):
    """``q`` becomes ``q + up down q``, scaled to length one.

    Attributes:
        embedder: Whose vectors it maps.
        rank: Of the map.
        down: [rank, dimensions], float32 little-endian as base64.
        up: [dimensions, rank], the same.
    """

    embedder: Named
    rank: int
    down: str
    up: str

    @classmethod
    def pack(cls, embedder: Named, down: Vectors, up: Vectors) -> QueryMap:
        """The map of two matrices, [rank, dimensions] and [dimensions, rank]."""
        return cls(embedder=embedder, rank=len(down), down=pack_floats(down), up=pack_floats(up))

    @cached_property
    def matrices(self) -> tuple[Vectors, Vectors]:
        """``down`` and ``up`` as arrays."""
        down, up = (unpack_floats(text) for text in (self.down, self.up))
        return down.reshape(self.rank, -1), up.reshape(-1, self.rank)

    def __hash__(self) -> int:
        return hash(self.key)


def embed_queries(by: Embedder, texts: Sequence[str], query_map: QueryMap | None) -> Vectors:
    """Unit vectors of requests, [texts, dimensions], mapped where there is a map."""
    vectors = by.embed(texts)
    if query_map is None or not len(vectors):
        return vectors
    down, up = query_map.matrices
    return np.stack([map_vector(vector, down, up) for vector in vectors])


def pack_floats(values: Vectors) -> str:
    """An array as base64 of its float32 values, little-endian, row by row."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")


def unpack_floats(text: str) -> Vectors:
    """What ``pack_floats`` wrote, flat."""
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)
