from __future__ import annotations

import pytest

from whatworks.stats import Comparison, compare
from whatworks.verdict import Option, choose, judge


def pair(right: int, base: int, n: int) -> Comparison:
    """An arm and a baseline whose right answers overlap as much as they can."""
    arm = {(0, str(i)): float(i < right) for i in range(n)}
    return compare(arm, {(0, str(i)): float(i < base) for i in range(n)})


def test_labels() -> None:
    found = judge(
        {
            "better": pair(80, 40, 100),
            "worse": pair(20, 60, 100),
            "too small": pair(2003, 2000, 4000),
            "unclear": pair(13, 10, 20),
            "failed": None,
        }
    )
    assert {name: verdict.label for name, verdict in found.items()} == {
        "better": "works",
        "worse": "does not work",
        "too small": "does not work",
        "unclear": "cannot tell",
        "failed": "failed",
    }
    assert found["unclear"].more_examples is not None
    assert found["unclear"].more_examples > 0
    assert "below" in found["too small"].reason


def test_correction_for_the_number_of_arms() -> None:
    """Six discordant answers, all better: p = .03 alone, not enough as one of ten arms."""
    lucky = pair(26, 20, 60)
    assert lucky.p == pytest.approx(2 / 2**6)
    assert judge({"a": lucky})["a"].label == "works"
    crowd = judge({f"arm {i}": lucky for i in range(10)})
    assert {verdict.label for verdict in crowd.values()} == {"cannot tell"}
    assert "not as one of 10" in crowd["arm 0"].reason


def test_choice_is_by_dev_and_cost() -> None:
    options = [
        Option("zero-shot", 0.50, tokens=20),
        Option("few-shot", 0.795, tokens=300),
        Option("sft", 0.79, tokens=20, trained=True),
        Option("broken", None),
    ]
    assert choose(options) == "sft", "within two points the cheaper request wins"
    assert choose(options, min_effect=0.0) == "few-shot"
    assert choose([Option("broken", None)]) is None
