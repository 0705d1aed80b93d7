"""Train rows for the choice, where an arm was not fitted to them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from whatworks.analysis.wider_choice import widen_scores

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import choice

    yield choice
    for name in ("choice", "verdict_world"):
        sys.modules.pop(name, None)


def test_an_arm_that_was_asked_more_has_the_mean_of_all() -> None:
    dev = {"a": {"d0": 1.0, "d1": 0.0}, "b": {"d0": 1.0, "d1": 1.0}}
    train = {"a": {"t0": 0.0, "t1": 0.0}, "b": {"t0": 1.0, "t1": 0.0}}
    assert widen_scores(dev, train) == {"a": 0.25, "b": 0.75}
    assert widen_scores(dev, {}) == {"a": 0.5, "b": 1.0}


def test_a_trained_arm_is_moved_by_the_luck_of_dev() -> None:
    dev = {
        "a": {"d0": 1.0, "d1": 1.0, "d2": 1.0, "d3": 0.0},
        "tuned": {"d0": 1.0, "d1": 1.0, "d2": 1.0, "d3": 0.0},
        "other": {"d0": 0.0, "d1": 1.0, "d2": 1.0, "d3": 1.0},
    }
    train = {"a": {"t0": 0.0, "t1": 0.0, "t2": 1.0, "t3": 0.0}}
    found = widen_scores(dev, train)
    assert found["a"] == 0.5
    assert found["tuned"] == pytest.approx(0.5), "it follows a on every row: dev was easy for it"
    assert found["other"] == 0.75, "it goes against a: nothing is known of its luck"


def test_train_rows_bring_the_choice_nearer_to_the_best(simulator: Any) -> None:
    found = simulator.measure(0.6, 0.85, 4, 200, 150)
    assert found["dev+train"].points < found["dev"].points
    assert found["all rows"].points < found["dev+train"].points
