"""No answer holds a metric up, whatever a model writes that has come apart, nor does a pattern."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import InputError
from whatworks.base.time_limit import OutOfTime, call_within
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.metrics.citations import strip_citations
from whatworks.metrics.constraints import KINDS
from whatworks.metrics.limits import LONGEST
from whatworks.metrics.names_and_numbers import find_entities
from whatworks.metrics.registry import load
from whatworks.metrics.score import Score
from whatworks.models.json_schema import Schema

SECONDS = 2.0
"""Most that one answer may take, here on a busy machine."""

N = 8_000
DEGENERATE = {
    "dots": "." * N,
    "dots and a letter": "." * N + "x",
    "blank lines": "\n" * N + "x",
    "blank lines after a word": "x" + "\n \n" * (N // 3) + "y",
    "dashes": "- " * (N // 2),
    "hyphens": "a-" * (N // 2),
    "title": "<<" + "a" * N,
    "titles": "<<" * (N // 2),
    "stars": "*a " * (N // 3),
    "only stars": "*" * N,
    "brackets": "[" * N,
    "citations": "[1]" * (N // 3) + "x",
    "half a citation": "x [1" + ", 1" * (N // 3),
    "spaces": "x" + " " * N + "y",
    "fence": "```" + "\n" * N,
    "fences": "```\n" * (N // 4),
    "hashes": "##\n" * (N // 3),
    "roles": "\n user" * (N // 6),
    "markers": "<|" * (N // 2),
    "digits": "9" * N,
    "grouped digits": "1" + ",111" * (N // 4) + ",",
    "points": "1." * (N // 2),
    "signs": "-" * N + "1",
    "quotes": '."' * (N // 2),
    "braces": '{"a":' * (N // 5),
    "json numbers": "[1," * (N // 3),
    "calls": "f(a[" * (N // 4),
    "capitals": "Ann Bo " * (N // 7),
    "names": " ".join(f"Name{i}x" for i in range(N // 8)),
    "semicolons": "; " * (N // 2),
    "excuses": "I do not know, but " * 100,
    "surrogates": "\ud800" * N,
    "selects": "select " * (N // 7),
    "common tables": "with a as (" * 1_800,
    "parentheses": "select " + "(" * N,
}
CONSTRAINTS: list[dict[str, Any]] = [
    {"kind": kind, "at_least": 1}
    for kind in ("words", "sentences", "paragraphs", "lines", "placeholders", "bullets", "numbered")
] + [
    {"kind": "highlights", "at_least": 1},
    {"kind": "title"},
    {"kind": "sections", "at_least": 2},
    {"kind": "sections", "marker": "##", "at_least": 2},
    {"kind": "postscript"},
    {"kind": "postscript", "marker": "P.P.S"},
    {"kind": "json"},
    {"kind": "quoted"},
    {"kind": "answers"},
    {"kind": "capital_words"},
    {"kind": "includes", "words": ["a b", "x y z"]},
    {"kind": "in_order", "words": ["a", "b"]},
    {"kind": "choice", "options": ["yes", "no"]},
    {"kind": "paragraph_starts", "number": 2, "word": "x"},
    {"kind": "language", "language": "en"},
]
METRICS: dict[str, tuple[dict[str, Any], Example]] = {
    "exact": ({}, Example(id="e", target="Bo Lind")),
    "normalised": ({}, Example(id="e", target="Bo Lind")),
    "contains": ({}, Example(id="e", target="the")),
    "numeric": ({}, Example(id="e", target="1,042.5")),
    "category": ({"labels": ["card lost", "card_stolen"]}, Example(id="e", target="card lost")),
    "json": ({}, Example(id="e", target='{"a": [1, {"b": null}]}')),
    "mr": ({}, Example(id="e", target="inform(name[A])")),
    "sql": (
        {"seconds": 0.5},
        Example(id="e", target="SELECT a FROM t", meta={"context": "CREATE TABLE t (a INTEGER)"}),
    ),
    "facts": ({}, Example(id="e", target="Bo Lind", meta={"aliases": ["Bo"]})),
    "chat": (
        {},
        Example(
            id="e",
            messages=(Message(role="user", content="I am Bo of Oslo. Who am I?"),),
            target="You are Bo of Oslo.",
        ),
    ),
    "instructions": ({"constraints": CONSTRAINTS}, Example(id="e", target="x")),
    "set": ({}, Example(id="e", target="a; b")),
    "tool_call": ({}, Example(id="e", target='{"name": "f", "arguments": {"a": 1}}')),
}


@pytest.mark.parametrize("name", ["normalised", "exact", "facts", "contains"])
def test_a_target_of_many_words_is_read_in_time(name: str) -> None:
    target = "f(a[" * 8_000
    example = Example(id="e", target=target)
    metric, began = load(MetricSpec(name=name), [example]), time.process_time()
    assert metric(example, f"{target}.").forgiving == 1.0
    assert time.process_time() - began < SECONDS


def test_every_kind_of_constraint_is_among_those_tried():
    odd = {"characters", "excludes", "letter", "uppercase", "lowercase", "without"}
    odd |= {"starts", "ends", "repeats"}  # which look at no pattern at all
    assert {one["kind"] for one in CONSTRAINTS} | odd == set(KINDS)


@pytest.mark.parametrize("name", METRICS)
def test_an_answer_that_came_apart_is_scored_in_time(name: str):
    options, example = METRICS[name]
    metric = load(MetricSpec(name=name, options=options))
    metric(example, "warm")
    for what, text in DEGENERATE.items():
        began = time.monotonic()
        score = metric(example, text)
        metric.label(text)
        # `sql` may use its half second to run, to parse, to look, and to label.
        limit = SECONDS + (2.0 if name == "sql" else 0.0)
        assert time.monotonic() - began < limit, what
        assert "not scored in" not in score.feedback, what
        assert score.value < 1.0 or name == "chat", what  # which asks for form alone


@pytest.mark.parametrize("what", DEGENERATE)
def test_citations_and_names_are_read_in_time(what: str):
    began = time.monotonic()
    strip_citations(DEGENERATE[what])
    find_entities(DEGENERATE[what], DEGENERATE[what])
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize("name", METRICS)
def test_an_answer_without_end_is_malformed_unread(name: str):
    options, example = METRICS[name]
    metric = load(MetricSpec(name=name, options=options))
    score = metric(example, "a " * LONGEST)
    assert (score.value, score.kind) == (0.0, "malformed")
    assert "200,000 characters, more than 100,000" in score.feedback
    assert (
        metric.summary([example], [score]).keys()
        >= metric.summary([example], [metric(example, "")]).keys()
    )


def test_a_long_target_makes_room_for_a_long_answer():
    target = "word " * LONGEST
    assert load(MetricSpec(name="exact"))(Example(id="e", target=target), target).value == 1.0


def _forever() -> None:
    while True:
        pass


@pytest.mark.parametrize("thread", [False, True])
def test_a_call_without_end_is_broken_off(thread: bool):
    caught: list[float] = []

    def call() -> None:
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(OutOfTime):
                call_within(0.2, _forever)
            caught.append(time.monotonic() - began)
        assert call_within(5.0, lambda x: x + 1, 1) == 2

    if thread:
        runner = threading.Thread(target=call)
        runner.start()
        runner.join(20)
    else:
        call()
    assert len(caught) == 3 and all(0.15 < seconds < SECONDS for seconds in caught)


def test_a_regular_expression_that_explodes_is_broken_off():
    import re

    with pytest.raises(OutOfTime):
        call_within(0.2, re.compile("^(a+)+$").search, "a" * 40 + "b")


def test_a_metric_that_stalls_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from dataclasses import replace

    from whatworks.metrics import registry

    def stall(example: Example, text: str, options: Any) -> Score:
        while text == "stall":
            pass
        return Score(0.0, "wrong", "no", parts={"read": 1.0})

    slow = replace(registry.find("exact"), score=stall, seconds=lambda _: 0.2)
    monkeypatch.setattr(registry, "find", lambda name: slow)
    score = load(MetricSpec(name="exact"))(Example(id="e", target="x"), "stall")
    assert score == Score(0.0, "malformed", "not scored in 0.2 s", parts={"read": 1.0})


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("^(a+)+$", "a" * 5_000 + "b"),
        ("^(a|aa)+$", "a" * 5_000 + "b"),
        ("^(a|a)*$", "a" * 5_000 + "b"),
        (r"^(\w+\s?)*$", "word " * 1_000 + "!"),
        (r"^([^@]+)+@$", "x" * 5_000),
        ("(x+x+)+y", "x" * 5_000),
    ],
)
def test_patterns_of_a_schema_are_matched_in_time(pattern: str, value: str):
    began = time.monotonic()
    assert Schema({"type": "string", "pattern": pattern}).errors(value)
    properties = {"patternProperties": {pattern: {"type": "null"}}, "additionalProperties": False}
    assert Schema({"type": "object", **properties}).errors({value: 1})
    assert time.monotonic() - began < SECONDS


def test_a_pattern_that_only_backtracking_reads_holds_no_metric_up():
    """RE2 has no look-ahead: such a pattern is Python's, under the limit of the metric."""
    schema = {"type": "string", "pattern": "^(?!b)(a+)+$"}
    assert Schema(schema).errors("aaa") == [] and Schema(schema).errors("ba")
    metric = load(MetricSpec(name="json", options={"schema": schema}))
    began = time.monotonic()
    score = metric(Example(id="e"), '"' + "a" * 60 + 'b"')
    assert time.monotonic() - began < 12.0
    assert score.kind == "malformed" and "not scored in 10 s" in score.feedback


