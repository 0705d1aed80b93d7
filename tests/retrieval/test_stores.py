"""Vector databases: the same neighbours as exact search, and only what changed is embedded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from whatworks.errors import InputError
from whatworks.retrieval import index_of
from whatworks.retrieval.embedding import Embedder, Model, Vectors
from whatworks.retrieval.hashed import HashedWords
from whatworks.retrieval.index import Index
from whatworks.retrieval.stores import ByStore

POOL = tuple(f"Person {i} of lane {i * 7919 % 997} cooks dish {i * 31 % 57}." for i in range(300))


class Counting:
    """Vectors of hashed words; remembers which texts were computed."""

    dimensions = HashedWords.dimensions

    def __init__(self) -> None:
        self.computed: list[str] = []

    def over(self, pool: Sequence[str]) -> Model:
        return self

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        self.computed += texts
        yield from HashedWords().batches(texts)


@pytest.fixture(params=["lancedb", "qdrant"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    pytest.importorskip("lancedb" if request.param == "lancedb" else "qdrant_client")
    return f"{request.param}:{tmp_path / 'db'}"


def open_index(texts: tuple[str, ...], store: str) -> tuple[Index, Counting]:
    model = Counting()
    return Index(ByStore(texts, Embedder("counting", model), store)), model


def exact(texts: Sequence[str], query: str, k: int) -> list[int]:
    by = Embedder("counting", Counting())
    cosines = by.embed(texts) @ by.embed([query])[0]
    return sorted(range(len(texts)), key=lambda i: (-round(float(cosines[i]), 4), i))[:k]


def close(store: str) -> None:
    """Qdrant's folder belongs to one client at a time."""
    if store.startswith("qdrant"):
        import gc

        gc.collect()


def test_neighbours_are_those_of_exact_search(store: str) -> None:
    texts = (*POOL, POOL[5])
    index, _ = open_index(texts, store)
    for query in ("who cooks dish 5", "person 44 of lane 400", "nothing in common"):
        found = [hit.position for hit in index.search(query, 5)]
        wanted = exact(texts, query, 5)
        by = Embedder("counting", Counting())
        cosines = by.embed(texts) @ by.embed([query])[0]
        np.testing.assert_allclose(cosines[found], cosines[wanted], atol=1e-3)
    twins = [hit.position for hit in index.search(POOL[5], 2)]
    assert twins == [5, 300]
    only = [hit.position for hit in index.search("dish", 3, allowed=lambda i: i > 297)]
    assert sorted(only) == [298, 299, 300]


def test_an_unchanged_text_is_not_embedded_again(store: str) -> None:
    _, first = open_index(POOL, store)
    assert len(first.computed) == len(POOL)
    del first, _
    close(store)
    changed = (*POOL[:298], "Person 298 moved to lane 7.", "A new text.")
    index, second = open_index(changed, store)
    assert second.computed == ["Person 298 moved to lane 7.", "A new text."]
    # What is gone from the pool is still in the database, and passed over.
    assert all(hit.position < 300 for hit in index.search(POOL[298], 5))
    assert index.search("who moved to lane 7", 1)[0].position == 298


def test_qdrant_in_memory_serves_a_hybrid_index() -> None:
    pytest.importorskip("qdrant_client")
    index = index_of(POOL, "hybrid", "lexical", "qdrant::memory:")
    assert index.search("person 12 of lane 300", 1)[0].position == 12


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("weaviate:here", "there is no vector store"),
        ("lancedb:", "there is no vector store"),
        ("qdrant:http://127.0.0.1:9", "does not work"),
    ],
)
def test_a_store_that_cannot_be_opened_is_named(name: str, said: str) -> None:
    pytest.importorskip("qdrant_client")
    with pytest.raises(InputError, match=said) as caught:
        index_of(POOL, "vector", "lexical", name)
    assert caught.value.remedy
