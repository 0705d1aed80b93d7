"""Vector databases behind one seam: embedded (``lancedb:FOLDER``), or a server (``qdrant:URL``,
``pgvector:URL``).

A database holds vectors under the content of their texts, so an index over changed documents adds
only what changed, and several indexes can share one database. What it holds beyond a pool is passed
over when the pool is searched. Where nothing is named, search is exact and in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from whatworks.base.errors import InputError
from whatworks.prompts.retrieval.embedding import Embedder
from whatworks.prompts.retrieval.ordering import Ranked, rank_scores
from whatworks.prompts.retrieval.query_map import QueryMap, embed_queries
from whatworks.prompts.retrieval.vectors import Vectors

BATCH = 2000
"""Texts embedded and added at a time: what a kill can cost."""

CONCERNED = 4
"""How many times the wanted number of neighbours is asked for at first."""


class VectorStore(Protocol):
    """Where vectors lie under keys."""

    def list_known(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that are there."""
        ...

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Add vectors, all of them or none."""
        ...

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """Keys with their cosines, best first; fewer than ``limit`` when there are no more."""
        ...


def open_store(name: str, *, collection: str, dimensions: int) -> VectorStore:
    """The database of that name.

    Args:
        name: ``lancedb:FOLDER``, ``qdrant:http://host:6333``, ``qdrant:FOLDER``,
            ``qdrant::memory:`` for trying out (gone with the process), or
            ``pgvector:postgresql://user@host/database``.
        collection: Vectors of one embedder.
        dimensions: Length of a vector.

    Raises:
        InputError: If the kind is unknown, its package is not installed, or it cannot be reached.
    """
    kind, _, place = name.partition(":")
    if kind not in ("lancedb", "qdrant", "pgvector") or not place:
        raise InputError(
            f"there is no vector store {name!r}",
            remedy="write lancedb:FOLDER, qdrant:http://HOST:6333 or "
            "pgvector:postgresql://USER@HOST/DATABASE, or leave it out",
        )
    try:
        if kind == "lancedb":
            from whatworks.prompts.retrieval.lance import LanceStore

            return LanceStore(place, collection, dimensions)
        if kind == "pgvector":
            from whatworks.prompts.retrieval.pgvector import PostgresStore

            return PostgresStore(place, collection, dimensions)
        from whatworks.prompts.retrieval.qdrant import QdrantStore

        return QdrantStore(place, collection, dimensions)
    except ImportError as error:
        raise InputError(
            f"the vector store {kind} is not installed ({error.name})",
            remedy=f"pip install 'whatworks[{kind}]'",
        ) from error


class ByStore:
    """Search in a database by cosine similarity, exact or not as the database has it."""

    def __init__(
        self, texts: Sequence[str], by: Embedder, name: str, query_map: QueryMap | None = None
    ) -> None:
        self._texts = texts
        self._embedder, self._query_map = by, query_map
        self._positions: dict[str, list[int]] = {}
        for i, text in enumerate(texts):
            self._positions.setdefault(self._key(text), []).append(i)
        self._store = open_store(
            name,
            collection=f"whatworks_{hashlib.sha256(by.fingerprint.encode()).hexdigest()[:12]}",
            dimensions=by.dimensions,
        )
        self._fill()

    def _fill(self) -> None:
        """Embed and add the texts that the database lacks."""
        keys = list(self._positions)
        there = self._store.list_known(keys)
        new = [key for key in keys if key not in there]
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            texts = [self._texts[self._positions[key][0]] for key in batch]
            self._store.add(batch, self._embedder.embed(texts))

    def rank(self, query: str, limit: int) -> Ranked:
        """The nearest texts of the pool; asks for more while others of the database intervene."""
        vector = embed_queries(self._embedder, [query], self._query_map)[0]
        depth = CONCERNED * limit
        while True:
            near = self._store.nearest(vector, depth)
            mine = [(i, score) for key, score in near for i in self._positions.get(key, ())]
            if len(mine) >= limit or len(near) < depth:
                positions = np.array([i for i, _ in mine], np.int64)
                order = rank_scores(np.array([score for _, score in mine], np.float32))
                return Ranked(positions[order.positions], order.scores)
            depth *= 8

    def warm(self, queries: Sequence[str], limit: int) -> None:
        """Embed the queries together."""
        self._embedder.embed(queries)  # a map of them takes no time

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """Embedded anew, or remembered."""
        return self._embedder.embed([self._texts[i] for i in positions])

    def _key(self, text: str) -> str:
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
