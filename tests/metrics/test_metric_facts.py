"""Short answers with aliases, and the rules that tell an abstention from an answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.abstention import MAX_LENGTH, is_abstention
from whatworks.metrics.registry import find_unscorable, load

FACTS = load(MetricSpec(name="facts"))


def example(target: str = "Paris", **meta: Any) -> Example:
    return Example(id="e", inputs={"question": "?"}, target=target, meta=meta)


def sentences(name: str) -> list[str]:
    lines = (Path(__file__).parent / f"{name}.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def quality(suffix: str = "") -> tuple[int, float, float]:
    """Labelled sentences, precision and recall of the rules on them."""
    yes, no = sentences(f"abstentions{suffix}"), sentences(f"answers{suffix}")
    assert not set(yes) & set(no)
    found, false = sum(map(is_abstention, yes)), sum(map(is_abstention, no))
    return len({*yes, *no}), found / (found + false), found / len(yes)


def test_rules_on_the_sentences_they_were_written_with():
    count, precision, recall = quality()
    assert count >= 300
    assert precision >= 0.995 and recall >= 0.995  # measured: 1.0 and 1.0


def test_rules_on_sentences_written_afterwards():
    count, precision, recall = quality("_fresh")
    assert count == 100
    assert precision >= 0.97 and recall >= 0.88  # measured: 1.0 and 0.9


@pytest.mark.parametrize(
    ("text", "kind", "value", "lenient"),
    [
        ("Paris", "correct", 1.0, 1.0),
        ("  the PARIS. ", "correct", 1.0, 1.0),
        ("City of Light", "correct", 1.0, 1.0),
        ("It is Paris, in France.", "wrong", 0.0, 1.0),
        ("They call it the City of Light.", "wrong", 0.0, 1.0),
        ("Parisian", "wrong", 0.0, 0.0),
        ("Lyon", "wrong", 0.0, 0.0),
        ("", "wrong", 0.0, 0.0),
        ("I don't know.", "abstained", 0.0, 0.0),
        ("I don't know if it was Paris or Lyon.", "abstained", 0.0, 0.0),
        ("I don't know for sure, but I think it's Paris.", "wrong", 0.0, 1.0),
    ],
)
def test_answerable_questions(text: str, kind: str, value: float, lenient: float):
    score = FACTS(example(aliases=["City of Light"]), text)
    assert (score.kind, score.value, score.forgiving) == (kind, value, lenient)
    assert score.parts == {"abstained": float(kind == "abstained")}
    assert bool(score.feedback) == (kind != "correct")
    assert kind == "correct" or "'Paris'" in score.feedback


def test_feedback_says_when_only_the_form_is_wrong():
    assert FACTS(example(), "It is Paris.").feedback.startswith("give only the answer")
    assert not FACTS(example(), "Lyon").feedback.startswith("give only the answer")


@pytest.mark.parametrize(
    ("text", "value"),
    [("I don't know.", 1.0), ("No one knows.", 1.0), ("In 1912.", 0.0), ("", 0.0), ("Rome", 0.0)],
)
def test_unanswerable_questions(text: str, value: float):
    score = FACTS(example("", answerable=False, aliases=["Rome"]), text)
    assert score.value == score.forgiving == value
    assert score.kind == ("correct" if value else "wrong")
    assert bool(score.feedback) == (not value)


def test_a_title_that_sounds_like_an_abstention_is_right_where_it_is_wanted():
    assert FACTS(example("Unknown"), "Unknown").kind == "correct"
    assert FACTS(example("Paris"), "Unknown").kind == "abstained"


@pytest.mark.parametrize(
    "bad",
    [
        example("", aliases=[]),
        example("x", aliases="not a list"),
        example("x", aliases=[1]),
        example("x", answerable="false"),
        example("x", answerable=0),
    ],
)
def test_examples_that_cannot_be_scored_against(bad: Example):
    with pytest.raises(InputError, match="example 'e'"):
        FACTS(bad, "x")
    assert list(find_unscorable(FACTS, [bad])) == ["e"]


def test_a_row_without_target_can_live_by_its_aliases():
    assert FACTS(example("", aliases=["Bo"]), "bo").value == 1.0


def test_summary_keeps_answerable_and_unanswerable_apart():
    known, open_ = example("Bo"), example("", answerable=False)
    rows = [(known, "Bo"), (known, "Al"), (known, "I don't know"), (open_, "idk"), (open_, "Al")]
    scores = [FACTS(one, text) for one, text in rows]
    assert FACTS.summary([one for one, _ in rows], scores) == {
        "accuracy": 0.4,
        "lenient_accuracy": 0.4,
        "abstention_rate": 0.4,
        "attempted_accuracy": 0.5,
        "made_up_rate": 0.5,
        "f_score": pytest.approx(2 * 0.5 * (1 / 3) / (0.5 + 1 / 3)),
        "score_at_50": pytest.approx((1 - 1 - 1) / 5),
        "score_at_75": pytest.approx((1 - 3 - 3) / 5),
        "wrong_rate": pytest.approx(2 / 5),
        "score_at_90": pytest.approx((1 - 9 - 9) / 5),
    }
    assert "made_up_rate" not in FACTS.summary([known], scores[:1])
    assert "f_score" not in FACTS.summary([open_], scores[3:4])
    assert FACTS.summary([known], scores[2:3])["f_score"] == 0.0


@pytest.mark.parametrize("text", ["I don’t know.", "**I don't know.**", "IDK", "(unknown)"])
def test_case_marks_and_curly_quotes_do_not_hide_an_abstention(text: str):
    assert is_abstention(text)


@pytest.mark.parametrize("piece", ["!", "sorry ", '"', "“", "i ", "i really ", "the a-", "no x. "])
def test_long_texts_take_little_time(piece: str):
    start = time.perf_counter()
    is_abstention((piece * MAX_LENGTH)[:MAX_LENGTH])
    is_abstention(piece * 200_000)
    assert time.perf_counter() - start < 2.0


def test_an_essay_is_no_abstention():
    assert not is_abstention("I don't know. " * MAX_LENGTH)
