"""Logs of every system: the calls in them, what they cost, how they were rated."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_samples import (
    ASK,
    LANGFUSE_SCORE,
    LANGSMITH_ROOT,
    LOGS,
    MLFLOW,
    REPLY,
    TURNS,
    assembled,
    langchain,
    text_part,
)

from whatworks.base.errors import InputError
from whatworks.data import LOG_FORMATS, import_logs, read, write
from whatworks.data.logs.cleaning import find_secret
from whatworks.data.task import Example, Message

Save = Callable[..., Path]


@pytest.mark.parametrize("name", LOGS)
def test_the_call_is_found(save: Save, name: str) -> None:
    log, format, meta = LOGS[name]
    for path in (save("x.json", log), save("x.jsonl", log if isinstance(log, list) else [log])):
        data = import_logs(path)
        (example,) = data.examples
        wanted = [{"role": turn["role"], "content": turn["content"]} for turn in TURNS]
        assert [m.model_dump() for m in example.messages] == wanted
        assert example.target == "Lima"
        assert dict(example.meta) == meta
        assert data.format == format


def test_every_log_format_is_tried_here() -> None:
    tried = {format for _, format, _ in LOGS.values()}
    assert {form.name for form in LOG_FORMATS} == tried | {"promptfoo-tests", "mlflow"}


def test_ids_and_traces(save: Save) -> None:
    (example,) = import_logs(save("x.json", LANGSMITH_ROOT)).examples
    assert example.id == "c1"
    assert example.group == "t1"
    (example,) = import_logs(save("x.json", MLFLOW)).examples
    assert (example.id, example.group) == ("c1", "t1")
    (example,) = import_logs(save("events.jsonl", [{"messages": [*TURNS, REPLY]}])).examples
    assert (example.id, example.group) == ("events-1", None)


def test_a_run_listed_twice_counts_once(save: Save) -> None:
    child = LANGSMITH_ROOT["child_runs"][0]  # type: ignore[index]
    data = import_logs(save("x.jsonl", [LANGSMITH_ROOT, child]))
    assert len(data.examples) == 1
    assert data.notes == ("1 calls left out: their id was there before",)


def test_tool_calls_in_every_dialect(save: Save) -> None:
    wanted = '[{"name": "add", "arguments": {"a": 1}}]'
    ai = langchain("AIMessage", "")
    ai["kwargs"]["tool_calls"] = [{"name": "add", "args": {"a": 1}, "id": "1"}]
    run = {"run_type": "llm", "inputs": {"messages": TURNS}}
    otel = {"type": "tool_call", "name": "add", "arguments": {"a": 1}}
    function = {"function": {"name": "add", "arguments": '{"a": 1}'}}
    nested = {"tool_call.function.name": "add", "tool_call.function.arguments": '{"a": 1}'}
    prefix = "llm.output_messages.0.message"
    logs = [
        {**run, "outputs": {"generations": [[{"text": "", "message": ai}]]}},
        {
            "attributes": {
                "gen_ai.input.messages": TURNS,
                "gen_ai.output.messages": [{"role": "assistant", "parts": [otel]}],
            }
        },
        {
            "attributes": {
                "llm.input_messages": [{"message": TURNS[1]}],
                f"{prefix}.role": "assistant",
                **{f"{prefix}.tool_calls.0.{key}": value for key, value in nested.items()},
            }
        },
        {"messages": [*TURNS, {"role": "assistant", "content": None, "tool_calls": [function]}]},
    ]
    data = import_logs(save("x.jsonl", logs))
    assert [example.target.strip() for example in data.examples] == [wanted] * 4


def test_tool_results_under_either_name(save: Save) -> None:
    for name in ("response", "result"):
        part = {"type": "tool_call_response", "id": "1", name: "3"}
        asks = [text_part("user", ASK), {"role": "tool", "parts": [part]}]
        spans = {"gen_ai.input.messages": asks, "gen_ai.output.messages": [REPLY]}
        (example,) = import_logs(save("x.json", {"attributes": spans})).examples
        assert example.messages[-1] == Message(role="tool", content="3")


def test_calls_that_cannot_be_used_are_counted(save: Save) -> None:
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {}}]}
    logs = [
        {"messages": [*TURNS, REPLY]},
        {"messages": [image, REPLY]},
        {"messages": TURNS},
        {"id": "z", "choices": [{"message": REPLY}]},
    ]
    data = import_logs(save("x.jsonl", logs))
    assert len(data.examples) == 1
    assert len(data.notes) == 3
    assert any("image_url" in note for note in data.notes)
    assert any("what was asked" in note for note in data.notes)


def test_promptfoo_configurations_become_examples(save: Save) -> None:
    config = """
