"""Search: exact, ordered the same way every time, lazy, diverse on request."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.prompts.retrieval import Index, Pool, get_index, load_embedder, ranking
from whatworks.prompts.retrieval.index import Search
from whatworks.prompts.retrieval.ordering import choose_diverse, rank_scores
from whatworks.prompts.retrieval.ranking import ByVector
from whatworks.prompts.retrieval.words import split_words

POOL = (
    "where is my card, it has not arrived",
    "my card has not arrived yet",
    "how do I top up my account",
    "top up by bank transfer failed",
    "what is the exchange rate for euros",
    "I want to close my account",
    "my card has not arrived yet",
    "the cash machine swallowed my card",
    "",
    "?!",
    "カードが届きません",
    "المصرف أغلق حسابي",
)
KINDS = ("vector", "lexical", "hybrid")


def positions(index: Index, query: str, k: int, **options: object) -> list[int]:
    return [hit.position for hit in index.search(query, k, **options)]  # type: ignore[arg-type]


def stable_order(scores: np.ndarray) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))


@pytest.mark.parametrize("query", ["card not arrived", "close account?", "届きません", "", "🤷"])
def test_vector_search_equals_brute_force(query: str) -> None:
    fitted = load_embedder("lexical").over(POOL)
    cosines = fitted.embed(POOL) @ fitted.embed([query])[0]
    hits = get_index(POOL, "vector", "lexical").search(query, 5)
    assert [hit.position for hit in hits] == stable_order(np.round(cosines, 5))[:5]
    np.testing.assert_allclose([h.score for h in hits], cosines[[h.position for h in hits]], 1e-4)


def bm25(query: str, pool: tuple[str, ...], k1: float = 1.5, b: float = 0.75) -> np.ndarray:
    """BM25 in Lucene's variant, written out from its formula."""
    texts = [split_words(text) for text in pool]
    mean = sum(map(len, texts)) / len(texts)
    scores = np.zeros(len(pool))
    for word in split_words(query):
        holding = sum(word in text for text in texts)
        idf = np.log(1 + (len(pool) - holding + 0.5) / (holding + 0.5))
        for i, text in enumerate(texts):
            count = text.count(word)
            scores[i] += idf * count / (count + k1 * (1 - b + b * len(text) / mean))
    return scores


@pytest.mark.parametrize(
    "query", ["my card, my card", "top up account", "届", "nothing shared xyz"]
)
def test_lexical_search_equals_the_formula(query: str) -> None:
    expected = bm25(query, POOL)
    hits = get_index(POOL, "lexical", "").search(query, len(POOL))
    wanted = [i for i in stable_order(np.round(expected, 5)) if expected[i] > 0]
    assert [hit.position for hit in hits] == wanted
    np.testing.assert_allclose([hit.score for hit in hits], expected[wanted], rtol=1e-4)


def test_hybrid_search_is_reciprocal_rank_fusion() -> None:
    query = "card arrived account"
    fused = np.zeros(len(POOL))
    for kind in ("vector", "lexical"):
        for rank, hit in enumerate(get_index(POOL, kind, "lexical").search(query, 99), start=1):
            fused[hit.position] += 1 / (60 + rank)
    hits = get_index(POOL, "hybrid", "lexical").search(query, 99)
    assert [hit.position for hit in hits] == stable_order(fused.astype(np.float32))
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(fused)[::-1], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_texts_come_in_the_order_of_the_pool(kind: Search) -> None:
    pool = ("other words here",) * 3 + ("the same text",) * 5 + ("unlike",)
    hits = get_index(pool, kind, "lexical").search("the same text", 5)
    assert [hit.position for hit in hits] == [3, 4, 5, 6, 7]


