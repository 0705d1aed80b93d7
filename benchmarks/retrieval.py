"""Index build and query: this package's exact search against what else is installed.

Vectors are synthetic (384 dimensions, in clusters), texts are synthetic too (Zipf's law over
20,000 words), so no model and no data are needed. Recall@10 is against float64 brute force for
vectors. ``faiss`` (flat), scikit-learn (brute force) and ``langchain-core`` (its default store)
take part where they are installed; BM25 is compared with ``bm25s`` called directly, whose best ten
are then the reference (texts of equal score may differ there, below a recall of 1). A single query
is the median of many, a batch the best of five rounds.

    python benchmarks/retrieval.py            # 10,000 and 100,000 chunks
    python benchmarks/retrieval.py --quick    # 10,000 chunks
    python benchmarks/retrieval.py --large    # 1,000,000 vectors

Times depend on the machine; compare only numbers of one run. OMP_NUM_THREADS=1 fixes the threads.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from whatworks.retrieval import Index, Pool, embedder, index_of
from whatworks.retrieval.embedding import Embedder, Vectors
from whatworks.retrieval.ranking import ByVector
from whatworks.retrieval.words import words

DIMENSIONS = 384
K = 10
ROW = "{:<34}{:>12}{:>10}{:>12}{:>12}{:>9}"


@dataclass(frozen=True)
class Built:
    """An index under test: single and batched queries, each giving positions."""

    one: Callable[[int], Sequence[int]]
    many: Callable[[], Sequence[Sequence[int]]] | None = None


class Synthetic:
    """A stand-in for an encoder: the text ``"7"`` has the vector in row 7."""

    dimensions = DIMENSIONS

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def over(self, pool: Sequence[str]) -> Synthetic:
        return self

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        if texts:
            yield list(range(len(texts))), self._vectors[[int(text) for text in texts]]


def clustered(count: int, rng: np.random.Generator) -> Vectors:
    """Unit vectors around 200 centres, as embeddings of one domain lie."""
    centres = np.random.default_rng(1).normal(size=(200, DIMENSIONS))
    vectors = centres[rng.integers(0, 200, count)] + rng.normal(size=(count, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def zipf_texts(count: int, length: int, rng: np.random.Generator) -> tuple[str, ...]:
    ranks = np.minimum(rng.zipf(1.2, (count, length)), 20_000)
    return tuple(" ".join(f"w{rank}" for rank in row) for row in ranks)


def measure(
    name: str, size: int, build: Callable[[], Built], asked: int, best: np.ndarray | None
) -> None:
    """Print one line: build speed, memory of the index, recall, milliseconds per query."""
    tracemalloc.start()
    build()
    memory = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()  # it slows the rest, so the clock runs on a second build
    index_of_cache_clear()
    start = time.perf_counter()
    built = build()
    rate = size / (time.perf_counter() - start)
    built.one(0)
    found, times = [], []
    for i in range(asked):
        start = time.perf_counter()
        found.append(built.one(i))
        times.append(time.perf_counter() - start)
    single = 1e3 * float(np.median(times))
    batched = "-"
    if built.many is not None:
        rounds = []
        for _ in range(5):
            start = time.perf_counter()
            built.many()
            rounds.append(time.perf_counter() - start)
        batched = f"{1e3 * min(rounds) / asked:.2f}"
    recall = "-"
    if best is not None:
        hits = [len(set(map(int, f)) & set(map(int, b))) for f, b in zip(found, best, strict=True)]
        recall = f"{sum(hits) / best.size:.3f}"
    print(ROW.format(name, f"{rate:,.0f}", f"{memory:,.0f}", f"{single:.2f}", batched, recall))


def index_of_cache_clear() -> None:
    from whatworks.retrieval import index

    index._index.cache_clear()
    embedder.cache_clear()


def top(scores: np.ndarray) -> np.ndarray:
    """Positions of the ten highest scores per row."""
    part = np.argpartition(-scores, K - 1, axis=1)[:, :K]
    order = np.argsort(-np.take_along_axis(scores, part, 1), axis=1, kind="stable")
    return np.take_along_axis(part, order, 1)


def exact(pool: Vectors, queries: Vectors) -> np.ndarray:
    """The ten nearest in float64, in blocks that fit into memory."""
    blocks = [pool[i : i + 100_000] for i in range(0, len(pool), 100_000)]
    scores = [np.asarray(b, np.float64) @ queries.T.astype(np.float64) for b in blocks]
    return top(np.concatenate(scores).T)


def vectors_at(size: int, asked: int) -> None:
    pool = clustered(size, np.random.default_rng(2))
    queries = clustered(asked, np.random.default_rng(3))
    best = exact(pool, queries)
    source = Synthetic(np.concatenate([pool, queries]))
    texts = tuple(map(str, range(size + asked)))

    def ours() -> Built:
        by = Embedder("synthetic", source)
        ranking = ByVector(texts[:size], by)
        index = Index(ranking)
        by.embed(texts[size:])  # what is measured is the search

        def one(i: int) -> list[int]:
            return [hit.position for hit in index.search(texts[size + i], K)]

        def many() -> list[list[int]]:
            ranking._warm.clear()
            index.warm(texts[size:])
            return [one(i) for i in range(asked)]

        return Built(one, many)

    def plain() -> Built:
        copy = pool.copy()
        return Built(
            lambda i: top((copy @ queries[i])[None, :])[0], lambda: top(queries @ copy.T).tolist()
        )

    measure("whatworks vector", size, ours, asked, best)
    measure("numpy product + argpartition", size, plain, asked, best)
    if importlib.util.find_spec("langchain_core") and size <= 100_000:
        framework_at(pool, queries[:5], best[:5])
    if importlib.util.find_spec("sklearn"):
        from sklearn.neighbors import NearestNeighbors

        def brute() -> Built:
            model = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(pool)
            return Built(
                lambda i: model.kneighbors(queries[i : i + 1], return_distance=False)[0],
                lambda: model.kneighbors(queries, return_distance=False).tolist(),
            )

        measure("scikit-learn brute force", size, brute, asked, best)
    if importlib.util.find_spec("faiss"):
        import faiss

        def flat() -> Built:
            index = faiss.IndexFlatIP(DIMENSIONS)
            index.add(pool)
            return Built(
                lambda i: index.search(queries[i : i + 1], K)[1][0],
                lambda: index.search(queries, K)[1].tolist(),
            )

        measure("faiss flat (memory not traced)", size, flat, asked, best)


def framework_at(pool: Vectors, queries: Vectors, best: np.ndarray) -> None:
    """The default store of a popular framework: a dictionary of lists in memory."""
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.vectorstores import InMemoryVectorStore

    class Known(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [pool[int(text)].tolist() for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return queries[int(text)].tolist()

    def build() -> Built:
        store = InMemoryVectorStore(Known())
        store.add_documents([Document(page_content=str(i)) for i in range(len(pool))])
        return Built(lambda i: [int(d.page_content) for d in store.similarity_search(str(i), k=K)])

    measure("langchain-core InMemoryVectorStore", len(pool), build, len(queries), best)


def texts_at(size: int, asked: int) -> None:
    import bm25s

    pool = zipf_texts(size, 80, np.random.default_rng(4))
    queries = zipf_texts(asked, 8, np.random.default_rng(5))

    def direct() -> Built:
        index = bm25s.BM25(backend="numpy")
        index.index([words(text) for text in pool], show_progress=False)

        def ask(some: Sequence[str]) -> list[list[int]]:
            tokens = [words(text) for text in some]
            return index.retrieve(tokens, k=K, show_progress=False).documents.tolist()

        return Built(lambda i: ask(queries[i : i + 1])[0], lambda: ask(queries))

    lines = direct()
    best = np.array([lines.one(i) for i in range(asked)])
    measure("bm25s directly", size, direct, asked, best)
    for name, search in (("whatworks lexical", "lexical"), ("whatworks hybrid (hashed)", "hybrid")):

        def ours(search: str = search) -> Built:
            index = index_of(Pool(pool), search, "lexical")  # type: ignore[arg-type]
            return Built(lambda i: [hit.position for hit in index.search(queries[i], K)])

        # A fusion ranks differently on purpose: BM25 is no reference for it.
        measure(name, size, ours, asked, best if search == "lexical" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="10,000 chunks only")
    parser.add_argument("--large", action="store_true", help="1,000,000 vectors, nothing else")
    given = parser.parse_args()
    sizes = [10_000] if given.quick else [1_000_000] if given.large else [10_000, 100_000]
    for size in sizes:
        print(f"\n{size:,} chunks, {K} wanted")
        print(ROW.format("", "chunks/s", "MB (peak)", "ms/query", "ms batched", "recall"))
        vectors_at(size, asked=20 if given.large else 100)
        if not given.large:
            texts_at(size, asked=50)


if __name__ == "__main__":
    main()
