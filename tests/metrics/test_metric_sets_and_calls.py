"""Sets of labels, calls of tools, and functions of the user's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.base.errors import InputError
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.registry import find_refused, find_unscorable, load, resolve_metric

labels = st.frozensets(st.text("abcdefg ", min_size=1).map(str.strip).filter(bool), min_size=1)


@pytest.mark.parametrize("divider", [";", "|", ",", "\n"])
@given(wanted=labels, data=st.data())
def test_a_set_is_the_same_in_any_order(divider: str, wanted: frozenset[str], data: Any):
    metric = load(MetricSpec(name="set", options={"divider": divider}))
    order = data.draw(st.permutations(sorted(wanted)))
    example = Example(id="e", target=divider.join(sorted(wanted)))
    assert metric(example, f"{divider} ".join(order)).value == 1.0
    assert metric(example, json.dumps(order)).value == 1.0
    assert metric(example, divider.join([*order, "z"])).value == 0.0


@pytest.mark.parametrize(
    ("target", "text", "value", "lenient", "kind", "jaccard"),
    [
        ("a; b", "b; a", 1, 1, "correct", 1),
        ("a; b", "a;b;a", 1, 1, "correct", 1),
        ("a; b", "a", 0, 0, "wrong", 1 / 2),
        ("a; b", "a; b; c", 0, 0, "wrong", 2 / 3),
        ("a; b", "A; b.", 0, 1, "wrong", 0),
        ("a; b", "", 0, 0, "malformed", 0),
        ("a; b", "a and b", 0, 0, "wrong", 0),
        ("", "", 1, 1, "correct", 1),
        ("", "a", 0, 0, "wrong", 0),
        ('["a", "b"]', "a; b", 1, 1, "correct", 1),
    ],
)
def test_sets_by_hand(target, text, value, lenient, kind, jaccard):
    score = load(MetricSpec(name="set"))(Example(id="e", target=target), text)
    assert (score.value, score.forgiving, score.kind) == (value, lenient, kind)
    if jaccard or kind == "malformed":
        assert score.parts["jaccard"] == pytest.approx(jaccard)


def test_figures_of_sets_are_those_worked_out_by_hand():
    rows = [Example(id=str(i), target=t) for i, t in enumerate(("a; b", "b; c", "c"))]
    metric = load(MetricSpec(name="set"), rows)
    scores = [metric(row, text) for row, text in zip(rows, ("a; b", "b", "a"), strict=True)]
    figures = metric.summary(rows, scores)
    # Wanted 5, said 4, common 3; a: 1 of 1 and 2, b: 2 of 2 and 2, c: 0 of 2 and 0.
    assert figures["micro_f1"] == pytest.approx(2 * 3 / 9)
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert figures["exact_set"] == pytest.approx(1 / 3)
    assert figures["jaccard"] == pytest.approx((1 + 1 / 2 + 0) / 3)


CALL = {"name": "weather", "arguments": {"city": "Oslo", "days": 3, "units": ["c", "mm"]}}


@pytest.mark.parametrize(
    ("said", "value"),
    [
        (CALL, 1),
        ([CALL], 1),
        ({"name": "weather", "parameters": CALL["arguments"]}, 1),
        ({"type": "function", "function": CALL}, 1),
        ({"function": {"name": "weather", "arguments": json.dumps(CALL["arguments"])}}, 1),
        ({"tool_calls": [{"id": "1", "function": CALL}]}, 1),
        ({**CALL, "arguments": {**CALL["arguments"], "city": "oslo"}}, 1),
        ({**CALL, "arguments": {**CALL["arguments"], "days": 3.0}}, 1),
        ({**CALL, "arguments": {**CALL["arguments"], "days": "3"}}, 0),
        ({**CALL, "arguments": {**CALL["arguments"], "days": 4}}, 0),
        ({**CALL, "arguments": {**CALL["arguments"], "days": True}}, 0),
        ({**CALL, "arguments": {**CALL["arguments"], "units": ["mm", "c"]}}, 0),
        ({**CALL, "arguments": {**CALL["arguments"], "wind": True}}, 0),
        ({**CALL, "arguments": {"city": "Oslo", "days": 3}}, 0),
        ({**CALL, "name": "forecast"}, 0),
        ([CALL, CALL], 0),
        ({"name": "weather"}, 0),
        ({"arguments": {}}, 0),
        ([], 0),
        ("weather(Oslo)", 0),
    ],
)
def test_calls_are_compared_by_name_and_arguments(said: Any, value: float):
    example = Example(id="e", target=json.dumps(CALL))
    score = load(MetricSpec(name="tool_call"))(example, json.dumps(said))
    assert score.value == value, score.feedback
    tagged = f"<tool_call>\n{json.dumps(said)}\n</tool_call>"
    assert load(MetricSpec(name="tool_call"))(example, tagged).value == value


def test_calls_in_any_order_in_prose_and_with_other_right_values():
    metric = load(MetricSpec(name="tool_call"))
    other = {"name": "time", "arguments": {"city": "Rome"}}
    both = Example(id="e", target=json.dumps([CALL, other]))
    assert metric(both, json.dumps([other, CALL])).value == 1.0
    two = f"<tool_call>{json.dumps(other)}</tool_call>\n<tool_call>{json.dumps(CALL)}</tool_call>"
    assert metric(both, two).value == 1.0
    assert metric(both, json.dumps([CALL])).value == 0.0
    one = Example(id="e", target=json.dumps(other))
    score = metric(one, f"I will call it: {json.dumps(other)}")
    assert (score.value, score.forgiving, score.kind) == (0.0, 1.0, "malformed")
    accepted = [{"time": {"city": ["Rome", "Roma"], "zone": ["CET", ""]}}]
    free = Example(id="e", target=json.dumps(other), meta={"accepted": accepted})
    for city, zone, value in (("Roma", "CET", 1), ("Rome", "UTC", 0), ("Oslo", "CET", 0)):
        said = {"name": "time", "arguments": {"city": city, "zone": zone}}
        assert metric(free, json.dumps(said)).value == value
    assert metric(free, json.dumps(other)).value == 1.0
    for wrong in ("hello", '{"a": 1}'):
        with pytest.raises(InputError, match="no call of a tool"):
            metric(Example(id="e", target=wrong), "x")


OWN = """
def score(example, text):
    if text == "raise":
        raise ValueError("no such thing")
    if text == "odd":
        return "1"
    if text == "much":
        return 1.5
    return 1.0 if text == example.target else len(text) / 100
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "my_metric.py").write_text(OWN)
    return tmp_path


