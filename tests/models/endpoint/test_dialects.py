"""Each server is asked for a form in its own words, found out by a probe.

The stand-ins answer as the servers' pages say (named in ``models/endpoint/dialects.py``): who has
the models in ``/v1/models``, which fields hold an answer, and whether unknown ones are refused
(OpenAI) or passed over (llama.cpp, vLLM, Anthropic's layer).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from endpoint_server import Handler, Server, answer, error, hold_trial

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Message
from whatworks.models.constraint import Constraint
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.dialects import DIALECTS
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import ModelFiles

FILES = ModelFiles(base="anything")
PROMPT = [[Message(role="user", content="which one?")], [Message(role="user", content="and now?")]]
CHOICES = Constraint(kind="choices", choices=("bill", 'lost "card"'))
REGEX = Constraint(kind="regex", text="no|yes")
LARK = Constraint(kind="lark", text='start: "a" | "b"')
SCHEMA = Constraint.from_schema({"type": "object", "properties": {"a": {"type": "integer"}}})
KNOWN = {"model", "messages", "max_tokens", "temperature", "logprobs", "response_format"}

WRAPPED = {
    "type": "object", "properties": {"answer": {"type": "string", "enum": list(CHOICES.choices)}},
    "required": ["answer"], "additionalProperties": False,
}  # fmt: skip


def wrap(schema: Any) -> dict[str, Any]:
    described = {"name": "answer", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": described}


CASES: dict[str, tuple[str, str, Constraint, str, Any, str, str]] = {
    # server: (owned_by, dialect, form, field, its value, what the server says, the answer)
    "OpenAI": ("system", "response_format", CHOICES, "response_format", wrap(WRAPPED),
               '{"answer": "bill"}', "bill"),
    "OpenAI, an expression": (
        "system", "response_format", REGEX, "response_format",
        wrap({**WRAPPED, "properties": {"answer": {"type": "string", "pattern": "^(no|yes)$"}}}),
        '{"answer": "no"}', "no"),
    "vLLM": ("vllm", "structured_outputs", CHOICES, "structured_outputs",
             {"choice": list(CHOICES.choices)}, "bill", "bill"),
    "vLLM before 0.12": ("vllm", "guided", CHOICES, "guided_choice", list(CHOICES.choices),
                         "bill", "bill"),
    "llama.cpp": ("llamacpp", "grammar", CHOICES, "grammar",
                  'root ::= "bill" | "lost \\"card\\""', "bill", "bill"),
    "llama.cpp with llguidance": ("llamacpp", "grammar", LARK, "grammar",
                                  f"%llguidance {{}}\n{LARK.text}", "b", "b"),
    "llama.cpp, a schema": ("llamacpp", "response_format", SCHEMA, "response_format",
                            wrap(SCHEMA.contents), '{"a": 1}', '{"a": 1}'),
    "Ollama": ("library", "format", CHOICES, "format", WRAPPED, '{"answer": "bill"}', "bill"),
}  # fmt: skip


def stand_in(server: Server, owner: str, dialect: str, said: str) -> None:
    """A server that keeps to one dialect; OpenAI's refuses fields that it does not know."""
    server.owner = owner

    def respond(handler: Handler, *_: Any) -> bool:
        body = server.bodies[-1]
        unknown = body.keys() - KNOWN
        if owner == "system" and unknown:
            words = f"Unrecognized request argument supplied: {min(unknown)}"
            return handler.reply(400, error(words))
        text = hold_trial(body, dialect) or said
        if not handler.path.endswith("/api/chat"):
            return handler.reply(200, answer(text))
        assert body["stream"] is False and "max_tokens" not in body
        assert body["options"]["num_predict"] > 0
        native = {"message": {"role": "assistant", "content": text}, "done_reason": "stop",
                  "prompt_eval_count": 7, "eval_count": 3}  # fmt: skip
        return handler.reply(200, json.dumps(native).encode())

    server.misbehave = respond


