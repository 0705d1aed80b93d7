"""Tools of a request: shown to the model as its template or an arm's prompt has them, calls parsed.

What counts as a call of an answer is JSON with the name of a tool of the request, alone or in the
marks that models use: ``<tool_call>`` tags (Hermes, Qwen), ``[TOOL_CALLS]`` (Mistral),
``<|python_tag|>`` (Llama), ``<function=NAME>``. Everything else is text.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from whatworks.metrics.json.parse import MalformedJSON, parse
from whatworks.metrics.tool_call import MARKS, NAMED, NoCalls, ToolCall, read_calls
from whatworks.models.constraint import Constraint
from whatworks.models.json_schema import Schema

_TAGGED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Function(_Shape):
    """A function that may be called."""

    name: str = Field(min_length=1, max_length=256)
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(_Shape):
    """A tool of a request."""

    type: Literal["function"] = "function"
    function: Function

    def describe(self) -> dict[str, Any]:
        """As templates and our prompts show it."""
        return self.model_dump(exclude_none=True)


class _Named(_Shape):
    name: str


class ToolChoice(_Shape):
    """The one function that has to be called."""

    type: Literal["function"] = "function"
    function: _Named


Choice = Literal["none", "auto", "required"] | ToolChoice


def build_form(tools: Sequence[Tool], choice: Choice) -> Constraint | None:
    """The form of an answer that has to be a call; None where it may be text.

    Raises:
        InputError: If a function's parameters are no JSON Schema.
        KeyError: If the function that has to be called is none of the tools.
    """
    if choice in ("none", "auto"):
        return None
    functions = {tool.function.name: tool.function for tool in tools}
    chosen = (
        [functions[choice.function.name]]
        if isinstance(choice, ToolChoice)
        else list(functions.values())
    )
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": function.name},
                "arguments": _close(function.parameters or {"type": "object"}),
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for function in chosen
    ]
    return Constraint.from_schema(
        Schema(calls[0] if len(calls) == 1 else {"anyOf": calls}).contents
    )


def _close(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters that name what there is allow nothing else, unless they say so."""
    if "properties" not in parameters:
        return parameters
    return {"additionalProperties": False, **parameters}


def split_calls(text: str, names: Sequence[str]) -> tuple[str, list[ToolCall]]:
    """What an answer says and what it calls.

    Args:
        text: The answer.
        names: The tools of the request; JSON that names none of them is text.
    """
    rest, pieces = text, list[str]()
    if tagged := _TAGGED.findall(text):
        rest, pieces = _TAGGED.sub("", text), tagged
    elif named := NAMED.findall(text):
        rest = NAMED.sub("", text)
        pieces = [f'{{"name": {json.dumps(name)}, "arguments": {body}}}' for name, body in named]
    else:
        rest, bare = "", text.strip()
        for mark in MARKS:
            if mark in bare:
                before, _, bare = bare.partition(mark)
                rest, bare = rest + before, bare.strip()
        pieces = [_strip_fence(bare)]
    calls: list[ToolCall] = []
    for piece in pieces:
        try:
            calls += _read(piece)
        except NoCalls:
            return text, []
    if not calls or any(call.name not in names for call in calls):
        return text, []
    return rest.strip(), calls


def count_plain(text: str) -> int:
    """How many characters of an answer under way are text, whatever follows.

    An answer that begins as JSON or as a code fence may become a call as a whole; any other is text
    up to a mark of calls, or to what may still become one. Blanks at the end are taken off where
    a call follows.
    """
    if not text.strip() or text.lstrip()[0] in "{[`":
        return 0
    openings = ("<tool_call>", "<function=", *MARKS)
    places = [at for mark in openings if (at := text.find(mark)) >= 0]
    for mark in openings:
        most = min(len(mark) - 1, len(text))
        places += [len(text) - n for n in range(most, 0, -1) if text.endswith(mark[:n])]
    return len(text[: min(places, default=len(text))].rstrip())


def _read(piece: str) -> list[ToolCall]:
    """The calls of a piece of JSON; an object without arguments is a text, not a call.

    Raises:
        NoCalls: If there are none.
    """
    if not ('"arguments"' in piece or '"parameters"' in piece):
        raise NoCalls("no arguments")
    return read_calls(piece)


def _strip_fence(text: str) -> str:
    fenced = re.fullmatch(r"```(?:json)?\s*\n(.*?)\n?```", text, re.DOTALL)
    return fenced[1] if fenced else text


def format_calls(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Calls as chat completions have them, each with an id of its own."""
    return [
        {
            "id": f"call_{uuid.uuid4().hex[:24]}",
            "type": "function",
            "function": {
                "name": call.name,
                "arguments": json.dumps(call.arguments, ensure_ascii=False),
            },
        }
        for call in calls
    ]


def read_arguments(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call that a client gives back, its arguments as templates have them: an object."""
    function: Mapping[str, Any] = call.get("function") or {}
    arguments: Any = function.get("arguments")
    if isinstance(arguments, str):
        with suppress(MalformedJSON):  # else as the model wrote it
            arguments = parse(arguments).value if arguments.strip() else {}
    return {"type": "function", "function": {**function, "arguments": arguments}}
