"""What so many rows can show: foreseen, and then seen."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from whatworks.analysis.comparison import compare_all
from whatworks.analysis.paired_tests import ALPHA
from whatworks.analysis.rows_reach import ASSUMED, WORTH, compute_reach, measure_changes

Scores = dict[tuple[int, str], float]


def draw(rows: int, changes: float, gap: float, rng: np.random.Generator) -> tuple[Scores, Scores]:
    """Two arms that differ on a share of the rows, one of them better by ``gap``."""
    kinds = rng.choice(3, size=rows, p=[(changes + gap) / 2, (changes - gap) / 2, 1 - changes])
    right = [
        (k == 0 or (k == 2 and i % 2), k == 1 or (k == 2 and i % 2)) for i, k in enumerate(kinds)
    ]
    return (
        {(0, f"e{i}"): float(a) for i, (a, _) in enumerate(right)},
        {(0, f"e{i}"): float(b) for i, (_, b) in enumerate(right)},
    )


@pytest.mark.parametrize("rows", [100, 200])
def test_the_difference_foreseen_is_seen_four_times_in_five(rows: int) -> None:
    rng = np.random.default_rng(1)
    gap = compute_reach(60, rows, 1).test[0].chosen
    assert gap is not None
    seen = 0
    for _ in range(120):
        arm, base = draw(rows, ASSUMED, gap, rng)
        joint = compare_all({"a": arm}, base)["a"].joint
        seen += joint is not None and joint.p < ALPHA
    assert 0.68 <= seen / 120 <= 0.91


def test_dev_puts_two_arms_in_order_as_often_as_foreseen() -> None:
    rng = np.random.default_rng(2)
    rows, gap = compute_reach(60, 100, 3).dev[0]
    right = 0.0
    for _ in range(400):
        arm, base = draw(rows, ASSUMED, gap, rng)
        ahead = sum(arm.values()) - sum(base.values())
        right += 1.0 if ahead > 0 else 0.5 if ahead == 0 else 0.0
    assert right / 400 == pytest.approx(0.9, abs=0.05)


def test_more_rows_show_less_and_more_arms_cost() -> None:
    few, many = compute_reach(60, 100, 2), compute_reach(60, 100, 9)
    for found in (few, many):
        gaps = [one.chosen for one in found.test]
        assert all(a is not None and b is not None and a > b for a, b in pairwise(gaps))
    assert few.test[0].chosen == many.test[0].chosen, "half of the level is for the choice"
    assert (many.test[0].other or 0) > (few.test[0].other or 0)
    (_, ten), (_, five), (_, two) = few.takes
    assert ten < five < two
    at_five = compute_reach(60, five, 2).test[0].chosen
    assert at_five == pytest.approx(0.05, abs=0.001)
    assert compute_reach(5, 3, 2).test[0].chosen is None, "three rows show nothing"


def test_a_pilot_moves_the_assumption() -> None:
    apart = {"a": {f"r{i}": 1.0 for i in range(32)}, "b": {f"r{i}": i % 2 * 1.0 for i in range(30)}}
    changes, rows = measure_changes(apart)
    assert rows == 30 and changes == pytest.approx((30 * 0.5 + WORTH * ASSUMED) / (30 + WORTH))
    assert measure_changes({"a": apart["a"]}) == (ASSUMED, 0)
    assert measure_changes({}) == (ASSUMED, 0)
    measured = compute_reach(60, 100, 2, apart)
    assert (
        "by 30 dev rows asked for this plan two arms differ on 45% of the rows"
        in measured.lines[-1]
    )
    assumed = compute_reach(6, 10, 2, unit="group")
    assert "assuming that two arms differ on 30% of the groups" in assumed.lines[-1]
    assert "10 groups show a gain of" in assumed.lines[1]
