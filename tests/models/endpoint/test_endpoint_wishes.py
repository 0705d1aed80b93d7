"""What is asked of a server beyond the protocol's core: constraints and log-probabilities."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from endpoint_server import Handler, Server, answer, error, hold_trial

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Message
from whatworks.models.constraint import Constraint
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import ModelFiles

FILES = ModelFiles(base="anything")
PROMPT = [[Message(role="user", content="say n1")]]
SCHEMA = {"type": "object", "required": ["a"]}


@pytest.fixture
def engine(server: Server, tmp_path: Path) -> Iterator[EndpointEngine]:
    made = EndpointEngine(server.url, "tiny-chat", retries=1, backoff=0.01, cache=tmp_path)
    yield made
    made.close()


FORMS: list[tuple[Constraint, str, dict[str, Any]]] = [
    (Constraint(kind="choices", choices=("n1", "n2")), "n1", {"choice": ["n1", "n2"]}),
    (Constraint(kind="regex", text="n[0-9]"), "n7", {"regex": "n[0-9]"}),
    (Constraint(kind="lark", text='start: "n1"'), "n1", {"grammar": 'start: "n1"'}),
]


def say(server: Server, text: str, dialect: str = "structured_outputs") -> None:
    """Have the server keep to the forms of probes, and answer all else with this text."""
    server.misbehave = lambda handler, *_: handler.reply(
        200, answer(hold_trial(server.bodies[-1], dialect) or text)
    )


@pytest.mark.parametrize(("form", "text", "sent"), FORMS)
def test_a_form_is_asked_for_and_checked(
    server: Server, engine: EndpointEngine, form: Constraint, text: str, sent: dict[str, Any]
) -> None:
    say(server, text)
    decoding = Decoding(constraint=form, stop=("n",))
    assert engine.generate(FILES, PROMPT, decoding)[0].text == text
    assert server.bodies[-1]["structured_outputs"] == sent and "stop" not in server.bodies[-1]
    # A server that knows nothing of it answers as it likes, and that is noticed.
    say(server, "something else")
    with pytest.raises(ArmFailure, match=f"constraint of kind {form.kind}"):
        engine.generate(FILES, PROMPT, decoding.replace(max_tokens=9))


def test_a_schema_goes_where_openai_has_it(server: Server, engine: EndpointEngine) -> None:
    form = Constraint.from_schema(SCHEMA)
    say(server, '{"a": 1}', "response_format")
    assert engine.generate(FILES, PROMPT, Decoding(constraint=form))[0].text == '{"a": 1}'
    assert server.bodies[-1]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
    }


def test_a_server_that_refuses_a_form_says_why(server: Server, engine: EndpointEngine) -> None:
    said = "Invalid schema for response_format: 'required' is required"

    def refuse(handler: Handler, *_: Any) -> bool:
        trial = hold_trial(server.bodies[-1], "response_format")
        return handler.reply(200, answer(trial)) if trial else handler.reply(400, error(said))

    server.misbehave = refuse
    with pytest.raises(ArmFailure, match=said):
        engine.generate(FILES, PROMPT, Decoding(constraint=Constraint.from_schema(SCHEMA)))
    assert len(server.bodies) == 1 + 1  # the probe's, and it


def test_an_answer_that_was_cut_is_no_breach(server: Server, engine: EndpointEngine) -> None:
    cut = [{"message": {"content": '{"a": '}, "finish_reason": "length"}]
    server.misbehave = lambda handler, *_: handler.reply(200, answer("", choices=cut))
    [got] = engine.generate(FILES, PROMPT, Decoding(constraint=Constraint.from_schema(SCHEMA)))
    assert got.finish == "length"


REFUSED = [
    ({"content": None, "refusal": "I'm sorry, I can't help with that."}, "stop"),
    ({"content": ""}, "content_filter"),
]


@pytest.mark.parametrize(("message", "finish"), REFUSED)
def test_a_refusal_is_an_answer_and_no_breach(
    server: Server, engine: EndpointEngine, message: dict[str, Any], finish: str
) -> None:
    said = [{"message": message, "finish_reason": finish}]
    server.misbehave = lambda handler, *_: handler.reply(200, answer("", choices=said))
    for form in (Constraint.from_schema(SCHEMA), None):
        for _ in ("asked", "kept"):
            [got] = engine.generate(FILES, PROMPT, Decoding(constraint=form))
            assert got.text == (message.get("refusal") or "") and got.finish == "stop"
    assert len(server.bodies) == 2 + 1  # the probe's


def test_answers_that_an_older_version_kept_are_read(
    server: Server, engine: EndpointEngine, tmp_path: Path
) -> None:
    engine.generate(FILES, PROMPT, Decoding())
    [kept] = tmp_path.rglob("*.json")
    record = json.loads(kept.read_text())
    del record["refused"]
    kept.write_text(json.dumps(record))
    assert engine.generate(FILES, PROMPT, Decoding())[0].text == "n1" and len(server.bodies) == 1


def test_how_likely_an_answer_was(server: Server, engine: EndpointEngine) -> None:
    logprobs = {"content": [{"token": "n1", "logprob": -0.25}, {"token": "!", "logprob": -1.0}]}
    said = [{"message": {"content": "n1!"}, "finish_reason": "stop", "logprobs": logprobs}]
    server.misbehave = lambda handler, *_: handler.reply(200, answer("", choices=said))
    assert engine.generate(FILES, PROMPT, Decoding())[0].logprob == -1.25
    assert server.bodies[-1]["logprobs"] is True
    assert engine.generate(FILES, PROMPT, Decoding())[0].logprob == -1.25  # kept
    assert len(server.bodies) == 1


UNKNOWN = {
    "seed": (422, {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}),
    "stop": (400, {"error": {"message": "Unsupported parameter: 'stop' with this model."}}),
    "top_p": (400, {"error": {"message": "Unsupported parameter: 'top_p' with this model."}}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_can_be_done_without_is_left_out_where_it_is_refused(
    server: Server, engine: EndpointEngine, name: str
) -> None:
    def refuse(handler: Handler, prompt: str, _: int) -> bool:
        if name in server.bodies[-1]:
            status, said = UNKNOWN[name]
            return handler.reply(status, json.dumps(said).encode())
        return handler.reply(200, answer("yes END no"))

    server.misbehave = refuse
    decoding = Decoding(temperature=1.0, stop=("END",))
    for _ in ("asked", "kept"):  # under the same key, whatever was left out
        for key in ("p", "q", "r"):
            assert engine.generate(FILES, PROMPT, decoding, keys=[key])[0].text == "yes "
    assert sum(name not in body for body in server.bodies) == 3  # a draw for each key
    assert "seed" in server.bodies[-1] or name == "seed"


def test_a_temperature_that_is_refused_is_said_with_the_key_to_write(
    server: Server, engine: EndpointEngine
) -> None:
    said = "Unsupported value: 'temperature' does not support 0 with this model."
    server.misbehave = lambda handler, *_: handler.reply(400, error(said))
    with pytest.raises(ArmFailure, match="does not support 0") as caught:
        engine.generate(FILES, PROMPT, Decoding())
    assert "`decoding: {temperature: 1}`" in caught.value.remedy


def test_a_server_without_log_probabilities_is_asked_once(
    server: Server, engine: EndpointEngine
) -> None:
    def refuse(handler: Handler, *_: Any) -> bool:
        if "logprobs" not in server.bodies[-1]:
            return False
        return handler.reply(403, error("You are not allowed to request logprobs"))

    server.misbehave = refuse
    for n in (8, 9):
        [got] = engine.generate(FILES, PROMPT, Decoding(max_tokens=n))
        assert got.text == "n1" and got.logprob is None
    assert ["logprobs" in body for body in server.bodies] == [True, False, False]