@pytest.mark.parametrize("name", CASES)
def test_forms_in_a_servers_own_words(server: Server, tmp_path: Path, name: str) -> None:
    owner, dialect, form, field, value, said, wanted = CASES[name]
    stand_in(server, owner, dialect, said)
    engine = EndpointEngine(server.url, "tiny-chat", cache=tmp_path)
    got = engine.generate(FILES, PROMPT, Decoding(constraint=form))
    assert [one.text for one in got] == [wanted] * 2 and got[0].prompt_tokens == 7
    assert [body.get(field) for body in server.bodies[-2:]] == [value] * 2
    probes = len(server.bodies) - 2
    assert 1 <= probes <= len(DIALECTS)
    engine.generate(FILES, PROMPT, Decoding(constraint=form, max_tokens=9))
    engine.close()
    assert len(server.bodies) == probes + 4  # found out once
    # Another run asks neither again.
    engine = EndpointEngine(server.url, "tiny-chat", cache=tmp_path)
    assert engine.generate(FILES, PROMPT, Decoding(constraint=form)) == got
    assert len(server.bodies) == probes + 4
    engine.close()


@pytest.mark.parametrize("form", [CHOICES, REGEX, LARK, SCHEMA], ids=lambda form: form.kind)
def test_a_server_that_keeps_to_nothing_is_found_out_before_a_row_is_asked(
    server: Server, form: Constraint
) -> None:
    """As Anthropic's layer does, which passes over ``response_format``."""
    server.misbehave = lambda handler, *_: handler.reply(200, answer("Hello!"))
    engine = EndpointEngine(server.url, "m")
    with pytest.raises(ArmFailure, match=f"constraint of kind {form.kind}.*'Hello!'") as caught:
        engine.generate(FILES, PROMPT, Decoding(constraint=form))
    assert "docs/endpoint.md" in caught.value.remedy
    assert all(body["messages"][-1]["content"].startswith("Say hello") for body in server.bodies)
    engine.close()


def test_a_wrong_key_is_no_matter_of_dialects(server: Server) -> None:
    server.misbehave = lambda handler, *_: handler.reply(401, error("bad key"))
    engine = EndpointEngine(server.url, "m")
    with pytest.raises(ArmFailure, match="wrong key"):
        engine.generate(FILES, PROMPT, Decoding(constraint=CHOICES))
    assert len(server.bodies) == 1
    engine.close()


def test_a_breach_has_the_server_probed_anew(server: Server, tmp_path: Path) -> None:
    stand_in(server, "vllm", "structured_outputs", "neither")
    engine = EndpointEngine(server.url, "m", cache=tmp_path)
    with pytest.raises(ArmFailure, match="does not keep to a constraint"):
        engine.generate(FILES, PROMPT, Decoding(constraint=CHOICES))
    stand_in(server, "vllm", "guided", "bill")
    got = engine.generate(FILES, PROMPT, Decoding(constraint=CHOICES, max_tokens=9))
    assert [one.text for one in got] == ["bill"] * 2 and "guided_choice" in server.bodies[-1]
    engine.close()


def test_what_has_to_wait_is_told_of_while_it_happens(server: Server) -> None:
    told: list[str] = []

    def limit(handler: Handler, _: str, before: int) -> bool:
        if before:
            return False
        headers = {"Retry_After": "0.05", "x_ratelimit_limit_requests": "500",
                   "x_ratelimit_remaining_requests": "0"}  # fmt: skip
        return handler.reply(429, error("slow down"), **headers)

    server.misbehave = limit
    engine = EndpointEngine(server.url, "m", backoff=0.01)
    engine.traffic.tell = told.append
    engine.generate(FILES, PROMPT, Decoding())
    [line] = told  # not one for each request
    assert "status 429: slow down" in line and "0 of 500 requests" in line and "wait" in line
    assert engine.traffic.retried == {"status 429": 2}
    assert "2 requests tried again (2 for status 429)" in engine.traffic.summary
    engine.close()