def test_a_function_of_the_users_own_scores(own: Path, capsys: pytest.CaptureFixture[str]):
    spec = resolve_metric({"python": "my_metric.py:score"}, own)
    metric, example = load(spec), Example(id="row 4", target="abc")
    assert capsys.readouterr().err == ""  # not run before there is something to score
    assert metric(example, "abc").kind == "correct"
    assert "running" in capsys.readouterr().err
    assert metric(example, "x").value == 0.01 and metric(example, "x").kind == "wrong"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [("raise", "no such thing"), ("odd", "returned"), ("much", "returned"), ("raise", "row 4")],
)
def test_an_error_in_it_is_no_score(own: Path, text: str, says: str):
    metric = load(resolve_metric({"python": "my_metric.py:score"}, own))
    with pytest.raises(InputError, match=says):
        metric(Example(id="row 4", target="abc"), text)
    assert list(find_refused(metric, [Example(id="row 4", target="raise")])) == ["row 4"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("my_metric.py:other", OWN, "no function 'other'"),
        ("absent.py:score", OWN, "no such file"),
        ("my_metric.py:score", "def score(:", "cannot be run"),
        ("my_metric.py:score", "import no_such_package_here", "cannot be run"),
        ("my_metric.py:score", "raise SystemError('x')", "cannot be run"),
    ],
)
def test_a_file_without_such_a_function_is_told_of(own: Path, name: str, content: str, says: str):
    (own / "my_metric.py").write_text(content)
    with pytest.raises(InputError, match=says):
        load(resolve_metric({"python": name}, own))(Example(id="e", target="x"), "x")


@pytest.mark.parametrize("name", ["my_metric", "my_metric.py", "score", "a.txt:score", "m.py:1x"])
def test_what_names_no_function_is_refused_at_once(own: Path, name: str):
    with pytest.raises(InputError, match="names no function"):
        resolve_metric({"python": name}, own)