@pytest.mark.parametrize(
    ("value", "right"),
    [({"x_1": 1}, True), ({"x_1": "a"}, False), ({"y": 1}, False), ({"n": "a", "x_2": 3}, True),
     ({"n": 1}, False), ({}, True), ({"x_": 1}, False)],
)  # fmt: skip
def test_patterns_of_properties_mean_what_they_did(value: Any, right: bool):
    schema = {
        "type": "object",
        "properties": {"n": {"type": "string"}},
        "patternProperties": {r"^x_\d+$": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert (Schema(schema).errors(value) == []) == right


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE t (a \ud800)",
        "CREATE TABLE \udfff (a)",
        "CREATE TABLE t (a TEXT DEFAULT '\ud800')",
        "\ud800",
        "CREATE TABLE t (a); INSERT INTO t VALUES ('\udc00')",
    ],
)
def test_a_schema_with_half_a_character_is_an_error_of_the_row(schema: str):
    example = Example(id="row 9", target="SELECT a FROM t", meta={"context": schema})
    with pytest.raises(InputError, match="row 9"):
        load(MetricSpec(name="sql"))(example, "SELECT a FROM t")


@pytest.mark.parametrize(
    "depth", ["with a as (" * 100, "with a as (" * 2_000, "select (" * 1_500, "select case " * 900,
              "select * from (" * 1_200]
)  # fmt: skip
def test_sql_is_parsed_within_its_seconds(depth: str):
    meta = {"context": "CREATE TABLE t (a INTEGER)"}
    example = Example(id="e", target="SELECT a FROM t", meta=meta)
    metric = load(MetricSpec(name="sql", options={"seconds": 0.5}))
    metric(example, "SELECT a FROM t")
    began = time.monotonic()
    assert metric(example, depth).kind == "malformed"
    # To parse, to run, to look for a query within it; and until a process is killed (GRACE).
    assert time.monotonic() - began < 3 * 0.5 + 2.5


