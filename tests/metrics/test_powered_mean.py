"""The share of good answers from a judge and a few people: right on average, wide enough."""

from __future__ import annotations

import random

import pytest

from whatworks.metrics.powered_mean import estimate_powered_mean


def draw(
    rng: random.Random, rate: float, sensitivity: float, specificity: float, count: int
) -> tuple[list[float], list[float]]:
    human = [float(rng.random() < rate) for _ in range(count)]
    judged = [float(rng.random() < (sensitivity if one else 1 - specificity)) for one in human]
    return human, judged


@pytest.mark.parametrize(
    ("rate", "sensitivity", "specificity"),
    [(0.3, 0.9, 0.9), (0.7, 0.7, 0.8), (0.9, 0.95, 0.5), (0.3, 0.5, 0.5), (0.05, 1.0, 1.0)],
)
def test_the_interval_holds_the_truth_whatever_the_judge(
    rate: float, sensitivity: float, specificity: float
) -> None:
    rng = random.Random(1)
    inside, total, bias = 0, 400, 0.0
    for _ in range(total):
        _, verdicts = draw(rng, rate, sensitivity, specificity, 100)
        human, judged = draw(rng, rate, sensitivity, specificity, 40)
        share = estimate_powered_mean(verdicts, human, judged)
        assert 0 <= share.low <= share.value <= share.high <= 1
        inside += share.low <= rate <= share.high
        bias += (share.value - rate) / total
    assert inside / total >= 0.92  # 95% wanted; below 92% comes by chance once in 300
    assert abs(bias) < 0.015


def test_a_good_judge_makes_it_narrower_and_a_useless_one_no_wider() -> None:
    rng = random.Random(2)
    people = [float(rng.random() < 0.6) for _ in range(40)]
    alone = estimate_powered_mean([0.0, 1.0] * 200, people, [0.0, 1.0] * 20)
    verdicts = [float(rng.random() < 0.6) for _ in range(400)]
    good = estimate_powered_mean(verdicts, people, people)
    assert good.high - good.low < 0.75 * (alone.high - alone.low)
    assert alone.value == pytest.approx(sum(people) / 40, abs=0.03)


def test_a_few_labels_that_all_agree_still_leave_a_width() -> None:
    share = estimate_powered_mean([1.0] * 50, [1.0] * 8, [1.0] * 8)
    assert share.value == 1.0 and share.low < 0.85
    with pytest.raises(ValueError, match="two"):
        estimate_powered_mean([1.0] * 50, [1.0], [1.0])