def test_the_content_of_the_file_counts_in_a_key(own: Path):
    before = resolve_metric({"python": "my_metric.py:score"}, own).key
    (own / "other").mkdir()
    (own / "other" / "my_metric.py").write_text(OWN)
    assert resolve_metric({"python": "other/my_metric.py:score"}, own).key == before
    (own / "my_metric.py").write_text(OWN + "\n# changed\n")
    assert resolve_metric({"python": "my_metric.py:score"}, own).key != before


def test_a_function_may_give_a_whole_score(tmp_path: Path):
    (tmp_path / "m.py").write_text(
        "from whatworks.metrics.score import Score\n"
        "def f(example, text):\n"
        "    return Score(0.5, 'wrong', 'half', lenient=1.0, parts={'half': 0.5})\n"
    )
    metric = load(resolve_metric({"python": "m.py:f"}, tmp_path))
    example = Example(id="e", target="x")
    score = metric(example, "y")
    assert (score.value, score.forgiving, score.feedback) == (0.5, 1.0, "half")
    assert metric.summary([example], [score]) == {"half": 0.5}


TABLE = "CREATE TABLE t (a INTEGER, b TEXT)"
ROWS = {"t": [[1, "x"], [1, "y"], [2, "z"], [2, "z"], [3, "w"]]}


@pytest.mark.parametrize(
    ("target", "hangs"),
    [
        ("SELECT b FROM t ORDER BY a LIMIT 1", True),
        ("SELECT b FROM t LIMIT 2", True),
        ("SELECT b FROM t ORDER BY a LIMIT 1 OFFSET 1", True),
        ("SELECT b FROM t ORDER BY a LIMIT 2", False),
        ("SELECT b FROM t ORDER BY a LIMIT 3", False),  # the tied rows are the same
        ("SELECT b FROM t ORDER BY a, b LIMIT 1", False),
        ("SELECT b FROM t ORDER BY a", False),
        ("SELECT b FROM t ORDER BY a DESC LIMIT 1", False),
        ("SELECT MAX(a) FROM t LIMIT 1", False),
    ],
)
def test_targets_that_hang_on_ties_are_told_of(target: str, hangs: bool):
    metric = load(MetricSpec(name="sql"))
    example = Example(id="e", target=target, meta={"context": TABLE, "rows": ROWS})
    assert bool(metric.doubt(example)) == hangs
    assert find_unscorable(metric, [example]) == {}


TRADE = '{"name": "find_trade", "arguments": {"town": "Arholm"}}'


@pytest.mark.parametrize(
    ("target", "text", "value", "kind"),
    [
        ("[]", "[]", 1, "correct"),
        ("[]", "I cannot look that up.", 1, "correct"),
        ("[]", "", 0, "malformed"),
        ("[]", TRADE, 0, "wrong"),
        ("[]", f"I look. {TRADE}", 0, "wrong"),
        ("[]", f"Well.\n<tool_call>{TRADE}</tool_call>", 0, "wrong"),
        ("Towns are old.", "They are.", 1, "correct"),
        ("Towns are old.", TRADE, 0, "wrong"),
        (TRADE, "[]", 0, "abstained"),
        (TRADE, "I cannot look that up.", 0, "malformed"),
        (TRADE, f"[TOOL_CALLS] [{TRADE}]", 1, "correct"),
        (TRADE, f"<|python_tag|>{TRADE}", 1, "correct"),
        (TRADE, '<function=find_trade>{"town": "Arholm"}</function>', 1, "correct"),
        (TRADE, '<function=find_town>{"town": "Arholm"}</function>', 0, "wrong"),
        (TRADE, "<function=find_trade>oh</function>", 0, "malformed"),
    ],
)
def test_where_nothing_is_to_be_called_and_the_marks_of_models(
    target: str, text: str, value: float, kind: str
):
    row = Example(id="e", target=target, meta={"tools": [{"name": "find_trade"}]})
    score = load(MetricSpec(name="tool_call"))(row, text)
    assert (score.value, score.kind) == (value, kind)


def test_a_text_where_no_functions_are_shown_is_no_target():
    row = Example(id="e", target="Towns are old.")
    with pytest.raises(InputError, match="no call"):
        load(MetricSpec(name="tool_call"))(row, "They are.")
