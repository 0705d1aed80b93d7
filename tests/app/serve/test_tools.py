"""Tools of a request: shown, called, parsed, given back."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.app.serve.neutral_fields import drop_neutral_fields
from whatworks.app.serve.protocol import ChatRequest, ChatTurn
from whatworks.app.serve.tools import count_plain, split_calls
from whatworks.data.task import Example
from whatworks.data.tools import show_tools
from whatworks.models import chat_templates as templates
from whatworks.models.files import load_tokenizer, resolve
from whatworks.models.request_templates import encode_request
from whatworks.models.template_rendering import takes_tools
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render

openai = pytest.importorskip("openai")
ASK: list[Any] = [{"role": "user", "content": "Where does Alma Reed live?"}]
FIND = {
    "type": "function",
    "function": {
        "name": "find_person",
        "description": "Where a person lives.",
        "parameters": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 12}},
            "required": ["name"],
            "additionalProperties": False,
        },
    },
}
OTHER = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
CALL = '{"name": "find_person", "arguments": {"name": "Alma"}}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CALL, ""),
        (f"[{CALL}]", ""),
        (f"```json\n{CALL}\n```", ""),
        (f"<tool_call>\n{CALL}\n</tool_call>", ""),
        (f"I look it up.\n<tool_call>{CALL}</tool_call>", "I look it up."),
        (f"<tool_call>{CALL}", ""),
        (f"[TOOL_CALLS] [{CALL}]", ""),
        (f"<|python_tag|>{CALL}", ""),
        ('<function=find_person>{"name": "Alma"}</function>', ""),
        ('{"name": "find_person", "parameters": {"name": "Alma"}}', ""),
        ('{"name": "find_person", "arguments": "{\\"name\\": \\"Alma\\"}"}', ""),
    ],
)
def test_calls_in_the_marks_that_models_use(text: str, said: str) -> None:
    rest, calls = split_calls(text, ["find_person"])
    assert rest == said
    assert [(call.name, dict(call.arguments)) for call in calls] == [
        ("find_person", {"name": "Alma"})
    ]


@pytest.mark.parametrize(
    "text",
    ["She lives in Porto.", "", '{"name": "Alma Reed", "age": 3}', '{"name": "find_person"}',
     '{"name": "nothing_of_ours", "arguments": {}}', '{"name": "find_person", "arguments": {',
     f"It is {CALL}", "<tool_call>oh</tool_call>", "[]", "null"],
)  # fmt: skip
def test_everything_else_is_text(text: str) -> None:
    assert split_calls(text, ["find_person"]) == (text, [])


@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    for one in (text, f"<tool_call>{text}</tool_call>", f"<function=f>{text}</function>"):
        split_calls(one, ["f"])


def test_two_calls_at_once() -> None:
    text = f'<tool_call>{CALL}</tool_call>\n<tool_call>{{"name": "add", "arguments": {{}}}}'
    _, calls = split_calls(text, ["find_person", "add"])
    assert [call.name for call in calls] == ["find_person", "add"]


def test_an_arm_sees_tools_as_its_study_showed_them() -> None:
    turns = [{"role": "system", "content": "Be brief."}, *ASK]
    messages = tuple(ChatTurn(**turn).message for turn in turns)
    row = Example(id="r", messages=messages, meta={"tools": [FIND, OTHER]})
    wanted = render(Prompt(instructions="Help."), row, exclude=()).messages
    shown = Example(id="r", messages=show_tools(messages, json.dumps([FIND, OTHER])))
    assert render(Prompt(instructions="Help."), shown, exclude=()).messages == wanted


TEMPLATE = (
    "{% if tools %}<tools>{{ tools | tojson }}</tools>{% endif %}"
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<call>{{ c.function.name }} "
    "{{ c.function.arguments | tojson }}</call>{% endfor %}{% endfor %}"
    "{% if mood %}({{ mood }}){% endif %}<assistant>"
)


def test_a_template_that_knows_tools_shows_them_itself() -> None:
    tokenizer = copy.copy(templates.use(load_tokenizer(resolve("lab"))))
    assert not takes_tools(tokenizer)
    tokenizer.chat_template = TEMPLATE
    assert takes_tools(tokenizer)
    given_back = {
        "role": "assistant", "content": None,
        "tool_calls": [{"id": "1", "type": "function", "function": {
            "name": "find_person", "arguments": '{"name": "Alma"}'}}],
    }  # fmt: skip
    result = {"role": "tool", "tool_call_id": "1", "content": "Porto"}
    asked = ChatRequest.model_validate(
        {"model": "m", "messages": [*ASK, given_back, result], "tools": [FIND],
         "chat_template_kwargs": {"mood": "kind"}}
    )  # fmt: skip
    turns = [turn.for_template for turn in asked.messages]
    ids = encode_request(tokenizer, turns, asked.template_options)
    text = templates.decode(tokenizer, ids)
    assert text.replace(" ", "") == (
        f"<tools>[{json.dumps(FIND)}]</tools><user>Where does Alma Reed live?"
        '<assistant><call>find_person {"name": "Alma"}</call><tool>Porto(kind)<assistant>'
    ).replace(" ", "")


def test_calls_given_back_are_text_as_in_data() -> None:
    turn = ChatTurn(
        role="assistant",
        content="I look.",
        tool_calls=[{"function": {"name": "find_person", "arguments": '{"name": "Alma"}'}}],
    )
    assert turn.message.content == (
        'I look.\n[{"name": "find_person", "arguments": {"name": "Alma"}}]'
    )


def test_tools_that_may_not_be_called_are_not_shown() -> None:
    body = {"model": "m", "messages": ASK, "tools": [FIND], "tool_choice": "none"}
    assert drop_neutral_fields(body) == {"model": "m", "messages": ASK}
    assert "tool_choice" not in drop_neutral_fields({**body, "tool_choice": "auto"})


def test_a_call_that_is_required_is_made(sdk: Any) -> None:
    asked: dict[str, Any] = {"model": "lab", "messages": ASK, "tools": [FIND], "max_tokens": 60}
    named = {"type": "function", "function": {"name": "find_person"}}
    for choice in ("required", named):
        said = sdk.chat.completions.create(**asked, tool_choice=choice).choices[0]
        assert said.finish_reason == "tool_calls" and said.message.content is None
        [call] = said.message.tool_calls
        assert call.function.name == "find_person" and call.id
        assert set(json.loads(call.function.arguments)) == {"name"}


def test_a_call_has_no_argument_that_there_is_none_of(sdk: Any) -> None:
    parameters = {"type": "object", "properties": {"who": {"enum": ["Alma"]}}, "required": ["who"]}
    tool: Any = {"type": "function", "function": {"name": "find", "parameters": parameters}}
    for seed in range(5):
        said = sdk.chat.completions.create(
            model="lab", messages=ASK, tools=[tool], tool_choice="required", seed=seed
        )
        [call] = said.choices[0].message.tool_calls
        assert json.loads(call.function.arguments) == {"who": "Alma"}


def test_a_stream_has_the_same_call(sdk: Any) -> None:
    asked: dict[str, Any] = {
        "model": "lab", "messages": ASK, "tools": [FIND], "max_tokens": 60, "temperature": 0,
        "tool_choice": "required",
    }  # fmt: skip
    whole = sdk.chat.completions.create(**asked).choices[0].message.tool_calls[0]
    pieces = list(sdk.chat.completions.create(**asked, stream=True,
                                              stream_options={"include_usage": True}))  # fmt: skip
    calls = [c for one in pieces for ch in one.choices for c in ch.delta.tool_calls or ()]
    assert [(c.index, c.function.name, c.function.arguments) for c in calls] == [
        (0, "find_person", whole.function.arguments)
    ]
    ends = [ch.finish_reason for one in pieces for ch in one.choices if ch.finish_reason]
    assert ends == ["tool_calls"] and pieces[-1].usage.completion_tokens > 0


@pytest.mark.parametrize(
    "text",
    [CALL, f"[{CALL}]", f"```json\n{CALL}\n```", f"I look it up.\n<tool_call>{CALL}</tool_call>",
     f"Well. [TOOL_CALLS] [{CALL}]", f"<|python_tag|>{CALL}", "She lives in Porto.",
     "a < b, <to x>", '{"name": "Alma Reed"}', f"It is {CALL}", "One [TOOL, two",
     "x <tool_call>oh</tool_call> y"],
)  # fmt: skip
def test_what_is_sent_of_an_answer_under_way_stands_in_the_whole_one(text: str) -> None:
    final, calls = split_calls(text, ["find_person"])
    sent = ""
    for end in range(len(text) + 1):
        part = text[: count_plain(text[:end])]
        assert part.startswith(sent) and final.startswith(part)
        sent = part
    # Text goes out as it comes; of a call, and of what only looks like one, nothing does.
    if calls or not any(mark in text for mark in ("{", "<tool_call>")):
        assert sent == final.rstrip()


def test_text_comes_piece_by_piece_where_there_are_tools(sdk: Any) -> None:
    asked: dict[str, Any] = {"model": "lab", "messages": ASK, "max_tokens": 12, "temperature": 0}
    whole = sdk.chat.completions.create(**asked, tools=[FIND]).choices[0].message
    pieces = list(sdk.chat.completions.create(**asked, tools=[FIND], stream=True))
    texts = [ch.delta.content for one in pieces for ch in one.choices if ch.delta.content]
    assert "".join(texts) == whole.content and not whole.tool_calls
    assert len(texts) > 3  # as it was written, not at the end


def test_the_answer_may_be_text_and_a_call_can_be_given_back(sdk: Any) -> None:
    called = sdk.chat.completions.create(
        model="lab", messages=ASK, tools=[FIND], tool_choice="required", max_tokens=60
    ).choices[0].message  # fmt: skip
    result = {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "In Porto."}
    said = sdk.chat.completions.create(
        model="lab", messages=[*ASK, called, result], tools=[FIND], max_tokens=8
    ).choices[0]  # fmt: skip
    assert said.message.content is not None or said.message.tool_calls


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [FIND], "tool_choice": {"type": "function", "function": {"name": "no"}}},
         "tool_choice"),
        ({"tools": [FIND], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools"),
        ({"tools": ["find"]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": 5}}}],
          "tool_choice": "required"}, "tools"),
    ],
)  # fmt: skip
def test_tools_that_cannot_be_are_refused(http: Any, wrong: dict[str, Any], param: str) -> None:
    got = http.post("/v1/chat/completions", json={"model": "lab", "messages": ASK, **wrong})
    assert got.status_code == 400, got.text
    assert got.json()["error"]["param"].startswith(param)


def test_messages_are_given_back_as_the_client_makes_them(sdk: Any) -> None:
    """Parsed ones too, with their calls."""
    from pydantic import BaseModel

    class find_person(BaseModel):
        name: str

    class Place(BaseModel):
        town: str

    tool = openai.pydantic_function_tool(find_person)
    tool["function"]["parameters"]["properties"]["name"]["maxLength"] = 8
    called = sdk.chat.completions.parse(
        model="lab", messages=ASK, tools=[tool], tool_choice="required", max_tokens=60
    ).choices[0].message  # fmt: skip
    [call] = called.tool_calls
    assert isinstance(call.function.parsed_arguments, find_person)
    result = {"role": "tool", "tool_call_id": call.id, "content": "In Porto."}
    schema = {"type": "object", "properties": {"town": {"enum": ["Porto"]}}, "required": ["town"]}
    schema["additionalProperties"] = False
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    placed = sdk.chat.completions.create(
        model="lab", messages=[*ASK, called, result], response_format=form, max_tokens=60
    ).choices[0].message  # fmt: skip
    assert Place.model_validate_json(placed.content).town == "Porto"
    turns = [*ASK, {**placed.model_dump(), "parsed": {"town": "Porto"}}, *ASK]
    assert sdk.chat.completions.create(model="lab", messages=turns, max_tokens=2).choices


@pytest.mark.parametrize(
    ("guided", "said"),
    [
        ({"guided_choice": ["Porto", "Bergen"]}, ["Porto", "Bergen"]),
        ({"guided_regex": "(yes|no)!"}, ["yes!", "no!"]),
        ({"guided_json": {"const": 7}}, ["7"]),
        ({"structured_outputs": {"choice": ["x"]}}, ["x"]),
        ({"guided_grammar": 'start: "a" "b"'}, ["ab"]),
    ],
)
def test_forms_as_vllm_named_them(sdk: Any, guided: dict[str, Any], said: list[str]) -> None:
    got = sdk.chat.completions.create(model="lab", messages=ASK, extra_body=guided)
    assert got.choices[0].message.content in said
