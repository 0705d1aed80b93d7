"""Duplicates found in bulk are those that comparing every pair finds."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from whatworks.data import duplicates
from whatworks.data.duplicates import BATCH, HASHES, compute_signatures, find
from whatworks.data.near_duplicates import is_near_duplicate, is_same_input, normalise_text
from whatworks.data.task import Example

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def rows_of(texts: list[str]) -> list[Example]:
    return [Example(id=str(i), inputs={"text": text}, target="t") for i, text in enumerate(texts)]


def sentences(count: int, rng: random.Random) -> list[str]:
    words = ["".join(rng.choices(LETTERS, k=rng.randint(3, 9))) for _ in range(400)]
    return [" ".join(rng.choices(words, k=rng.randint(5, 14))) for _ in range(count)]


def mangled(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    return rng.choice([text.upper(), f"{text}!", text[:at] + rng.choice(LETTERS) + text[at + 1 :]])


def groups(pairs: set[tuple[int, int]]) -> set[tuple[int, ...]]:
    """Connected positions, the slow way."""
    found: list[set[int]] = []
    for pair in pairs:
        touched = [group for group in found if group & set(pair)]
        found = [group for group in found if group not in touched]
        found.append(set(pair).union(*touched))
    return {tuple(sorted(group)) for group in found}


def test_every_pair_is_found_and_no_other() -> None:
    rng = random.Random(3)
    texts = sentences(300, rng)
    texts += [mangled(text, rng) for text in texts[:60]] + [mangled(t, rng) for t in texts[:10]]
    rng.shuffle(texts)
    rows = rows_of(texts)
    found = find(lambda: iter(rows))
    bare = [normalise_text(text) for text in texts]
    exact = {(a, b) for a, b in combinations(range(len(texts)), 2) if bare[a] == bare[b]}
    assert groups(exact) == set(found.exact) and exact
    unlike = [i for i in range(len(texts)) if bare[i] not in bare[:i]]
    near = {(a, b) for a, b in combinations(unlike, 2) if is_same_input(rows[a], rows[b])}
    assert len(near) > 30
    assert groups(near) == set(found.near)
    assert found.rows == len(texts)


def test_rows_that_share_a_passage_are_told_apart_by_their_questions() -> None:
    rng = random.Random(5)
    texts: list[str] = []
    for _ in range(6):
        passage = " ".join(sentences(30, rng))
        questions = sentences(20, rng)
        texts += [f"{passage}\n{question}" for question in questions]
        texts += [f"{passage}\n{question}?" for question in questions[:10]]
    found = find(lambda: iter(rows_of(texts)))
    assert found.exact == ()
    assert set(found.near) == {(30 * p + i, 30 * p + 20 + i) for p in range(6) for i in range(10)}


def test_a_crowd_of_like_rows_takes_no_square_of_comparisons() -> None:
    passage = " ".join(sentences(30, random.Random(9)))
    texts = [f"{passage} {number}" for number in range(1000)]
    found = find(lambda: iter(rows_of(texts)))
    assert [len(group) for group in found.near] == [1000]
    assert found.compared < 50 * len(texts)


def test_rows_are_read_again_and_never_held(monkeypatch: object) -> None:
    texts = sentences(500, random.Random(7))
    texts += [f"{text}." for text in texts[:100]]
    alive = most = 0

    class Counted(Example):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def source() -> Iterator[Example]:
        nonlocal alive, most
        for i, text in enumerate(texts):
            row = Counted(id=str(i), inputs={"text": text}, target="t")
            alive += 1
            most = max(most, alive)
            yield row

    before = duplicates.HELD
    duplicates.HELD = 40
    try:
        found = find(source)
    finally:
        duplicates.HELD = before
    assert len(found.near) == 100
    assert most <= 2 * 40 + 3


def test_memory_grows_by_the_signatures() -> None:
    """What is added by rows beyond the first; buffers and the rows compared at a time are not."""

    def most(count: int) -> int:
        rng = random.Random(13)
        texts = (f"{rng.getrandbits(64):016x}" for _ in range(count))
        tracemalloc.start()
        try:
            found = find(lambda: (row for text in texts for row in rows_of([text])))
            assert found.rows == count and not found.near
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = 5 * BATCH, 20 * BATCH
    most(1)  # imports what is imported late
    # A growing buffer is an eighth larger than what it holds: reserved, and counted here.
    assert (most(many) - most(few)) / (many - few) < (HASHES + 8) * 9 / 8 + 8


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=12))
def test_any_text_has_a_signature_of_its_own_shingles(texts: list[str]) -> None:
    bare = [normalise_text(text) for text in texts]
    together = compute_signatures(bare)
    for text, made in zip(bare, together, strict=True):
        assert np.array_equal(compute_signatures([text])[0], made)
    found = find(lambda: iter(rows_of(texts)))
    for group in found.exact:
        assert len({bare[i] for i in group}) == 1
    for group in found.near:
        for i in group:
            assert any(is_near_duplicate(texts[i], texts[j]) for j in group if j != i)


def test_agreement_of_signatures_estimates_similarity() -> None:
    rng = random.Random(11)
    one = "".join(rng.choices(LETTERS, k=2000))
    for share in (0.0, 0.3, 0.6, 0.9):
        cut = int(len(one) * share)
        other = one[:cut] + "".join(rng.choices(LETTERS, k=2000 - cut))
        a, b = ({text[i : i + 5] for i in range(1996)} for text in (one, other))
        first, second = compute_signatures([one, other])
        assert abs((first == second).mean() - len(a & b) / len(a | b)) < 0.12


def test_nothing_and_one_row() -> None:
    assert find(lambda: iter(())).rows == 0
    assert find(lambda: iter(rows_of(["a"]))).near == ()
