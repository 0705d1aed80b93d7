"""Two runs held against each other, and the gate between them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from whatworks.analysis.comparison import compare
from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.two_runs import (
    RunArm,
    collect_arm,
    compare_runs,
    count_rows_to_pass,
    find_shared,
    is_no_worse,
    judge_gate,
)


def arm(rate: float, rows: int = 300, seed: int = 0, name: str = "new") -> RunArm:
    rng = random.Random(seed)
    items = [f"e{i}" for i in range(rows)]
    scores = {(0, item): float(rng.random() < rate) for item in items}
    return RunArm(name, {item: f"key {item}" for item in items}, scores, [0])


def without(own: RunArm, rows: int) -> RunArm:
    """Asked, and not answered."""
    kept = {key: v for key, v in own.scores.items() if int(key[1][1:]) >= rows}
    return replace(own, scores=kept)


def test_rows_are_the_same_by_id_and_content() -> None:
    first: Mapping[str, str] = {"a": "1", "b": "2", "c": "3"}
    shared = find_shared(first, {"b": "2", "c": "other", "d": "4"})
    assert (shared.both, shared.first, shared.second, shared.changed) == (("b",), 1, 1, 1)
    assert shared.words == (
        "1 rows that both have; left out: 1 that the first alone has, 1 that the second alone "
        "has, 1 of the same id and another content"
    )


def test_what_a_run_did_not_answer_counts_against_it() -> None:
    old = arm(0.6, seed=1, name="old")
    lost = without(replace(old, name="new"), 90)
    found = compare_runs({"a": (old, lost)})["a"]
    share = sum(old.scores[0, f"e{i}"] for i in range(90)) / 300
    assert found.difference == pytest.approx(-share) and found.n_items == 300
    assert compare_runs({"a": (lost, old)})["a"].difference == pytest.approx(share)
    assert compare_runs({"a": (old, old)})["a"].difference == 0


def test_a_run_passes_that_is_as_good() -> None:
    old = arm(0.6, seed=1, name="old")
    passed = judge_gate(replace(old, name="new"), old, 0.02)
    assert passed.passed and passed.reason.startswith("no worse by 2.0 points or more: 0.0 [")
    more = replace(old, asked={**old.asked, "more": "key"}, scores={**old.scores, (0, "more"): 0.0})
    assert judge_gate(more, old, 0.02).passed, "rows that the old run lacks do not count"


def test_missing_and_failed_rows_fail_it() -> None:
    old = arm(0.6, seed=1, name="old")
    new = replace(old, name="new")
    lost = judge_gate(without(new, 1), old, 0.5)
    assert not lost.passed and lost.reason == "1 answers of new are missing or failed"
    fewer = {item: key for item, key in new.asked.items() if item != "e7"}
    missing = judge_gate(replace(new, asked=fewer), old, 0.5)
    assert not missing.passed and missing.reason == "1 of 300 rows of old are missing in new"
    changed = judge_gate(replace(new, asked={**new.asked, "e7": "another"}), old, 0.5)
    assert not changed.passed and changed.missing == 1
    failed = judge_gate(replace(new, seeds=[0, 1], failed=[1]), old, 0.5)
    assert not failed.passed and failed.unanswered == 300
    assert not judge_gate(new, without(old, 3), 0.5).passed, "nor is it let pass by the old's loss"
    assert not judge_gate(replace(new, scores={}, seeds=[]), old, 0.5).passed
    other = replace(new, asked={"z": "key z"}, scores={(0, "z"): 1.0})
    nothing = judge_gate(other, old, 0.5)
    assert not nothing.passed and nothing.difference is None


def test_a_fall_fails_it_and_few_rows_cannot_pass() -> None:
    old = arm(0.6, seed=1, name="old")
    worse = judge_gate(arm(0.4, seed=2), old, 0.02)
    assert not worse.passed and worse.reason.startswith("it is worse: −")
    near = judge_gate(arm(0.6, seed=2), old, 0.02)
    assert not near.passed and "not ruled out" in near.reason
    least = count_rows_to_pass(0.02)
    few, enough = arm(0.6, least - 1, name="old"), arm(0.6, least, name="old")
    short = judge_gate(few, few, 0.02)
    assert not short.passed and f"takes {least} even if no answer changes" in short.reason
    assert judge_gate(enough, enough, 0.02).passed


def test_the_gate_lets_few_worse_runs_through() -> None:
    """A run that is truly 5 points worse passes a margin of 5 in about 5% of draws."""
    passed = 0
    for seed in range(200):
        old, new = arm(0.8, 200, 2 * seed), arm(0.75, 200, 2 * seed + 1)
        passed += is_no_worse(compare(new.scores, old.scores, alpha=0.1), 0.05)
    assert passed <= 19  # the 99.5th percentile of 5%


def test_an_arm_from_its_rows() -> None:
    rows = [
        ResultRow("a", 0, "scored", "e1", "g", value=0.0, lenient=1.0),
        ResultRow("a", 0, "scored", "e2", value=1.0, lenient=1.0),
        ResultRow("a", 1, "failed", cause="out of memory"),
    ]
    own = collect_arm("run/a", rows, {"e1": "k1", "e2": "k2"}, "lenient")
    assert own.scores == {(0, "e1"): 1.0, (0, "e2"): 1.0}
    assert own.seeds == [0, 1] and own.failed == [1]
    assert own.groups == {"e1": "g", "e2": "e2"}
    assert own.count_unanswered(["e1", "e2"]) == 2
    assert own.fill(["e1"]) == {(0, "e1"): 1.0, (1, "e1"): 0.0}
