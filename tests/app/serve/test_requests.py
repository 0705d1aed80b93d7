"""Requests that the server refuses, saying which field is at fault."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from whatworks.app.serve.json_replies import drop_repeated_keys
from whatworks.app.serve.protocol import ChatRequest, ChatTurn, RequestRefusal
from whatworks.app.serve.served import Served
from whatworks.app.serve.server import ModelServer
from whatworks.data.task import Document, Message, MetricSpec
from whatworks.data.tools import SHOWN
from whatworks.metrics.registry import load
from whatworks.models.engine import ModelFiles
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context, Prompt


def test_a_request_that_asks_nothing_of_an_arm_is_refused() -> None:
    passages = (Document(id="d#0", text="The sky is blue."),)
    told = Prompt(context=Context(chunks=passages, k=1, search="lexical"))
    for prompt, status in ((told, 400), (Prompt(), 200)):
        candidate = Candidate(prompt=prompt, weights=Weights(base="fake:"))
        engine, metric = FakeEngine(lambda _: "yes"), load(MetricSpec(name="exact"))
        served = Served("m", engine, ModelFiles("fake:"), candidate, metric)
        with TestClient(ModelServer(served).app()) as client:
            asked = {"model": "m", "messages": [{"role": "system", "content": "Be brief."}]}
            got = client.post("/v1/chat/completions", json=asked)
        assert got.status_code == status
        assert status == 200 or got.json()["error"]["param"] == "messages"


def test_a_request_names_no_file_of_the_server(tmp_path: Path) -> None:
    grammar, schema = tmp_path / "form.lark", tmp_path / "schema.json"
    grammar.write_text('start: "secret"')
    schema.write_text('{"const": "secret"}')
    wrong: list[dict[str, Any]] = [
        {"grammar": str(grammar)}, {"json": str(schema)}, {"regex": None}, {"grammar": 3},
        {"choice": [None]}, {"choice": []}, {"regex": "a", "choice": ["b"]}, {"other": "x"},
    ]  # fmt: skip
    for form in wrong:
        asked = ChatRequest(model="m", messages=[ChatTurn(role="user")], structured_outputs=form)
        with pytest.raises(RequestRefusal):
            asked.constraint()


TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object"}},
}
CALL = '{"name": "find", "arguments": {"who": "Alma"}}'


@pytest.fixture
def arm() -> Iterator[tuple[TestClient, list[str]]]:
    """An arm with instructions over a scripted model that calls a tool, and what it read."""
    read: list[str] = []

    def say(messages: Sequence[Message]) -> str:
        read.append("\n".join(f"{m.role}: {m.content}" for m in messages))
        return CALL

    candidate = Candidate(prompt=Prompt(instructions="Help."), weights=Weights(base="fake:"))
    metric = load(MetricSpec(name="exact"))
    served = Served("m", FakeEngine(say), ModelFiles("fake:"), candidate, metric)
    with TestClient(ModelServer(served).app()) as client:
        yield client, read


ASK = {"model": "m", "messages": [{"role": "user", "content": "Who?"}]}


def test_an_arm_is_shown_tools_in_its_own_prompt(arm: tuple[TestClient, list[str]]) -> None:
    client, read = arm
    got = client.post("/v1/chat/completions", json={**ASK, "tools": [TOOL]}).json()["choices"][0]
    shown = json.dumps([TOOL])
    assert read == [f"system: Help.\n{SHOWN}{shown}\nuser: Who?"]
    assert got["finish_reason"] == "tool_calls"
    [call] = got["message"]["tool_calls"]
    assert call["function"] == {"name": "find", "arguments": '{"who": "Alma"}'}
    # Without tools, the same text is text.
    plain = client.post("/v1/chat/completions", json=ASK).json()["choices"][0]
    assert plain["message"]["content"] == CALL and plain["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"top_k": 5}, 501),
        ({"logit_bias": {"3": 1}}, 501),
        ({"frequency_penalty": 0.5}, 501),
        ({"logprobs": True}, 501),
        ({"chat_template_kwargs": {"enable_thinking": True}}, 400),
        ({"top_k": 0, "min_p": 0, "frequency_penalty": 0, "chat_template_kwargs": {}}, 200),
    ],
)
def test_what_only_a_model_on_this_machine_can_do(
    arm: tuple[TestClient, list[str]], asked: dict[str, Any], status: int
) -> None:
    got = arm[0].post("/v1/chat/completions", json={**ASK, **asked})
    assert got.status_code == status, got.text


def test_an_arm_answers_as_a_response_and_is_counted(arm: tuple[TestClient, list[str]]) -> None:
    client, read = arm
    tool = {"type": "function", **TOOL["function"]}
    got = client.post("/v1/responses", json={"model": "m", "input": "Who?", "tools": [tool]}).json()
    assert [one["type"] for one in got["output"]] == ["function_call"]
    assert read[0].startswith("system: Help.")
    assert 'requests_total{path="/v1/responses",status="200"} 1' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 2}'),
        ('{"a":1,"a":2}', '{"a": 2}'),
        ('{"a": {"b": 1, "b": 3}, "c": "é"}', '{"a": {"b": 3}, "c": "é"}'),
        ('{"a": [{"x": 1, "x": 1}]}', '{"a": [{"x": 1}]}'),
        ('{"a": 1, "a": ', '{"a": 1, "a": '),
        ("{}", "{}"),
    ],
)
def test_any_object_has_each_key_once(said: str, wanted: str) -> None:
    assert drop_repeated_keys(said) == wanted
    candidate = Candidate(prompt=Prompt(), weights=Weights(base="fake:"))
    engine, metric = FakeEngine(lambda _: said), load(MetricSpec(name="exact"))
    served = Served("m", engine, ModelFiles("fake:"), candidate, metric)
    with TestClient(ModelServer(served).app()) as client:
        asked = {**ASK, "response_format": {"type": "json_object"}}
        for body, text in ((asked, wanted), (ASK, said)):
            [choice] = client.post("/v1/chat/completions", json=body).json()["choices"]
            assert choice["message"]["content"] == text
