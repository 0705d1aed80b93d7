"""What the parts of a chain bring: they sum to the whole, and planted effects are found."""

from __future__ import annotations

import random

import pytest

from whatworks.analysis.diagnosis.parts import measure_parts


def draw(rate: float, seeds: int = 1, rows: int = 200) -> dict[tuple[int, str], float]:
    """An arm that is right with a probability, on the rows that are easy for all first."""
    rng = random.Random(0)
    hard = [rng.random() for _ in range(rows)]
    return {(s, f"q{i}"): float(hard[i] < rate) for s in range(seeds) for i in range(rows)}


def test_planted_gains_are_found_and_sum_to_what_the_chain_brings():
    scores = {
        "zero-shot": draw(0.1),
        "rag": draw(0.5),  # +40 alone, +40 on top
        "sft": draw(0.2, seeds=3),  # +10, +10
        "rag+sft": draw(0.6, seeds=3),
    }
    found = measure_parts("rag+sft", scores)
    assert found is not None
    rag, sft = found.shares
    whole = sum(scores["rag+sft"].values()) / 600 - sum(scores["zero-shot"].values()) / 200
    assert rag.gain.value + sft.gain.value == pytest.approx(whole)
    assert rag.gain.low > 0.25 and rag.gain.value == pytest.approx(0.4, abs=0.06)
    assert sft.gain.value == pytest.approx(0.1, abs=0.06)
    assert found.in_words.startswith("Of what rag+sft brings on dev: rag +")


def test_three_parts_where_one_does_all():
    rates = {"a": 0.5, "b": 0.1, "c": 0.1, "a+b": 0.5, "a+c": 0.5, "b+c": 0.1, "a+b+c": 0.5}
    scores = {name: draw(rate) for name, rate in {"zero-shot": 0.1, **rates}.items()}
    found = measure_parts("a+b+c", scores)
    assert found is not None
    gains = {one.part: one.gain.value for one in found.shares}
    assert gains["a"] == pytest.approx(0.4, abs=0.06)
    assert gains["b"] == gains["c"] == 0


def test_subsets_that_did_not_run_are_named():
    found = measure_parts("rag+sft", {"rag+sft": draw(0.5), "rag": draw(0.4)})
    assert found is not None
    assert found.missing == ("zero-shot", "sft")
    assert "zero-shot and sft did not run" in found.in_words
    assert measure_parts("rag", {"rag": draw(0.4)}) is None
