"""Qdrant: a vector database behind an address, in a folder, or in memory for trying out."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException

from whatworks.base.errors import InputError
from whatworks.prompts.retrieval.vectors import Vectors

KEY_VARIABLE = "QDRANT_API_KEY"
BATCH = 500


class QdrantStore:
    """A collection of points whose ids are the keys."""

    def __init__(self, place: str, collection: str, dimensions: int) -> None:
        self._place, self._collection = place, collection
        with self._reach():
            if place.startswith(("http://", "https://")):
                key = os.environ.get(KEY_VARIABLE)
                self._client = QdrantClient(
                    url=place, api_key=key, timeout=60, check_compatibility=False
                )
            elif place == ":memory:":
                self._client = QdrantClient(location=place)
            else:
                self._client = QdrantClient(path=place)
            if not self._client.collection_exists(collection):
                size = models.VectorParams(size=dimensions, distance=models.Distance.COSINE)
                self._client.create_collection(collection, vectors_config=size)

    def list_known(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that are in the collection."""
        present: set[str] = set()
        with self._reach():
            for start in range(0, len(keys), BATCH):
                ids = [_make_id(key) for key in keys[start : start + BATCH]]
                points = self._client.retrieve(
                    self._collection, ids, with_payload=False, with_vectors=False
                )
                present |= {_read_key(point.id) for point in points}
        return present

    def add(self, keys: Sequence[str], vectors: Vectors) -> None:
        """Upsert points, waiting until they can be searched."""
        with self._reach():
            for start in range(0, len(keys), BATCH):
                points = [
                    models.PointStruct(id=_make_id(key), vector=vector.tolist())
                    for key, vector in zip(
                        keys[start : start + BATCH], vectors[start : start + BATCH], strict=True
                    )
                ]
                self._client.upsert(self._collection, points, wait=True)

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """By cosine."""
        with self._reach():
            response = self._client.query_points(
                self._collection, query=vector.tolist(), limit=limit, with_payload=False
            )
        return [(_read_key(point.id), point.score) for point in response.points]

    @contextmanager
    def _reach(self) -> Generator[None]:
        try:
            yield
        except (ApiException, OSError, ValueError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(
                f"the vector store does not work: {reason}",
                place=self._place,
                remedy=f"start the server or correct the address; a key goes into {KEY_VARIABLE}",
            ) from error


def _make_id(key: str) -> str:
    """Qdrant takes UUIDs: the 32 hex digits of a key are one."""
    return str(uuid.UUID(hex=key))


def _read_key(point: object) -> str:
    return uuid.UUID(str(point)).hex