def test_selects_within_selects_are_no_long_search_for_a_query():
    meta = {"context": "CREATE TABLE t (a INTEGER)"}
    example = Example(id="e", target="SELECT a FROM t", meta=meta)
    metric = load(MetricSpec(name="sql", options={"seconds": 60}))
    began = time.process_time()
    assert metric(example, "select (" * 2_400).kind == "malformed"
    assert time.process_time() - began < 2.0
    within = "I tried select (select (1 and then: " * 3 + "SELECT a FROM t"
    assert metric(example, within).forgiving == 1.0


@pytest.mark.parametrize("digits", ["12345678901234567890123456", "9" * 400, "0." + "3" * 60])
def test_a_number_of_many_digits_is_compared_or_refused(digits: str):
    metric = load(MetricSpec(name="numeric"), [Example(id="t", target="17")])
    assert metric(Example(id="e", target="17"), digits).value == 0.0
    assert metric(Example(id="e", target="17"), f"It is {digits}, or 18.").forgiving == 0.0
    assert metric(Example(id="e", target="17"), f"{digits} or so. The answer is 17.").forgiving == 1


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "return sum(i for i in range(10**12))",
        "import re; return float(bool(re.match('^(a+)+$', 'a' * 50 + 'b')))",
        "import time; time.sleep(60)",
        "x = []\n    while len(x) < 10**12: x.append(1) if len(x) < 9 else None",
        "try:\n        while True: pass\n    except Exception: return 1.0",
    ],
)
def test_a_function_of_the_users_own_is_broken_off(tmp_path: Path, body: str):
    (tmp_path / "m.py").write_text(f"def f(example, text):\n    {body}\n")
    options = {"file": str(tmp_path / "m.py"), "function": "f", "seconds": 0.3}
    metric = load(MetricSpec(name="python", options=options))
    began = time.monotonic()
    example = Example(id="e", target="x")
    found = metric(example, "y")
    assert time.monotonic() - began < 2 * SECONDS
    assert (found.kind, found.feedback) == ("malformed", "not scored in 0.3 s")
