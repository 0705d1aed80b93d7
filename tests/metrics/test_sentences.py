"""What a real model says: the right content in the wrong form is told as that by every metric."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.json.loose import fold, read_literal
from whatworks.metrics.registry import load
from whatworks.metrics.score import Score

TABLE = {"context": "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1,'x'),(2,'y');"}
CITY = '{"city": "Rome", "guests": 3}'
QUERY = "SELECT b FROM t WHERE a = 1"
MR = "inform(name[Portal], year[2007])"


def score(metric: str, target: str, said: str, **meta: Any) -> Score:
    row = Example(id="a", inputs={"q": "x"}, target=target, meta=meta)
    labels = [row.replace(id=f"l{i}", target=t) for i, t in enumerate(("card_lost", "no_card"))]
    return load(MetricSpec(name=metric), labels if metric == "category" else [row])(row, said)


@pytest.mark.parametrize(
    ("metric", "target", "said"),
    [
        ("exact", "Brasília", "The capital of Brazil is Brasília."),
        ("exact", "A", "The answer is A."),
        ("normalised", "Brasília", "The capital of Brazil is Brasília."),
        ("facts", "Brasília", "The capital of Brazil is Brasília."),
        ("numeric", "42", "The answer is 42."),
        ("category", "card_lost", 'The label is "Card lost".'),
        ("json", CITY, f"Here is the JSON:\n```json\n{CITY}\n```"),
        ("json", CITY, "{'city': 'Rome', 'guests': 3}"),
        ("json", CITY, '{"City": "Rome", "guests": 3,}'),
        ("json", CITY, '{"city": "rome", "guests": 3.0e0}'),
        ("mr", MR, f"The meaning representation is {MR}."),
        ("sql", QUERY, f"You can use {QUERY}; which returns x."),
    ],
)
def test_the_right_content_in_a_sentence(metric: str, target: str, said: str) -> None:
    found = score(metric, target, said, **(TABLE if metric == "sql" else {}))
    assert (found.value, found.forgiving) == (0.0, 1.0), found


@pytest.mark.parametrize(
    ("metric", "target", "said"),
    [
        ("exact", "Brasília", "The capital of Brazil is Rio."),
        ("numeric", "42", "The answer is 43."),
        ("category", "card_lost", "It is card lost or no card."),
        ("json", CITY, "{'city': 'Paris', 'guests': 3}"),
        ("json", CITY, '{"city": "Rome", "guests": 4}'),
        ("json", CITY, '{"city": "Rome", "guests": null}'),
        ("json", CITY, '{"city": "Rome", "guests": "3"}'),
        ("json", '{"a": "null"}', '{"a": null}'),
        ("json", CITY, '{"city": "Rome", "guests": 3, "country": "Italy"}'),
        ("json", CITY, "The city is Rome, for 3 guests."),
        ("mr", MR, "The game is Portal, of 2007."),
        ("sql", QUERY, "You can use SELECT a FROM t; which returns x."),
    ],
)
def test_the_wrong_content_in_a_sentence(metric: str, target: str, said: str) -> None:
    found = score(metric, target, said, **(TABLE if metric == "sql" else {}))
    assert (found.value, found.forgiving) == (0.0, 0.0), found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_pythons_notation_is_read_as_the_same_value(value: dict[str, Any]) -> None:
    assert read_literal(f"Here: {value!r} is it") == value


@given(VALUES)
def test_folding_is_settled_after_once(value: Any) -> None:
    once = fold(value)
    assert fold(once) == once
    json.dumps(once)


@given(st.text())
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    read_literal(text)
    read_literal("{" + text + "}")
