"""What an arm is expected to bring: the formula, its interval, and how predictions are judged."""

from __future__ import annotations

import random

import pytest

from whatworks.analysis.comparison import Estimate
from whatworks.analysis.next_step.gain import Measured, Share, predict_gain
from whatworks.analysis.next_step.predictions import (
    Prediction,
    describe_outcomes,
    hold_against,
)


def make_rows(values: list[float], *, per_group: int = 1) -> list[Share]:
    return [Share(f"g{i // per_group}", value) for i, value in enumerate(values)]


def test_the_gain_is_the_share_reached_times_what_mended_less_what_broke():
    # 40 of 100 rows are reached, 80% of rows like them were mended; 30 at risk, 10% broke.
    known = Measured(
        reached=make_rows([1.0] * 40),
        mended=make_rows([1.0] * 160 + [0.0] * 40),
        at_risk=make_rows([1.0] * 30),
        broken=make_rows([1.0] * 20 + [0.0] * 180),
    )
    gain = predict_gain(known, 100)
    assert gain.value == pytest.approx(0.4 * 0.8 - 0.3 * 0.1, abs=0.01)
    assert gain.low < gain.value < gain.high
    # What is not read among other passages brings less.
    half = Measured(known.reached, known.mended, read=make_rows([1.0] * 50 + [0.0] * 50))
    assert predict_gain(half, 100).value == pytest.approx(0.4 * 0.8 * 0.5, abs=0.015)


def test_few_groups_widen_the_interval():
    alone = predict_gain(Measured(make_rows([1.0] * 40), make_rows([1.0] * 8 + [0.0] * 4)), 100)
    one = Measured(make_rows([1.0] * 40, per_group=10), make_rows([1.0] * 8 + [0.0] * 4))
    grouped = predict_gain(one, 100)
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)
    with pytest.raises(ValueError, match="nothing was measured"):
        predict_gain(Measured(make_rows([1.0]), ()), 10)


def test_the_interval_holds_what_comes_in_95_of_100_worlds():
    rng, held = random.Random(0), 0
    for _ in range(300):
        rate, risk = rng.random(), rng.random() * 0.3
        mended = make_rows([float(rng.random() < rate) for _ in range(10)])
        broken = make_rows([float(rng.random() < risk) for _ in range(12)])
        known = Measured(make_rows([1.0] * 30), mended, (), make_rows([1.0] * 40), broken)
        came = sum(rng.random() < rate for _ in range(30)) - sum(
            rng.random() < risk for _ in range(40)
        )
        gain = predict_gain(known, 100)
        held += gain.low <= came / 100 <= gain.high
    assert 0.91 <= held / 300 <= 1.0


def test_predictions_are_held_against_what_came():
    made = [
        Prediction("b", "a", "half is not found", Estimate(0.2, 0.1, 0.3), 60.0),
        Prediction("c", "a", "no form", Estimate(0.1, 0.05, 0.15), 30.0),
        Prediction("d", "a", "not run", Estimate(0.1, 0.0, 0.2), 30.0),
    ]
    outcomes = hold_against(made, {"a": 0.5, "b": 0.75, "c": 0.4, "d": None}, {"b": 70.0})
    assert [one.within for one in outcomes] == [True, False, False]
    assert outcomes[0].seconds == 70.0
    assert describe_outcomes(outcomes) == (
        "Of 2 predicted gains on dev, 1 came out within the interval; what came was off by "
        "12.5 points on average (−7.5 in the mean)."
    )
    assert describe_outcomes(outcomes[2:]) == ""
    assert made[0].in_words == (
        "b: half is not found; expected +20.0 [+10, +30] points on dev over a; 1 min"
    )
