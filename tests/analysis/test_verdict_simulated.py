"""The verdict where the truth is known: a short form of benchmarks/verdict.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import verdict

    yield verdict
    for name in ("verdict", "verdict_world"):
        sys.modules.pop(name, None)


def check(simulator: Any, name: str, studies: int, mistakes: int, power: float) -> None:
    """``mistakes`` is the 99.5th percentile of 5% of the studies."""
    found = simulator.measure(simulator.DESIGNS[name], simulator.joint, studies, follow=0)
    assert found.alarm <= mistakes / studies
    assert found.dismiss <= mistakes / studies
    assert found.cover >= 0.93
    assert found.power >= power


@pytest.mark.parametrize(("name", "power"), [("1 seed", 0.75), ("3 seeds, SD 7", 0.3)])
def test_the_verdict_keeps_its_word(simulator: Any, name: str, power: float) -> None:
    check(simulator, name, 24, 5, power)


def test_the_tied_set_holds_the_best(simulator: Any) -> None:
    held, size = simulator.hold_best(simulator.DESIGNS["1 seed"], 60)
    assert held >= 0.9  # of 60 draws with 95%, all but five hold it in 98%
    assert 1 < size < 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "power"), [("3 seeds, SD 0", 0.7), ("3 seeds, SD 7", 0.4), ("3 seeds, one of 18", 0.5)]
)
def test_it_keeps_it_over_more_studies(simulator: Any, name: str, power: float) -> None:
    check(simulator, name, 200, 10, power)
