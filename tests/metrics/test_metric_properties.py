"""What holds for every metric on any text: no exception, finite scores, the target scores 1."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.registry import NAMES as ALL
from whatworks.metrics.registry import find_unscorable, load
from whatworks.metrics.score import Score

NAMES = [name for name in ALL if name != "reward"]  # a model that is learned: test_reinforcement
CONTEXT = "CREATE TABLE t (a INTEGER, b TEXT)"
TARGETS = {
    "exact": "Bo Lind",
    "normalised": "Bo Lind",
    "contains": "Bo Lind",
    "numeric": "#### 1,042.5",
    "category": "card_lost",
    "json": '{"a": [1, {"b": null}], "c": "x"}',
    "mr": "inform(name[A: B], genres[x/y, z])",
    "sql": "SELECT a FROM t ORDER BY b",
    "facts": "Bo Lind",
    "chat": "You live in Bo Lind.",
    "instructions": "Bo Lind, of course",
    "judge": "Bo Lind",
    "style": "Hear, good people: Bo Lind is a baker.",
    "set": "billing; urgent",
    "tool_call": '{"name": "weather", "arguments": {"city": "Oslo"}}',
    "end_state": '{"order 7": "cancelled", "order 8": "sent"}',
    "python": "Bo Lind",
}
STYLE = {
    "wanted": [f"Hear, good people: {name} is a baker." for name in "abcdefghijklmnopqrst"],
    "others": [f"{name} works as a baker." for name in "abcdefghijklmnopqrst"],
    "embedder": "lexical",
}
OWN = {"file": str(Path(__file__).with_name("own_metric.py")), "function": "score"}
OPTIONS = {"style": STYLE, "judge": {"model": "fake:"}, "python": OWN}
CONSTRAINTS = [
    {"kind": "words", "at_least": 2, "at_most": 8},
    {"kind": "starts", "phrase": "bo"},
    {"kind": "includes", "words": ["lind"]},
]
EXAMPLES = {
    name: Example(
        id="e",
        target=target,
        meta={
            "context": CONTEXT,
            "rows": {"t": [[1, "x"], [2, "y"]]},
            "aliases": ["Bo"],
            "constraints": CONSTRAINTS,
            "script": {"state": {"order 7": "open"}},
        },
    )
    for name, target in TARGETS.items()
}
METRICS = {
    name: load(MetricSpec(name=name, options=OPTIONS.get(name, {})), [EXAMPLES[name]])
    for name in NAMES
}
COSTLY = ["sql", "style", "judge"]
PLAIN = [name for name in NAMES if name not in COSTLY]

MARKS = ["{", "}", "[", "]", "(", ")", ",", ":", ";", "```", "```json", '"', "'", "\\", "\0", "\n"]
CODE = ["SELECT", "FROM t", "WHERE", "a", "ORDER BY", "--", "/*", "inform(name[", "genres]"]
ODD = ["1e999", "-0", "NaN", "null", "true", "²", "٣", "１", "1,0", ".", "-", "\ud800", "\u2028"]
WORDS = ["I don't know", "sorry", "not sure", "card_lost", "Lind", "Bo", "the"]
fragments = st.sampled_from([*MARKS, *CODE, *ODD, *WORDS])
broken = st.sampled_from(list(TARGETS.values())).flatmap(
    lambda whole: st.builds(
        lambda at, piece, until: whole[:at] + piece + whole[until:],
        st.integers(0, len(whole)),
        fragments,
        st.integers(0, len(whole)),
    )
)
any_text = st.one_of(
    st.text(st.characters(codec=None), max_size=80),
    st.lists(fragments, max_size=12).map(" ".join),
    st.lists(fragments, max_size=12).map("".join),
    broken,
)


def check(score: Score) -> None:
    for number in (score.value, score.forgiving):
        assert math.isfinite(number) and 0.0 <= number <= 1.0
    assert score.kind in ("correct", "wrong", "abstained", "malformed")
    assert (score.kind == "correct") == (score.value == 1.0)
    assert score.forgiving >= score.value
    assert (score.feedback == "") == (score.kind == "correct")
    assert "\n" not in score.feedback
    assert all(math.isfinite(part) for part in score.parts.values())
    (score.feedback + score.label).encode("utf-8")


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=300, deadline=None)
@given(text=any_text)
def test_no_text_makes_a_metric_raise(name: str, text: str):
    score = METRICS[name](EXAMPLES[name], text)
    check(score)
    for what, figure in METRICS[name].summary([EXAMPLES[name]], [score]).items():
        assert math.isfinite(figure) and (figure >= 0.0 or what.startswith("score_at_"))


@pytest.mark.parametrize("name", COSTLY)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=any_text)
def test_no_text_makes_a_costly_metric_raise(name: str, text: str):
    check(METRICS[name](EXAMPLES[name], text))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["", " \n", "\0", "9" * 5_000, "[" * 5_000, "a(" * 5_000])
def test_degenerate_texts(name: str, text: str):
    score = METRICS[name](EXAMPLES[name], text)
    check(score)
    assert score.value == 0.0
    structured = name in ("category", "json", "mr", "sql", "set", "tool_call", "end_state")
    if not text.strip():
        assert score.kind == ("malformed" if structured else "wrong")


@pytest.mark.parametrize("name", NAMES)
def test_the_target_scores_1_and_the_same_each_time(name: str):
    metric, example = METRICS[name], EXAMPLES[name]
    assert metric.name == name
    assert metric(example, example.target) == metric(example, example.target)
    assert metric(example, example.target).kind == "correct"
    assert find_unscorable(metric, [example]) == {}
    assert metric.summary([], []) == {}


@given(target=st.text(max_size=40).filter(str.strip), aliases=st.lists(st.text(max_size=9)))
def test_facts_give_any_target_and_any_alias_full_marks(target: str, aliases: list[str]):
    example = Example(id="e", target=target, meta={"aliases": aliases})
    for one in (target, *filter(str.strip, aliases)):
        score = METRICS["facts"](example, one)
        assert score.kind == "correct" and score.value == 1.0


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("fact", {}, "did you mean 'facts'"),
        ("exact", {"case": True}, "this has no options"),
        ("numeric", {"tolerence": 1}, "did you mean 'tolerance'"),
        ("numeric", {"tolerance": -1}, "cannot be -1"),
        ("numeric", {"relative": float("inf")}, "cannot be inf"),
        ("category", {"labels": []}, "needs labels"),
        ("category", {"labels": "card"}, "cannot be 'card'"),
        ("json", {"schema": {"type": "nonsense"}}, "not a valid JSON Schema"),
        ("json", {"schema": {"$ref": "http://example.org/x"}}, "which it does not hold"),
        ("json", {"schema": "no/such/file.json"}, "cannot read"),
        ("sql", {"seconds": 0}, "cannot be 0"),
        ("style", {"others": ["a"]}, "needs the option 'wanted'"),
        ("style", {"wanted": "no/such.txt"}, "no/such.txt"),
    ],
)
def test_what_cannot_be_loaded_is_said(name: str, options: dict[str, Any], says: str):
    with pytest.raises(InputError) as caught:
        load(MetricSpec(name=name, options=options))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "target"), [("numeric", "many"), ("json", "{"), ("mr", "inform("), ("sql", "DROP t")]
)
def test_a_target_that_cannot_be_scored_against_is_the_users_mistake(name: str, target: str):
    bad = Example(id="row 7", target=target, meta={"context": CONTEXT})
    with pytest.raises(InputError, match="row 7"):
        METRICS[name](bad, "1")
    assert list(find_unscorable(METRICS[name], [EXAMPLES[name], bad])) == ["row 7"]


@pytest.mark.parametrize("number", [-0.1, 1.1, math.nan, math.inf])
def test_a_score_out_of_range_cannot_be_made(number: float):
    with pytest.raises(ValueError, match="must lie in"):
        Score(number, "wrong")
    with pytest.raises(ValueError, match="must lie in"):
        Score(0.0, "wrong", lenient=number)
