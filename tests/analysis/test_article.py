"""The article's lines: confirmed, refuted or open by the study's own comparison."""

from __future__ import annotations

import pytest

from whatworks.analysis.article import ArticleArm, judge_article
from whatworks.analysis.comparison import Comparison

ROWS = 60


def make_arm(name: str, rate: float, form: Comparison | None = None) -> ArticleArm:
    """An arm that is right on the first rows."""
    scores = {(0, f"q{i}"): float(i < rate * ROWS) for i in range(ROWS)}
    return ArticleArm(name, name, rate, scores, scores, form)


def judge(*arms: ArticleArm, asks_facts: bool = True) -> dict[str, str]:
    found = judge_article(arms, "zero-shot", {}, min_effect=0.02, asks_facts=asks_facts)
    return {one.line: one.answer for one in found}


def test_a_study_of_facts_confirms_what_it_shows():
    arms = [make_arm(*one) for one in (("zero-shot", 0.3), ("sft", 0.1), ("rag", 0.6))]
    both, shots = make_arm("rag+sft", 0.9), make_arm("few-shot", 0.3)
    assert judge(*arms, both, shots) == {
        "Tuning does not teach facts": "confirmed",
        "Notes in the prompt bring facts": "confirmed",
        "Notes and tuning together beat notes alone": "confirmed",
        "A prompt may do what tuning does": "confirmed",
    }


def test_a_study_refutes_as_well():
    arms = [make_arm(*one) for one in (("zero-shot", 0.3), ("sft", 0.9), ("rag", 0.1))]
    assert judge(*arms, make_arm("few-shot", 0.3)) == {
        "Tuning does not teach facts": "refuted",
        "Notes in the prompt bring facts": "refuted",
        "A prompt may do what tuning does": "refuted",
    }


def test_what_the_rows_do_not_tell_is_open():
    arms = [make_arm("zero-shot", 0.3), make_arm("sft", 0.35)]
    assert judge(*arms) == {"Tuning does not teach facts": "open"}


def test_facts_are_not_spoken_of_where_the_input_says_all():
    assert not judge(make_arm("zero-shot", 0.3), make_arm("sft", 0.9), asks_facts=False)


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [(0.1, 0.4, "confirmed"), (-0.4, -0.1, "refuted"), (-0.1, 0.2, "open")],
)
def test_form_is_judged_by_the_form_of_answers(low: float, high: float, answer: str):
    gain = Comparison((low + high) / 2, low, high, 0.01, "bootstrap", 60, 60, 1, 0.1, 0.0)
    lines = judge(make_arm("zero-shot", 0.3), make_arm("sft", 0.5, gain), asks_facts=False)
    assert lines == {"Tuning teaches form": answer}
