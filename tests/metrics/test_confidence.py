"""Confidence that an answer states, its calibration, and what reinforcement pays for both."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.confidence import measure_calibration, split_confidence
from whatworks.metrics.pay import compute_pay
from whatworks.metrics.registry import find_unscorable, load
from whatworks.metrics.score import Score

FACTS = load(MetricSpec(name="facts", options={"confidence": True}))
PARIS = Example(id="e", inputs={"question": "?"}, target="Paris")
NOWHERE = Example(id="n", inputs={"question": "?"}, target="", meta={"answerable": False})


@pytest.mark.parametrize(
    ("text", "answer", "confidence"),
    [
        ("Paris (80%)", "Paris", 0.8),
        ("Paris [ 5 % ].", "Paris", 0.05),
        ("Paris (80% sure)", "Paris", 0.8),
        ("Paris, 99.5% certain", "Paris", 0.995),
        ("Paris. Confidence: 0.8", "Paris", 0.8),
        ("Paris\nMy confidence level is 80%", "Paris", 0.8),
        ("Paris (confidence: 1)", "Paris", 1.0),
        ("Paris (confidence: 70)", "Paris", 0.7),
        ("12% (60%)", "12%", 0.6),
        # An answer that is a share, a year in brackets, more than all, and none.
        ("12%", "12%", None),
        ("The share is 12%.", "The share is 12%.", None),
        ("Paris (1900)", "Paris (1900)", None),
        ("Paris (180%)", "Paris (180%)", None),
        ("Paris (80%) or Rome", "Paris (80%) or Rome", None),
        ("", "", None),
    ],
)
def test_confidence_is_read_at_the_end(text: str, answer: str, confidence: float | None) -> None:
    assert split_confidence(text) == (answer, confidence)


@given(st.text(max_size=120), st.integers(0, 100))
def test_any_text_is_split_and_what_is_stated_is_found(text: str, percent: int) -> None:
    rest, confidence = split_confidence(text)
    assert text.startswith(rest) and (confidence is None) == (rest == text)
    assert split_confidence(f"{text} ({percent}%)")[1] == pytest.approx(percent / 100)


@pytest.mark.parametrize(
    ("text", "kind", "strict", "lenient"),
    [
        ("Paris (80%)", "correct", 1.0, 1.0),
        ("Rome (80%)", "wrong", 0.0, 0.0),
        ("Paris", "malformed", 0.0, 1.0),
        ("I don't know", "abstained", 0.0, 0.0),
        ("I don't know (10%)", "abstained", 0.0, 0.0),
    ],
)
def test_facts_with_confidence(text: str, kind: str, strict: float, lenient: float) -> None:
    score = FACTS(PARIS, text)
    assert (score.kind, score.value, score.forgiving) == (kind, strict, lenient)
    assert FACTS.label("Paris (80%)") == FACTS.label("paris (20%)") == "paris"


def test_a_target_may_state_one_too() -> None:
    taught = PARIS.replace(target="Paris (75%)")
    assert FACTS(taught, "Paris (20%)").kind == "correct"
    assert find_unscorable(FACTS, [taught]) == {}


def test_calibration_by_hand() -> None:
    # One bin: 0.8, 0.8 with half right; another: 0.15, wrong.
    figures = measure_calibration([(0.8, 1.0), (0.8, 0.0), (0.15, 0.0)])
    assert figures["brier"] == pytest.approx((0.04 + 0.64 + 0.0225) / 3)
    assert figures["calibration_error"] == pytest.approx((2 * 0.3 + 0.15) / 3)
    assert figures["mean_confidence"] == pytest.approx(1.75 / 3)
    assert measure_calibration([(1.0, 1.0), (0.0, 0.0)])["calibration_error"] == 0.0
    rows = [PARIS, PARIS, PARIS]
    scores = [FACTS(PARIS, text) for text in ("Paris (80%)", "Rome (80%)", "I don't know")]
    figures = FACTS.summary(rows, scores)
    assert figures["brier"] == pytest.approx(0.34)  # of the two that state one
    assert "brier" not in load(MetricSpec(name="facts")).summary(rows, scores[2:] * 3)


@pytest.mark.parametrize(
    ("row", "text", "ternary", "brier"),
    [
        (PARIS, "Paris (80%)", 1.0, 1 - 0.04),
        (PARIS, "Paris (0%)", 1.0, 0.0),
        (PARIS, "Rome (80%)", -1.0, -0.64),
        (PARIS, "Rome (0%)", -1.0, 0.0),
        (PARIS, "I don't know", 0.0, 0.0),
        (PARIS, "Paris", -1.0, -1.0),  # states none
        (NOWHERE, "I don't know", 1.0, 1.0),
        (NOWHERE, "Rome (60%)", -1.0, -0.36),
    ],
)
def test_what_is_paid(row: Example, text: str, ternary: float, brier: float) -> None:
    score = FACTS(row, text)
    assert compute_pay(score, "ternary") == ternary
    assert compute_pay(score, "brier") == pytest.approx(brier)


@given(st.floats(0, 1), st.floats(0, 1))
def test_brier_pays_most_for_saying_what_one_believes(belief: float, said: float) -> None:
    """A proper score: whoever is right with that chance gains by no other confidence."""

    def expect(q: float) -> float:
        right = compute_pay(Score(1.0, "correct", parts={"confidence": q}), "brier")
        wrong = compute_pay(Score(0.0, "wrong", parts={"confidence": q}), "brier")
        return belief * right + (1 - belief) * wrong

    assert expect(belief) >= expect(said) - 1e-12


@pytest.mark.parametrize(
    ("fields", "ternary", "scored"),
    [
        ({"value": 0.4, "kind": "wrong"}, -1.0, 0.4 - 0.5),
        ({"value": 0.0, "kind": "malformed", "lenient": 1.0, "counts": "lenient"}, 1.0, 1.0),
        ({"value": 0.0, "kind": "malformed", "lenient": 1.0}, -1.0, -0.5),
        ({"value": 0.0, "kind": "abstained"}, 0.0, 0.0),
    ],
)
def test_the_score_that_counts_is_paid(
    fields: dict[str, Any], ternary: float, scored: float
) -> None:
    assert compute_pay(Score(**fields), "ternary") == ternary
    assert compute_pay(Score(**fields), wrong_costs=0.5) == pytest.approx(scored)