@settings(deadline=None)
@given(st.lists(st.floats(-2, 2, width=32) | st.sampled_from([0.0, -0.0, 0.5]), max_size=40))
def test_best_first_is_a_stable_falling_sort(values: list[float]) -> None:
    scores = np.array(values, np.float32)
    ranked = rank_scores(scores)
    assert ranked.positions.tolist() == stable_order(scores)
    assert ranked.scores.tolist() == [values[i] for i in ranked.positions]
    some = np.arange(0, len(values), 2)
    assert rank_scores(scores, some).positions.tolist() == [
        i for i in stable_order(scores) if i % 2 == 0
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_allowed_is_asked_best_first_and_only_until_enough_are_found(kind: Search) -> None:
    index = get_index(POOL, kind, "lexical")
    order = positions(index, "my card has not arrived", 99)
    asked: list[int] = []

    def allowed(position: int) -> bool:
        asked.append(position)
        return position != order[0]

    assert positions(index, "my card has not arrived", 2, allowed=allowed) == order[1:3]
    assert asked == order[:3]
    assert positions(index, "my card", 4, allowed=lambda _: False) == []


def mmr(relevance: list[float], likeness: np.ndarray, k: int, diversity: float) -> list[int]:
    """Carbonell and Goldstein 1998, straight from the formula."""
    chosen: list[int] = []
    while len(chosen) < min(k, len(relevance)):
        left = [i for i in range(len(relevance)) if i not in chosen]
        chosen.append(
            max(
                left,
                key=lambda i: (
                    (1 - diversity) * relevance[i]
                    - diversity * max((likeness[i][j] for j in chosen), default=0.0),
                    -i,
                ),
            )
        )
    return chosen


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 15), st.floats(0, 1), st.integers(0, 1000))
def test_spread_is_maximal_marginal_relevance(n: int, k: int, diversity: float, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(n + 1, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance = vectors[1:] @ vectors[0]
    expected = mmr(list(relevance), vectors[1:] @ vectors[1:].T, k, diversity)
    assert choose_diverse(relevance, vectors[1:], k, diversity) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_diversity_leaves_out_copies(kind: Search) -> None:
    query = "my card has not arrived yet"
    index = get_index(POOL, kind, "lexical")
    assert positions(index, query, 2)[:2] == [1, 6]
    first, second = positions(index, query, 2, diversity=0.6)
    assert first == 1
    assert second != 6
    assert positions(index, query, 3, diversity=0.0) == positions(index, query, 3)


def test_diversity_outside_its_range_is_refused() -> None:
    with pytest.raises(InputError, match="from 0 to 1"):
        get_index(POOL, "vector", "lexical").search("card", 2, diversity=1.5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("diversity", [0.0, 0.5])
@pytest.mark.parametrize(
    "pool",
    [(), ("",), ("?",), ("", ""), ("one text",), ("a" * 300_000, "word " * 50_000, "अच्छा दिन")],
)
def test_odd_pools_and_queries(kind: Search, diversity: float, pool: tuple[str, ...]) -> None:
    index = get_index(pool, kind, "lexical")
    for query in ("", "one", "?", "अच्छा", "\ud800", "x" * 100_000):
        for k in (-1, 0, 1, 50):
            found = positions(index, query, k, diversity=diversity)
            assert len(set(found)) == len(found) <= max(0, min(k, len(pool)))
            if kind != "lexical":
                assert len(found) == max(0, min(k, len(pool)))
            assert set(found) <= set(range(len(pool)))


def test_the_same_pool_is_indexed_once() -> None:
    again = tuple(str(text) for text in list(POOL))
    assert get_index(again, "vector", "lexical") is get_index(POOL, "vector", "lexical")
    assert get_index(POOL, "lexical", "minilm") is get_index(POOL, "lexical", "")
    assert get_index(POOL[1:], "vector", "lexical") is not get_index(POOL, "vector", "lexical")


def test_warming_changes_no_result() -> None:
    queries = ["lost card", "rate of exchange", "lost card"]
    pool = (*POOL, "not indexed by any other test")
    cold = [get_index(pool, "hybrid", "lexical").search(query, 4) for query in queries]
    load_embedder.cache_clear()
    index = get_index((*pool, ""), "hybrid", "lexical")
    index.warm(queries)
    warm = get_index(pool, "hybrid", "lexical")
    assert [warm.search(query, 4) for query in queries] == cold


def test_another_process_finds_the_same() -> None:
    code = (
        "from whatworks.prompts.retrieval import get_index\n"
        f"index = get_index({POOL!r}, 'hybrid', 'lexical')\n"
        "print([(h.position, h.score.hex()) for h in index.search('card at the bank', 8)])\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 50


@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_index_gives_the_same_bits(kind: Search) -> None:
    pool = tuple(
        f"person {i} of lane {i * 7919 % 997} likes dish {i * 31 % 57}" for i in range(900)
    )
    queries = [f"who likes dish {i} in lane {i * 5}" for i in range(20)]
    cold = [get_index(pool, kind, "lexical").search(query, 7) for query in queries]
    warm = get_index((*pool[:-1], pool[-1]), kind, "lexical")
    warm.warm(queries)
    assert [warm.search(query, 7) for query in queries] == cold
    # Further down than was ranked ahead, it is ranked anew.
    few = [hit.position for hit in warm.search(queries[0], 3, allowed=lambda i: i % 300 == 7)]
    assert sorted(few) == [7, 307, 607]


def test_the_quick_way_through_a_small_pool_gives_the_same_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = [f"person {i} of lane {i * 7919 % 97} likes dish {i * 31 % 57}" for i in range(900)]
    index = ByVector(pool, load_embedder("lexical"))
    queries = [f"who likes dish {i} in lane {i * 5}" for i in range(20)]
    quick = [index.rank(query, 26) for query in queries]
    monkeypatch.setattr(ranking, "CACHED", 0)
    for query, found in zip(queries, quick, strict=True):
        every = index.rank(query, 26)
        assert every.positions.tolist() == found.positions.tolist()
        assert every.scores.tobytes() == found.scores.tobytes()
    assert all(len(found.positions) >= 26 for found in quick)
    assert any(len(found.positions) > 26 for found in quick)  # equals of the last one come along


def test_a_pool_equals_its_tuple() -> None:
    assert Pool(POOL) == POOL and hash(Pool(POOL)) == hash(POOL)
    assert get_index(Pool(POOL), "lexical", "") is get_index(POOL, "lexical", "")
