"""The verdict where the truth is known: a short form of benchmarks/verdict.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
STUDIES = 40


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import verdict

    yield verdict
    for name in ("verdict", "verdict_world"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "power"),
    [("1 seed", 0.65), ("3 seeds, SD 0", 0.7), ("3 seeds, SD 7", 0.4), ("3 seeds, one of 18", 0.5)],
)
def test_the_verdict_keeps_its_word(simulator: Any, name: str, power: float) -> None:
    design = simulator.DESIGNS[name]
    found = simulator.measure(design, simulator.joint, STUDIES, follow=0)
    # 5% of 40 are 2; 6 is the 99.5th percentile.
    assert found.alarm <= 6 / STUDIES
    assert found.dismiss <= 6 / STUDIES
    assert found.cover >= 0.93
    assert found.power >= power
