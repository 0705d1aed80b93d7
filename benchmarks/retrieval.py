"""Index build and query: this package's exact search against what else is installed.

Vectors are synthetic (384 dimensions, in clusters), texts are synthetic too (Zipf's law over
20,000 words), so no model and no data are needed. Recall@10 is against float64 brute force for
vectors. ``faiss`` (flat), scikit-learn (brute force) and ``langchain-core`` (its default store,
``InMemoryVectorStore``) take part where they are installed; BM25 is compared with ``bm25s`` called
directly, whose best ten are then the reference (texts of equal score may differ there, below a
recall of 1). A single query is the median of a fifth of the queries, a batch all of them in one
call; of five rounds the best counts, since other processes disturb. Memory is what the process
holds more once the index is built; the source of the vectors is not in it.

    python benchmarks/retrieval.py                     # 10,000, 100,000 and 1,000,000 chunks
    python benchmarks/retrieval.py --chunks 10000      # the sizes given

Times depend on the machine; compare only numbers of one run. OMP_NUM_THREADS=1 fixes the threads.
The largest size needs 8 GB of memory.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import psutil

from whatworks.prompts.retrieval import Index, Pool, get_index, load_embedder
from whatworks.prompts.retrieval.embedding import Embedder
from whatworks.prompts.retrieval.ranking import ByVector
from whatworks.prompts.retrieval.vectors import Vectors
from whatworks.prompts.retrieval.words import split_words

DIMENSIONS = 384
K = 10
TEXTS = 100_000
"""Most chunks for lexical search, and for stores that are slow: a million would take too long."""
ROW = "{:<36}{:>12}{:>8}{:>12}{:>12}{:>9}"


@dataclass(frozen=True)
class Built:
    """An index under test: single and batched queries, each giving positions."""

    one: Callable[[int], Sequence[int]]
    many: Callable[[], Sequence[Sequence[int]]] | None = None


class Synthetic:
    """A stand-in for an encoder: the text ``"7"`` has the vector in row 7."""

    dimensions = DIMENSIONS

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors

    def over(self, pool: Sequence[str]) -> Synthetic:
        return self

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        for start in range(0, len(texts), 10_000):
            rows = range(start, min(start + 10_000, len(texts)))
            yield list(rows), self.vectors[[int(texts[i]) for i in rows]]


def clustered(count: int, rng: np.random.Generator) -> Vectors:
    """Unit vectors around 200 centres, as embeddings of one domain lie."""
    centres = np.random.default_rng(1).standard_normal((200, DIMENSIONS), np.float32)
    vectors = rng.standard_normal((count, DIMENSIONS), np.float32)
    for start in range(0, count, 10_000):
        block = vectors[start : start + 10_000]
        block += centres[rng.integers(0, 200, len(block))]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return vectors


def zipf_texts(count: int, length: int, rng: np.random.Generator) -> tuple[str, ...]:
    ranks = np.minimum(rng.zipf(1.2, (count, length)), 20_000)
    return tuple(" ".join(f"w{rank}" for rank in row) for row in ranks)


def measure(
    name: str, size: int, build: Callable[[], Built], asked: int, best: np.ndarray | None
) -> None:
    """Print one line: build speed, memory of the index, recall, milliseconds per query."""
    index_of_cache_clear()
    before = held()
    start = time.perf_counter()
    built = build()
    rate = size / (time.perf_counter() - start)
    memory = (held() - before) / 2**20
    built.one(0)
    found, times = [], []
    for i in range(asked):
        start = time.perf_counter()
        found.append(built.one(i))
        times.append(time.perf_counter() - start)
    single = 1e3 * min(float(np.median(part)) for part in np.array_split(times, 5))
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
    row = ROW.format(name, f"{rate:,.0f}", f"{memory:,.0f}", f"{single:.2f}", batched, recall)
    print(row, flush=True)


def held() -> int:
    """Bytes in use by the process, without what it has freed and could use again."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    return psutil.Process().memory_info().rss


