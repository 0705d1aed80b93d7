"""OpenAI's Responses protocol, embeddings and counts, by the real `openai` client."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

ASK = "Where does Alma Reed live?"
FORM = {
    "format": {
        "type": "json_schema",
        "name": "place",
        "schema": {
            "type": "object",
            "properties": {"town": {"enum": ["Porto", "Bergen"]}},
            "required": ["town"],
            "additionalProperties": False,
        },
    }
}
FIND = {
    "type": "function",
    "name": "find_person",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"name": {"enum": ["Alma", "Bo"]}},
        "required": ["name"],
        "additionalProperties": False,
    },
}


def test_it_says_what_a_chat_says(sdk: Any) -> None:
    turns: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": ASK},
    ]
    chat = sdk.chat.completions.create(model="lab", messages=turns, max_tokens=2, temperature=0)
    said = sdk.responses.create(
        model="lab", input=ASK, instructions="Be brief.", max_output_tokens=2, temperature=0
    )
    assert said.output_text == chat.choices[0].message.content
    assert said.usage.input_tokens == chat.usage.prompt_tokens
    assert said.usage.output_tokens == chat.usage.completion_tokens
    assert (said.status, said.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize(
    "items",
    [
        [{"role": "user", "content": ASK}],
        [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": ASK}]}],
        [{"role": "user", "content": "Hm?"},
         {"role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]},
         {"role": "user", "content": ASK}],
        [{"role": "user", "content": ASK}, {"type": "reasoning", "id": "r", "summary": []}],
        [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": ASK}],
    ],
)  # fmt: skip
def test_items_of_many_kinds(sdk: Any, items: list[Any]) -> None:
    said = sdk.responses.create(model="lab", input=items, text=FORM, temperature=0)
    assert said.status == "completed"
    assert json.loads(said.output_text)["town"] in ("Porto", "Bergen")


def test_a_stream_ends_with_the_same_response(sdk: Any) -> None:
    asked: dict[str, Any] = {"model": "lab", "input": ASK, "text": FORM, "temperature": 0}
    whole = sdk.responses.create(**asked)
    with sdk.responses.stream(**asked) as stream:
        events = list(stream)
        last = stream.get_final_response()
    assert last.output_text == whole.output_text and last.usage == whole.usage
    kinds = [event.type for event in events]
    assert kinds[:4] == ["response.created", "response.in_progress",
                         "response.output_item.added", "response.content_part.added"]  # fmt: skip
    assert kinds[-1] == "response.completed"
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text and len(deltas) > 1
    numbers = [event.sequence_number for event in events]
    assert numbers == list(range(len(numbers)))


def test_a_call_and_what_it_gave(sdk: Any) -> None:
    asked: dict[str, Any] = {"model": "lab", "tools": [FIND], "temperature": 0}
    said = sdk.responses.create(**asked, input=ASK, tool_choice="required")
    [call] = said.output
    assert (call.type, call.name) == ("function_call", "find_person")
    assert json.loads(call.arguments)["name"] in ("Alma", "Bo")
    with sdk.responses.stream(
        **asked, input=ASK, tool_choice={"type": "function", "name": "find_person"}
    ) as stream:
        kinds = [event.type for event in stream]
        [again] = stream.get_final_response().output
    assert again.arguments == call.arguments
    assert "response.function_call_arguments.done" in kinds
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "In Porto."}
    turns = [{"role": "user", "content": ASK}, call, result]
    then = sdk.responses.create(**asked, input=turns, max_output_tokens=6)
    assert then.output


def test_parsing_into_a_type(sdk: Any) -> None:
    from typing import Literal

    from pydantic import BaseModel

    class Place(BaseModel):
        town: Literal["Porto", "Bergen"]

    said = sdk.responses.parse(model="lab", input=ASK, text_format=Place)
    assert said.output_parsed.town in ("Porto", "Bergen")
    chat = sdk.chat.completions.parse(
        model="lab", messages=[{"role": "user", "content": ASK}], response_format=Place
    )
    assert chat.choices[0].message.parsed.town in ("Porto", "Bergen")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "item_reference"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "only text"),
        ({"input": [{"role": "captain", "content": "?"}]}, "input.0"),
        ({"tools": [{"type": "web_search"}]}, "web_search"),
        ({"tool_choice": {"type": "function", "name": "no"}, "tools": [FIND]}, "'no'"),
        ({"text": {"format": {"type": "verse"}}}, "verse"),
        ({"background": True}, "background"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"model": "other"}, "other"),
    ],
)
def test_what_cannot_be_is_refused_by_name(http: Any, wrong: dict[str, Any], named: str) -> None:
    got = http.post("/v1/responses", json={"model": "lab", "input": ASK, **wrong})
    assert got.status_code in (400, 404), got.text
    assert named in got.json()["error"]["message"]


def test_what_changes_nothing_is_accepted(http: Any) -> None:
    neutral = {
        "truncation": "disabled", "include": [], "store": True, "metadata": {"a": "b"},
        "parallel_tool_calls": True, "user": "u", "service_tier": "auto", "tool_choice": "auto",
        "background": False, "reasoning": None, "text": {"format": {"type": "text"}},
    }  # fmt: skip
    asked = {"model": "lab", "input": ASK, "max_output_tokens": 2, **neutral}
    assert http.post("/v1/responses", json=asked).status_code == 200


@pytest.mark.parametrize("name", ["lab", "lexical"])
def test_embeddings(sdk: Any, name: str) -> None:
    texts = ["a mill by the river", "the mill at the river", "nine green apples"]
    plain = sdk.embeddings.create(model=name, input=texts, encoding_format="float")
    packed = sdk.embeddings.create(model=name, input=texts)  # the client asks for base64
    vectors = np.array([one.embedding for one in plain.data])
    assert np.allclose(vectors, [one.embedding for one in packed.data], atol=1e-6)
    assert np.allclose((vectors**2).sum(axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    [alone] = sdk.embeddings.create(model=name, input=texts[0]).data
    assert np.allclose(alone.embedding, vectors[0], atol=1e-5)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "/etc", "input": "a"}, 404),
        ({"model": "owner/name", "input": "a"}, 404),
        ({"model": "lab", "input": ""}, 400),
        ({"model": "lab", "input": []}, 400),
        ({"model": "lab", "input": ["a", " "]}, 400),
        ({"model": "lab", "input": [1, 2]}, 400),
        ({"model": "lab", "input": "a", "dimensions": 8}, 400),
    ],
)
def test_embeddings_that_cannot_be(http: Any, body: dict[str, Any], status: int) -> None:
    assert http.post("/v1/embeddings", json=body).status_code == status


LINE = re.compile(r'(\w+)(?:\{((?:\w+="[^"]*",?)+)\})? (\d+(?:\.\d+)?)')


def read_counts(text: str) -> dict[tuple[str, str], float]:
    """The format as Prometheus has it: help and type before each name, a number a line."""
    known: set[str] = set()
    counts: dict[tuple[str, str], float] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            known.add(line.split()[2])
            assert line.split()[3] in ("counter", "gauge", "histogram")
        elif not line.startswith("# HELP "):
            match = LINE.fullmatch(line)
            assert match, line
            assert re.sub(r"_(?:bucket|sum|count)$", "", match[1]) in known or match[1] in known
            counts[match[1], match[2] or ""] = float(match[3])
    return counts


def test_counts_for_prometheus(http: Any) -> None:
    before = read_counts(http.get("/metrics").text)
    asked = {"model": "lab", "messages": [{"role": "user", "content": ASK}], "max_tokens": 3}
    usage = http.post("/v1/chat/completions", json=asked).json()["usage"]
    http.post("/v1/chat/completions", json={**asked, "model": "no"})
    http.get("/etc/passwd")
    got = http.get("/metrics")
    assert got.headers["content-type"].startswith("text/plain; version=0.0.4")
    after = read_counts(got.text)

    def rose(name: str, labels: str = "") -> float:
        key = (f"whatworks_{name}", labels)
        return after[key] - before.get(key, 0)

    chat = 'path="/v1/chat/completions"'
    assert rose("requests_total", f'{chat},status="200"') == 1
    assert rose("requests_total", f'{chat},status="404"') == 1
    assert rose("requests_total", 'path="other",status="404"') == 1
    assert rose("request_seconds_count", chat) == 2
    assert rose("request_seconds_bucket", f'{chat},le="+Inf"') == 2
    assert rose("prompt_tokens_total") == usage["prompt_tokens"]
    assert rose("generation_tokens_total") == usage["completion_tokens"]
    assert after["whatworks_answers_waiting", ""] == 0
    assert after["whatworks_requests_running", ""] == 1  # the one that reads them
    buckets = [v for (name, labels), v in after.items()
               if name.endswith("_bucket") and labels.startswith(chat)]  # fmt: skip
    assert buckets == sorted(buckets)
