"""LanceDB: an embedded database in a folder, on disk and larger than memory if need be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lancedb
import pyarrow as pa

from whatworks.base.errors import InputError
from whatworks.prompts.retrieval.vectors import Vectors

INDEXED = 100_000
"""Vectors from which an approximate index (HNSW, scalar-quantised) is built; exact below."""


class LanceStore:
    """A table of keys and vectors."""

    def __init__(self, folder: str, collection: str, dimensions: int) -> None:
        schema = pa.schema([("key", pa.string()), ("vector", pa.list_(pa.float32(), dimensions))])
        try:
            db: Any = lancedb.connect(folder)
            self._table: Any = db.create_table(collection, schema=schema, exist_ok=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(
                f"the vector store cannot be opened: {str(error).splitlines()[0]}",
                place=folder,
                remedy="name another folder, or remove this one",
            ) from error

    def list_known(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that are in the table."""
        column = self._table.search().select(["key"]).limit(self._table.count_rows()).to_arrow()
        return set(keys) & set(column["key"].to_pylist())

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Append rows; the index is brought up to date once there is one."""
        flat = pa.array(vectors.reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        self._table.add(pa.table({"key": pa.array(list(keys)), "vector": column}))
        if self._table.count_rows() >= INDEXED:
            if self._table.list_indices():
                self._table.optimize()
            else:
                self._table.create_index(metric="cosine", index_type="IVF_HNSW_SQ")

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """By cosine."""
        if not self._table.count_rows():
            return []
        rows = self._table.search(vector).metric("cosine").limit(limit).to_list()
        return [(row["key"], 1.0 - row["_distance"]) for row in rows]