def index_of_cache_clear() -> None:
    from whatworks.prompts.retrieval import index

    index._build_index.cache_clear()
    load_embedder.cache_clear()


def top(scores: np.ndarray) -> np.ndarray:
    """Positions of the ten highest scores per row."""
    part = np.argpartition(-scores, K - 1, axis=1)[:, :K]
    order = np.argsort(-np.take_along_axis(scores, part, 1), axis=1, kind="stable")
    return np.take_along_axis(part, order, 1)


def exact(pool: Vectors, queries: Vectors) -> np.ndarray:
    """The ten nearest in float64, in blocks that fit into memory."""
    blocks = [pool[i : i + 50_000] for i in range(0, len(pool), 50_000)]
    scores = [np.asarray(b, np.float64) @ queries.T.astype(np.float64) for b in blocks]
    return top(np.concatenate(scores).T)


def vectors_at(size: int, asked: int) -> None:
    pool = clustered(size, np.random.default_rng(2))
    queries = clustered(asked, np.random.default_rng(3))
    best = exact(pool, queries)
    source = Synthetic(np.concatenate([pool, queries]))
    pool = source.vectors[:size]
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

    def faiss_flat() -> Built:
        import faiss

        index = faiss.IndexFlatIP(DIMENSIONS)
        index.add(pool)
        return Built(
            lambda i: index.search(queries[i : i + 1], K)[1][0],
            lambda: index.search(queries, K)[1].tolist(),
        )

    def brute() -> Built:
        from sklearn.neighbors import NearestNeighbors

        model = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(pool)
        return Built(
            lambda i: model.kneighbors(queries[i : i + 1], return_distance=False)[0],
            lambda: model.kneighbors(queries, return_distance=False).tolist(),
        )

    measure("whatworks vector", size, ours, asked, best)
    if installed("faiss", "faiss-cpu"):
        measure("faiss flat", size, faiss_flat, asked, best)
    measure("numpy product + argpartition", size, plain, asked, best)
    if size > TEXTS:
        print(f"(scikit-learn and langchain-core: up to {TEXTS:,} chunks)")
        return
    if installed("sklearn.neighbors", "scikit-learn"):
        measure("scikit-learn brute force", size, brute, asked, best)
    if installed("langchain_core.vectorstores.in_memory", "langchain-core"):
        framework_at(pool, queries[:5], best[:5])


def installed(module: str, package: str) -> bool:
    """Whether a competitor takes part; says so where it does not."""
    try:
        importlib.import_module(module)  # now, so that its own memory is not the index's
    except ImportError:
        print(f"({package} is not installed: pip install {package})")
        return False
    return True


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
        index.index([split_words(text) for text in pool], show_progress=False)

        def ask(some: Sequence[str]) -> list[list[int]]:
            tokens = [split_words(text) for text in some]
            return index.retrieve(tokens, k=K, show_progress=False).documents.tolist()

        return Built(lambda i: ask(queries[i : i + 1])[0], lambda: ask(queries))

    lines = direct()
    best = np.array([lines.one(i) for i in range(asked)])
    measure("bm25s directly", size, direct, asked, best)
    for name, search in (("whatworks lexical", "lexical"), ("whatworks hybrid (hashed)", "hybrid")):

        def ours(search: str = search) -> Built:
            index = get_index(Pool(pool), search, "lexical")  # type: ignore[arg-type]
            return Built(lambda i: [hit.position for hit in index.search(queries[i], K)])

        # A fusion ranks differently on purpose: BM25 is no reference for it.
        measure(name, size, ours, asked, best if search == "lexical" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    for size in parser.parse_args().chunks:
        print(f"\n{size:,} chunks, {K} wanted")
        print(ROW.format("", "chunks/s", "MB", "ms/query", "ms batched", "recall"))
        vectors_at(size, asked=100 if size <= TEXTS else 20)
        if size <= TEXTS:
            texts_at(size, asked=50)


if __name__ == "__main__":
    main()
