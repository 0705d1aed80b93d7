"""Kind, strict and lenient score and feedback on answers made by hand; ViGGO read whole."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.data.meaning_representation import MalformedMR, parse
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.registry import load

DATA = Path(os.environ.get("WHATWORKS_DATA", Path(__file__).parents[2] / "../shared/data"))
MR = "inform(name[A], genres[x, y])"
PERSON = '{"name": "Bo", "age": 41, "tags": ["a", "b"]}'
SCHEMA = {"type": "object", "required": ["name"], "properties": {"age": {"type": "integer"}}}
LABELS = ["card_lost", "card_lost_abroad", "top_up"]

CASES: list[tuple[str, str, str, str, float, str, dict[str, Any]]] = [
    # metric, target, answer, kind, lenient, words of the feedback, options
    ("exact", "Bo", " Bo\n", "correct", 1, "", {}),
    ("exact", "Bo", "bo.", "wrong", 1, "give only the answer", {}),
    ("exact", "Bo", "Al", "wrong", 0, "said 'Al', wanted 'Bo'", {}),
    ("exact", "Bo", "", "wrong", 0, "said nothing", {}),
    ("normalised", "U.S.", "the us", "correct", 1, "", {}),
    ("normalised", "Bo", "It is Bo.", "wrong", 1, "give only the answer", {}),
    ("normalised", "A", "B", "wrong", 0, "wanted 'A'", {}),
    ("contains", "Bo", "It is Bo.", "correct", 1, "", {}),
    ("contains", "Bo", "Bob", "wrong", 0, "wanted 'Bo'", {}),
    ("contains", "A", "The answer is A.", "correct", 1, "", {}),
    ("contains", "(A)", "Option A, since it rains", "correct", 1, "", {}),
    ("contains", "A", "It is a dog, the answer", "wrong", 0, "wanted 'A'", {}),
    ("contains", "A", "An AB", "wrong", 0, "wanted 'A'", {}),
    ("contains", "a", "So: a) rain", "correct", 1, "", {}),
    ("contains", "a", "It is a dog.", "wrong", 0, "wanted 'a'", {}),
    ("normalised", "A", "The answer is A.", "wrong", 1, "give only the answer", {}),
    ("facts", "A", "The answer is A.", "wrong", 1, "give only the answer", {}),
    ("numeric", "1,200", "$1200.00", "correct", 1, "", {}),
    ("numeric", "1 + 1 = 2 #### 2", "One and one: 2", "correct", 1, "", {}),
    ("numeric", "0", "0.0", "correct", 1, "", {}),
    ("numeric", "12", "3 and 9 make 12.", "wrong", 1, "give only the answer", {}),
    ("numeric", "12", "12 or 13", "wrong", 0, "wanted '12'", {}),
    ("numeric", "100", "101", "correct", 1, "", {"relative": 0.01}),
    ("numeric", "100", "102", "wrong", 0, "wanted", {"relative": 0.01}),
    ("numeric", "-0.5", "−.5", "correct", 1, "", {}),
    ("category", "top_up", "top_up", "correct", 1, "", {"labels": LABELS}),
    ("category", "top_up", "card_lost", "wrong", 0, "wanted 'top_up'", {"labels": LABELS}),
    ("category", "top_up", "Top up", "malformed", 1, "no category id", {"labels": LABELS}),
    ("category", "card_lost", "it: card_lost_abroad", "malformed", 0, "no cat", {"labels": LABELS}),
    ("category", "top_up", "top_up or card_lost", "malformed", 0, "no cat", {"labels": LABELS}),
    ("json", PERSON, '{"tags":["a","b"],"age":41.0,"name":"Bo"}', "correct", 1, "", {}),
    ("json", PERSON, f"Here: ```json\n{PERSON}\n```", "malformed", 1, "not one JSON value", {}),
    ("json", PERSON, '{"name": "Bo"', "malformed", 0, "line 1 column 14", {}),
    ("json", PERSON, PERSON.replace("41", '"41"'), "wrong", 0, "$.age is string", {}),
    ("json", PERSON, '{"name": "Bo", "age": 41}', "wrong", 0, 'missing $.tags[] = "a"', {}),
    ("json", PERSON, PERSON.replace('"a", "b"', '"b", "a"'), "wrong", 0, "the order", {}),
    ("json", PERSON, PERSON.replace('"a", "b"', '"b", "a"'), "correct", 1, "", {"order": False}),
    ("json", PERSON, '{"age": 1.5}', "malformed", 0, "'name' is a required", {"schema": SCHEMA}),
    ("json", '{"a": 1}', '{"a": 1, "a": 1}', "malformed", 0, "stands twice", {}),
    ("json", "1", "true", "wrong", 0, "$ is boolean, wanted number", {}),
    ("json", "1", "NaN", "malformed", 0, "NaN is not JSON", {}),
    ("mr", MR, "inform( genres[y,x] ,name[A] )", "correct", 1, "", {}),
    ("mr", MR, "inform(genres[x, y], name[A])", "wrong", 1, "another order", {"order": True}),
    ("mr", MR, f"Sure: {MR}.", "malformed", 1, "not of the form", {}),
    ("mr", MR, "1.inform(name[a], genres[x, y])", "malformed", 1, "not of the form", {}),
    ("mr", "give-me.x(a[b])", "So: give-me.x(a[b])!", "malformed", 1, "not of the form", {}),
    ("mr", MR, "inform(name[A], genres[x, y]", "malformed", 0, "',' or ')'", {}),
    ("mr", MR, "request(name[A], genres[x])", "wrong", 0, "act 'request'", {}),
    ("mr", MR, "inform(name[A])", "wrong", 0, "missing genres[x, y]", {}),
]


@pytest.mark.parametrize(
    ("name", "target", "text", "kind", "lenient", "says", "options"),
    CASES,
    ids=[f"{case[0]}-{case[2][:20]!r}" for case in CASES],
)
def test_answers_by_hand(
    name: str,
    target: str,
    text: str,
    kind: str,
    lenient: float,
    says: str,
    options: dict[str, Any],
):
    example = Example(id="e", target=target)
    score = load(MetricSpec(name=name, options=options), [example])(example, text)
    assert (score.kind, score.value) == (kind, float(kind == "correct"))
    assert score.forgiving == lenient
    assert says in score.feedback and bool(says) == bool(score.feedback)


def test_a_schema_that_cannot_be_read_is_told_with_place_and_remedy(tmp_path: Path):
    torn = tmp_path / "torn.json"
    torn.write_text("{")
    for path, cause in ((torn, "is no JSON"), (tmp_path / "none.json", "No such file")):
        with pytest.raises(InputError, match=cause) as caught:
            load(MetricSpec(name="json", options={"schema": str(path)}))
        assert caught.value.place == str(path) and "JSON Schema" in caught.value.remedy


def test_category_learns_its_labels_from_train_and_never_from_an_answer():
    train = [Example(id=str(i), target=one) for i, one in enumerate(LABELS)]
    metric = load(MetricSpec(name="category"), train)
    assert metric(train[0], "top_up").kind == "wrong"
    assert metric(train[0], "card_found").kind == "malformed"


def test_parts_of_a_meaning_representation():
    example = Example(id="e", target="inform(name[A], genres[x, y])")
    parts = load(MetricSpec(name="mr"))(example, "inform(name[B], genres[x], esrb[T])").parts
    assert parts["slot_f1"] == pytest.approx(2 * 2 / 5)
    assert parts["value_f1"] == pytest.approx(2 * 1 / 6)
    assert (parts["act"], parts["unordered"]) == (1.0, 0.0)


def test_every_representation_of_viggo_is_read_and_equals_itself():
    files = sorted((DATA / "viggo").glob("*.csv"))
    if not files:
        pytest.skip("no ViGGO data: set WHATWORKS_DATA to a folder with viggo/*.csv")
    tables = [file.read_text("utf-8").splitlines(keepends=True) for file in files]
    texts = [row["mr"] for table in tables for row in csv.DictReader(table)]
    assert len(texts) > 6_000
    metric = load(MetricSpec(name="mr"))
    for text in dict.fromkeys(texts):
        score = metric(Example(id="e", target=text), text)
        assert (score.value, score.kind) == (1.0, "correct"), text
        assert set(score.parts.values()) == {1.0}
        assert parse(str(parse(text))) == parse(text)
        assert text.count("[") == len(parse(text).slots)


names = st.from_regex(r"[a-z_][a-z0-9_.-]{0,6}", fullmatch=True)
values = st.text(st.sampled_from("ab :/'&"), min_size=1, max_size=6).filter(str.strip)


@given(names, st.lists(st.tuples(names, st.lists(values, max_size=3)), max_size=4))
def test_what_is_written_is_read_back(act: str, slots: list[tuple[str, list[str]]]):
    written = [f"{name}[{', '.join(items)}]" for name, items in slots]
    text = f"{act}({', '.join(written)})"
    read = parse(text)
    assert read.act == act and [slot.name for slot in read.slots] == [name for name, _ in slots]
    tidy = [sorted(" ".join(item.split()) for item in items) for _, items in slots]
    assert [list(slot.items) for slot in read.slots] == tidy
    for cut in range(len(text)):
        with pytest.raises(MalformedMR):
            parse(text[:cut])
