"""Functions that a conversation may call: as text, and as templates and servers have them.

A system message that shows functions holds them as its last line, so that it is whole for whoever
reads text, and names them in ``Message.tools``. Where a chat template or a server takes functions,
``read_native`` gives the turns without that line, calls and results in the fields that OpenAI's
chat completions and the templates of transformers know.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from whatworks.data.task import Message

SHOWN = 'Functions that can be called, by [{"name": ..., "arguments": {...}}]: '
"""Stands before the functions of a conversation; calls are written so wherever data are read."""


@dataclass(frozen=True)
class Native:
    """A conversation as chat templates have it.

    Attributes:
        turns: Role and content; ``tool_calls`` where the assistant calls, whose arguments are
            objects, and ``tool_call_id`` and ``name`` of what came back.
        tools: The functions, each ``{"type": "function", "function": {...}}``.
    """

    turns: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...]


def show_tools(messages: Sequence[Message], tools: str) -> tuple[Message, ...]:
    """The messages with functions (JSON text) as the last line of the system message."""
    line = SHOWN + tools
    if messages and messages[0].role == "system":
        first = messages[0].replace(content=f"{messages[0].content}\n{line}", tools=tools)
        return (first, *messages[1:])
    return (Message(role="system", content=line, tools=tools), *messages)


def read_native(messages: Sequence[Message]) -> Native | None:
    """A conversation with its functions in fields; None where it shows none, or not readably."""
    if not messages or not messages[0].tools:
        return None
    tools = _read_functions(messages[0].tools)
    if not tools:
        return None
    said = messages[0].content.removesuffix(SHOWN + messages[0].tools).rstrip("\n")
    turns: list[dict[str, Any]] = [{"role": "system", "content": said}] if said else []
    waiting: list[dict[str, Any]] = []
    for number, message in enumerate(messages[1:]):
        turn: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.role == "assistant" and (split := split_calls(message.content)):
            turn["content"], calls = split
            waiting = [
                {"id": f"call_{number}_{at}", "type": "function", "function": call}
                for at, call in enumerate(calls)
            ]
            turn["tool_calls"] = list(waiting)
        elif message.role == "tool" and waiting:
            call = waiting.pop(0)
            turn |= {"tool_call_id": call["id"], "name": call["function"]["name"]}
        turns.append(turn)
    return Native(tuple(turns), tuple(tools))


def split_calls(content: str) -> tuple[str, list[dict[str, Any]]] | None:
    """What an assistant's turn says and what it calls, as readers of data write it; else None.

    Calls are one JSON value, alone or on the last line.
    """
    said, _, last = content.rpartition("\n")
    for before, text in (("", content), (said, last)):
        if calls := _read_calls(text):
            return before, calls
    return None


def _read_calls(text: str) -> list[dict[str, Any]]:
    if text.strip()[:1] not in ("[", "{"):
        return []
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    calls: list[dict[str, Any]] = []
    for item in items:
        fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
        name, arguments = fields.get("name"), fields.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return []
        calls.append({"name": name, "arguments": cast("dict[str, Any]", arguments)})
    return calls


def _read_functions(text: str) -> list[dict[str, Any]]:
    """Functions in OpenAI's form, whether they come so or bare; none if unreadable."""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if isinstance(value, str):
        return _read_functions(value)
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    functions: list[dict[str, Any]] = []
    for item in items:
        if not isinstance(item, dict):
            return []
        fields = cast("dict[str, Any]", item)
        inner: Any = fields.get("function", fields)
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            return []
        functions.append({"type": "function", "function": _mend_types(inner)})
    return functions


def _mend_types(value: Any) -> Any:
    """A function whose parameters are JSON Schema: BFCL writes Python's names of types."""
    names = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}
    if isinstance(value, list):
        return [_mend_types(one) for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    return {
        name: names.get(one, one) if name == "type" and isinstance(one, str) else _mend_types(one)
        for name, one in cast("dict[str, Any]", value).items()
    }
