"""What it would take to tell: where nothing varies, with few groups, as a range, in its unit."""

from __future__ import annotations

import math
import random

import pytest

from whatworks.analysis.comparison import compare, compare_all
from whatworks.analysis.further_rows import (
    compute_detectable_effect,
    count_fewest_groups,
    estimate_needs,
    estimate_needs_to_settle,
)
from whatworks.analysis.verdict import judge


def scores(values: list[float]) -> dict[tuple[int, str], float]:
    return {(0, f"e{i}"): value for i, value in enumerate(values)}


def test_identical_answers_take_what_rules_a_gain_out() -> None:
    """40 alike: 149 more, all alike again, bring the interval below two points."""
    found = compare(scores([1.0] * 40), scores([1.0] * 40))
    assert estimate_needs(found, 0.02).examples == 149
    assert compare(scores([1.0] * 189), scores([1.0] * 189)).high < 0.02
    assert compare(scores([1.0] * 188), scores([1.0] * 188)).high >= 0.02
    settle = estimate_needs_to_settle(found, 0.02)
    assert settle.examples is not None and settle.most is not None
    assert settle.examples <= 149 <= settle.most


def test_groups_are_what_is_counted_and_too_few_are_too_few() -> None:
    """Six groups at 100% against 0: among eight arms no seventh will do."""
    groups = {f"e{i}": str(i // 5) for i in range(30)}
    arms = {f"a{i}": scores([1.0] * 30) for i in range(8)}
    found = compare_all(arms, scores([0.0] * 30), groups)
    one = found["a0"]
    assert one.joint is not None
    # All eight move together, so the correction for their number is small: ask for one as strict.
    assert count_fewest_groups(0.05 / 8) == 9 and count_fewest_groups(0.05) == 6
    more = estimate_needs(one, one.difference, arms=8)
    assert (more.examples, more.unit) == (3, "group") and more.words == "about 3 more groups"
    apart = {name: compare(own, scores([0.0] * 30), groups) for name, own in arms.items()}
    verdict = judge(apart)["a0"]
    assert verdict.label == "cannot tell" and "6 groups cannot show" in verdict.reason
    assert verdict.detectable is None and "groups" in verdict.more


def test_a_difference_out_of_reach_is_not_called_detectable() -> None:
    groups = {f"e{i}": str(i // 5) for i in range(20)}
    found = compare(scores([1.0] * 20), scores([0.0] * 20), groups)
    assert compute_detectable_effect(found) == math.inf


def test_the_range_holds_the_single_number_and_widens_where_less_is_known() -> None:
    rng = random.Random(4)

    def pair(n: int) -> tuple[dict[tuple[int, str], float], dict[tuple[int, str], float]]:
        base = [float(rng.random() < 0.4) for _ in range(n)]
        return scores([b if rng.random() < 0.6 else float(rng.random() < 0.55) for b in base]), (
            scores(base)
        )

    found = compare(*pair(100))
    more = estimate_needs_to_settle(found, 0.02)
    gap = max(abs(found.difference), 0.02 - found.difference)
    single = estimate_needs(found, gap).examples
    assert more.examples and more.most and single
    assert more.examples <= single <= more.most
    assert " to " in more.words and more.words.endswith("more examples")
    assert "–" in more.brief


def test_a_level_that_is_stricter_asks_for_more() -> None:
    rng = random.Random(9)
    base = [float(rng.random() < 0.4) for _ in range(120)]
    arm = [b if rng.random() < 0.7 else float(rng.random() < 0.6) for b in base]
    found = compare(scores(arm), scores(base))
    lax, strict = (estimate_needs_to_settle(found, 0.02, alpha=a).most for a in (0.05, 0.005))
    assert lax is not None and strict is not None and strict > lax


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.00625, 0.001])
def test_the_fewest_groups_are_those_of_the_sign_test(alpha: float) -> None:
    fewest = count_fewest_groups(alpha)
    assert 2 * 0.5**fewest <= alpha < 2 * 0.5 ** (fewest - 1)