prompts: ["Capital of {{country}}?"]
providers: [openai:m]
tests:
  - vars: {country: Peru}
    assert: [{type: latency, threshold: 5}, {type: icontains, value: Lima}]
  - vars: {country: Chile, year: 1990}
    assert: []
"""
    data = import_logs(save("promptfooconfig.yaml", config))
    assert [dict(e.inputs) for e in data.examples] == [
        {"country": "Peru"},
        {"country": "Chile", "year": "1990"},
    ]
    assert [e.target for e in data.examples] == ["Lima", ""]
    for broken in ("a: [", "a: &x [1]\nb: *x\n", "? [1, 2]\n: 3\n", "\0"):
        with pytest.raises(InputError):
            import_logs(save("x.yaml", broken))


def test_yaml_logs_are_read_as_every_yaml_file_is(save: Save) -> None:
    """Words stay words, aliases are filled in within limits, and a value may be of any kind."""
    config = """
prompts: ["Is {{country}} in Europe?"]
tests:
  - &one
    vars: {country: Norway, code: no, since: 2020-01-02, tags: !!set {a, b}, raw: !!binary aGk=}
    assert: [{type: icontains, value: "yes"}]
  - *one
"""
    data = import_logs(save("promptfooconfig.yaml", config))
    assert [e.inputs["code"] for e in data.examples] == ["no", "no"]
    assert data.examples[0].inputs["since"] == "2020-01-02"
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    bomb = "\n".join(["a0: &a0 [x, x, x]", *levels])
    with pytest.raises(InputError, match="more than 2000000 values"):
        import_logs(save("x.yaml", bomb))


def test_failed_promptfoo_results_are_no_answers(save: Save) -> None:
    def result(name: str, **more: Any) -> dict[str, Any]:
        tested = {"vars": {"x": name}, "assert": [{"type": "equals", "value": f"wanted {name}"}]}
        return {"id": name, "vars": {"x": name}, "prompt": {"raw": f"say {name}"}, **more,
                "testCase": tested}  # fmt: skip

    results = [
        result("a", response={"output": "said a"}, score=1),
        result("b", error="timeout", score=0),
        result("c", error="refused", response={}, score=0),
    ]
    data = import_logs(save("x.json", {"results": {"version": 3, "results": results}}))
    assert [e.target for e in data.examples] == ["said a"]
    assert data.notes == ("2 calls left out: no answer",)


def test_event_bodies_in_one_attribute(save: Save) -> None:
    def event(name: str, body: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "attributes": {"gen_ai.event.content": json.dumps(body)}}

    events = [event(f"gen_ai.{turn['role']}.message", turn) for turn in TURNS]
    events.append(event("gen_ai.choice", {"message": {"content": "Lima"}, "index": 0}))
    span = {"attributes": {"gen_ai.system": "az.ai.inference"}, "events": events}
    (example,) = import_logs(save("x.json", span)).examples
    assert [m.model_dump() for m in example.messages] == TURNS
    assert example.target == "Lima"


def test_scores_of_several_names_are_not_averaged(save: Save) -> None:
    def run(number: int, **scores: float) -> dict[str, Any]:
        stats = {name: {"n": 1, "avg": score} for name, score in scores.items()}
        return {"id": f"r{number}", "run_type": "llm", "inputs": {"messages": TURNS},
                "outputs": REPLY, "feedback_stats": stats}  # fmt: skip

    path = save("x.jsonl", [run(1, user=1.0, ms=2000), run(2, user=0.0, ms=5), run(3)])
    data = import_logs(path)
    assert [e.meta.get("score") for e in data.examples] == [None] * 3
    assert "ms, user" in data.notes[0]
    with pytest.raises(InputError, match="ms, user") as error:
        import_logs(path, min_score=0.5)
    assert "--feedback" in error.value.remedy
    with pytest.raises(InputError, match="'usr'"):
        import_logs(path, feedback="usr")
    rated = import_logs(path, feedback="user")
    assert [e.meta.get("score") for e in rated.examples] == [1.0, 0.0, None]
    assert [e.id for e in import_logs(path, feedback="user", min_score=0.5).examples] == ["r1"]


def test_only_well_rated_calls(save: Save) -> None:
    logs = [{"messages": [*TURNS, REPLY], "score": score} for score in (0, 0.5, 1, None, True)]
    path = save("x.jsonl", logs)
    data = import_logs(path, min_score=0.5)
    assert [e.meta["score"] for e in data.examples] == [0.5, 1.0, 1.0]
    assert data.notes == ("2 calls have no feedback of 0.5 or better: dropped",)
    with pytest.raises(InputError, match="no calls are left"):
        import_logs(path, min_score=2)


def test_the_long_prompt_can_be_left_out(save: Save) -> None:
    long = "Answer the question.\n\nThink hard.\n\nQuestion: "
    logs = [
        {"messages": [TURNS[0], {"role": "user", "content": f"{long}{i}?"}, REPLY]}
        for i in range(6)
    ]
    path = save("x.jsonl", logs)
    whole = import_logs(path)
    assert [m.role for m in whole.examples[0].messages] == ["system", "user"]
    short = import_logs(path, strip="system")
    assert [m.content for m in short.examples[0].messages] == [f"{long}0?"]
    assert short.notes == ("6 system messages were left out",)
    other = import_logs(path, system="Be brief.")
    assert [m.content for m in other.examples[0].messages] == ["Be brief.", f"{long}0?"]
    assert other.notes == ("6 system messages were replaced",)
    shorter = import_logs(path, strip="template")
    assert [m.content for m in shorter.examples[3].messages] == ["Question: 3?"]
    few = import_logs(save("y.jsonl", logs[:3]), strip="template")
    assert few.examples[0].messages[-1].content == f"{long}0?"


@pytest.mark.parametrize(
    "secret",
    [
        assembled("sk", "-proj-", "aB3" * 10),
        assembled("AKIA", "ABCDEFGHIJKLMNOP"),
        assembled("ghp", "_", "a1B2" * 9),
        assembled("xox", "b-1234567890-abc"),
        assembled("-----BEGIN RSA ", "PRIVATE KEY-----"),
        assembled("eyJ", "hbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxIn0abc.", "sIgNaTuRe"),
        assembled("Bearer ", "abcdefghij0123456789"),
        assembled("postgres://me:", "hunter2x@db"),
        assembled("pass", "word=", "correcthorse7"),
        assembled('"api_', 'key": "', 'a1b2c3d4e5"'),
        assembled("DB_PASS", "WORD=", "hunter2222"),
        assembled("AWS_SECRET_", "ACCESS_KEY=", "wJa1rXUtnFEMI/K7MDENG"),
        assembled("OPENAI_API", "_KEY=", "abc123def456ghi"),
        assembled("client_", "secret: ", "a1b2c3d4e5f6"),
        assembled('"client', 'Secret": "', 'a1b2c3d4e5f6"'),
        assembled("npm", "_", "a1B2" * 9),
        assembled("gsk", "_", "a1B2c3" * 8, "abcd"),
        assembled("xai", "-", "a1B2c3D4" * 10),
        assembled("SG.", "a1" * 11, ".", "b" * 43),
        assembled("pypi", "-AgEIcHlwaS5vcmc", "a1" * 45),
        assembled("dop", "_v1_", "a1" * 32),
        assembled("pat", "-na1-", "12345678-1234-1234-1234-123456789abc"),
        assembled("123456789", ":AAF", "a1" * 16),
        assembled("https://hooks.slack", ".com/services/T00000000/B00000000/", "X1" * 12),
        assembled("AccountName=x;Account", "Key=", "a1" * 43, "==;EndpointSuffix=x"),
        assembled("Authorization: Ba", "sic ", "dXNlcjpwYXNzd29yZDEyMw=="),
        assembled("https://b.s3.amazonaws.com/k?X-Amz-", "Signature=", "a1" * 32),
        assembled("https://x.blob.core.windows.net/k?sv=1&s", "ig=", "a1%2B" * 8),
        assembled("the pass", "word is ", "hunter2go"),
        assembled("user:", "pass@", "host"),
    ],
)
def test_secrets_are_dropped(save: Save, secret: str) -> None:
    hidden = {"messages": [{"role": "user", "content": f"Use {secret} now"}, REPLY]}
    path = save("x.jsonl", [hidden, {"messages": [*TURNS, REPLY]}])
    data = import_logs(path)
    assert len(data.examples) == 1
    assert "seem to hold secrets" in data.notes[0] and secret not in data.notes[0]
    assert len(import_logs(path, keep_secrets=True).examples) == 2
    aside = {"prompt": "Go", "response": {"output": "Lima"}, "vars": {"key": secret}}
    with pytest.raises(InputError, match="no calls are left"):
        import_logs(save("y.jsonl", [aside]))


@pytest.mark.parametrize(
    "text",
    [
        "My password is: please help me reset it",
        "The task-specific-datasets-for-everyone are on the risk-adjusted-basis list",
        "See https://example.com/a:b@c and mail me@example.com",
        "secret = something unsaid",
        "the secret of good bread: patience",
        "password_changed_at: 2024-05-01T10:00:00Z, secretary: room101-b",
        "passwords: " + "_a" * 500,
        "mailto:joanna@example.com or E-mail:joanna@example.com, at 12:30@home",
        "the password is wrong, and the password is never 12345",
        "see https://example.com/list?sort=up&sig=none, version 10:20",
        "Basic training and the basic authorization form",
    ],
)
def test_ordinary_talk_is_no_secret(text: str) -> None:
    assert find_secret(Example(id="a", inputs={"t": text}, target=text)) == ""


def test_wrong_logs(save: Save, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="langsmith"):
        import_logs(save("x.jsonl", [{"a": 1}]))
    with pytest.raises(InputError, match="langfuse"):
        import_logs(save("x.jsonl", [{"a": 1}]), format="langfus")
    with pytest.raises(InputError, match="empty"):
        import_logs(save("x.jsonl", ""))
    with pytest.raises(InputError, match="no such file"):
        import_logs(tmp_path / "none.jsonl")
    (tmp_path / "dir").mkdir()
    with pytest.raises(InputError, match="no logs"):
        import_logs(tmp_path / "dir")
    with pytest.raises(InputError, match=r"x\.jsonl:2"):
        import_logs(save("x.jsonl", '{"a": 1}\n{"a": '))


def test_logs_given_as_data_are_told_apart(save: Save) -> None:
    with pytest.raises(InputError, match="langsmith logs: `whatworks import`"):
        read(save("x.jsonl", [LANGSMITH_ROOT]))


def test_tables_and_folders_of_logs(save: Save, tmp_path: Path) -> None:
    cell = json.dumps(TURNS).replace('"', '""')
    save("d/a.csv", f'id,trace_id,type,input,output\nc1,t1,GENERATION,"{cell}",Lima\n')
    save("d/b.jsonl", [LANGFUSE_SCORE])
    (example,) = import_logs(tmp_path / "d").examples
    assert example.meta == {"score": 0.5}
    assert len(example.messages) == 2


def test_real_logs(shared: Callable[[str], Path], tmp_path: Path) -> None:
    path = shared("logs/hotpot_rag_calls.jsonl")
    data = import_logs(path)
    assert len(data.examples) == 228
    assert data.examples == read(path).examples
    short = import_logs(path, strip="template")
    assert all(e.messages[-1].content.startswith("Context:") for e in short.examples)
    assert write(data.examples, tmp_path / "x.jsonl") == 228


keys = st.sampled_from(
    sorted(
        {
            *("run_type", "inputs", "outputs", "messages", "generations", "choices", "message"),
            *("kwargs", "id", "lc", "type", "data", "content", "role", "text", "parts", "vars"),
            *("feedback_stats", "avg", "child_runs", "trace_id", "traceId", "input", "output"),
            *("observations", "scores", "value", "name", "attributes", "events", "prompt", "raw"),
            *("response", "request", "body", "assert", "results", "assessments", "feedback"),
            *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt.0.content"),
            *("gen_ai.prompt", "gen_ai.completion", "llm.input_messages.0.message.role"),
            *("openinference.span.kind", "mlflow.spanType", "mlflow.spanInputs", "tool_calls"),
            *("start_time", "end_time", "latency", "key", "stringValue", "arrayValue", "values"),
            *("attributes.llm.input_messages", "input.value", "output.value", "function"),
        }
    )
)
words = st.sampled_from(
    [
        "llm",
        "GENERATION",
        "LLM",
        "user",
        "assistant",
        "human",
        "HumanMessage",
        "[]",
        '"x"',
        '{"a":1}',
        *["chatcmpl-a-1", "2026-01-01", "gen_ai.choice", "1e999", "\ud7ff", "equals", "text"],
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(keys, values, min_size=1, max_size=6), min_size=1, max_size=3))
def test_no_log_ends_in_a_traceback(log: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        path.write_text("\n".join(map(json.dumps, log)))
        try:
            assert all(example.key for example in import_logs(path).examples)
        except InputError as error:
            assert str(error).count("\n") <= 1


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["jsonl", "json", "log", "yaml", "csv", "parquet", "jsonl.gz"]),
    st.binary(max_size=100) | st.text(alphabet="{}[]\":,-&* \na1'!?|>").map(str.encode),
)
def test_no_bytes_end_in_a_traceback(ending: str, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x.{ending}"
        path.write_bytes(content)
        with pytest.raises(InputError):
            import_logs(path)
