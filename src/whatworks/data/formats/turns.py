"""Conversations as they stand in files: role names, turns, tool calls, the answer asked for.

An example made of a conversation asks for its **last assistant turn**; the turns before it are its
messages. ``expand_turns`` makes one example of each assistant turn where all are wanted (``turns:
every`` in a study file), except those of weight 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.data.formats.base import LeftOut, RowProblem, as_text
from whatworks.data.json_text import parse
from whatworks.data.raw_row import Fields
from whatworks.data.task import Example, Message, Role

ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "customer", "question"), "user"),
    **dict.fromkeys(
        ("assistant", "gpt", "bot", "chatbot", "chatgpt", "model", "ai", "bard", "bing", "claude"),
        "assistant",
    ),
    "function_call": "assistant",
    **dict.fromkeys(
        ("tool", "function", "observation", "tool_response", "function_response", "ipython"),
        "tool",
    ),
}
"""Role names seen in the wild."""

TURNS = ("messages", "conversations", "conversation")
"""Columns that hold a conversation."""

_ASKS = ("user", "tool")
_ROLE_KEYS = ("role", "from", "speaker", "type")
_TEXT_KEYS = ("content", "value", "text")
_READ = {*_ROLE_KEYS, *_TEXT_KEYS, "tool_calls", "function_call", "weight"}
SILENT = "silent_turns"
"""In ``meta``: positions of the messages that are read and not learned."""
BY_ANSWER = "by_answer"
"""In ``meta``: for each answer of a conversation what its row has there, where they differ."""
_MEDIA = re.compile(r"image|audio|video", re.IGNORECASE)
_FILES = ("file", "input_file", "document", "file_data", "inline_data", "media")


def is_turns(value: Any) -> bool:
    """Whether a value is a list of turns, or JSON text of one (as tables hold it)."""
    value = _unpack(value)
    if not isinstance(value, list) or not value:
        return False
    return all(
        isinstance(turn, dict) and any(key in turn for key in _ROLE_KEYS)
        for turn in cast("list[Any]", value)
    )


def read_turns(value: Any) -> tuple[Message, ...]:
    """The turns of a conversation.

    Raises:
        LeftOut: If a turn has an image, audio or another part that is no text.
        RowProblem: If it is no list of turns, or a turn has an unknown role or no text.
    """
    value = _unpack(value)
    if not isinstance(value, list):
        raise RowProblem("the conversation is not a list of turns")
    return tuple(read_turn(item) for item in cast("list[Any]", value))


def drop_unlearned(value: Any) -> tuple[Message, ...]:
    """The turns up to the last answer that is to be learned: ``weight: 0`` marks one that is not.

    Raises:
        LeftOut: If all answers are marked so.
        RowProblem: As for ``read_turns``.
    """
    messages, items = read_turns(value), _unpack(value)
    answers = [i for i, message in enumerate(messages) if message.role == "assistant"]
    learned = [i for i in answers if items[i].get("weight") != 0]
    if answers and not learned:
        raise LeftOut("all answers have weight 0")
    return messages if answers[-1:] == learned[-1:] else messages[: learned[-1] + 1]


def find_silent(value: Any) -> tuple[int, ...]:
    """Positions of the answers that ``weight: 0`` keeps from being learned."""
    items = _unpack(value)
    return tuple(i for i, item in enumerate(items) if item.get("weight") == 0)


def list_unread(fields: Fields) -> tuple[str, ...]:
    """Names of what turns hold beside role, text, calls and weight: the model is not shown it."""
    names: dict[str, None] = {}
    for value in fields.values():
        inner = cast("Any", value).get("messages") if isinstance(value, dict) else value
        if isinstance(inner, str | list) and is_turns(inner):
            for item in _unpack(inner):
                filled = (
                    name for name, content in item.items() if content not in (None, "", [], {})
                )
                names |= dict.fromkeys(name for name in filled if name not in _READ)
    return tuple(names)


def read_turn(value: Any) -> Message:
    """One turn, ``{"role"/"from": ..., "content"/"value": ...}``.

    A tool call becomes JSON text, ``[{"name": ..., "arguments": {...}}]``, after what is said;
    so does a turn of ShareGPT's role ``function_call``, if it holds JSON.

    Raises:
        LeftOut: If it has an image, audio or the like in the place of text.
        RowProblem: If the role is unknown, or the turn has neither text nor a tool call.
    """
    if not isinstance(value, dict):
        raise RowProblem("a turn is not an object")
    fields = cast("dict[str, Any]", value)
    named = next((fields[key] for key in _ROLE_KEYS if isinstance(fields.get(key), str)), None)
    if named is None:
        raise RowProblem("a turn without a role")
    role = ROLES.get(named.lower())
    if role is None:
        raise RowProblem(f"a turn with the unknown role {named[:40]!r}")
    content = next((fields[key] for key in _TEXT_KEYS if fields.get(key) is not None), None)
    if named.lower() == "function_call":
        with suppress(InputError, RowProblem):
            return Message(role=role, content=_format_calls(parse(as_text(content), "")))
    parts = [] if content is None else [read_content(content)]
    called = fields.get("tool_calls") or fields.get("function_call")
    if called:
        parts.append(_format_calls(called))
    if not parts:
        kind = _find_kind({**fields, "type": None})
        if kind != "part":
            raise LeftOut(f"they hold {kind[:40]!r}, and only text is read")
        raise RowProblem("a turn without text")
    return Message(role=role, content="\n".join(part for part in parts if part))


def read_content(value: Any) -> str:
    """The text of a message's content: a string, or a list of text parts.

    Raises:
        LeftOut: If a part is an image, audio, video or a file.
        RowProblem: If a part is anything else that is not text.
    """
    if not isinstance(value, list):
        return as_text(value)
    texts: list[str] = []
    for part in cast("list[Any]", value):
        fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {"text": part}
        kind, text = _find_kind(fields), fields.get("text")
        if isinstance(text, str) and not _MEDIA.search(kind):
            texts.append(text)
        elif _MEDIA.search(kind) or kind in _FILES:
            raise LeftOut(f"they hold {kind[:40]!r}, and only text is read")
        else:
            raise RowProblem(f"content of kind {kind[:40]}; only text is read")
    return "\n".join(texts)


def _find_kind(part: dict[str, Any]) -> str:
    """``image_url`` of ``{"type": "image_url", ...}`` and of ``{"image_url": ...}`` alike."""
    if part.get("type") is not None:
        return as_text(part["type"])
    filled = (name for name, content in part.items() if content is not None)
    return next((name for name in filled if _MEDIA.search(name) or name in _FILES), "part")


def split_last_answer(
    messages: Sequence[Message],
) -> tuple[tuple[Message, ...], str, tuple[str, ...]]:
    """A conversation as (turns before the last answer, that answer, notes on turns left out).

    A conversation without any assistant turn is a question without an answer.

    Raises:
        RowProblem: If nobody asks anything before the last answer.
    """
    last = max((i for i, m in enumerate(messages) if m.role == "assistant"), default=-1)
    before = tuple(messages[:last] if last >= 0 else messages)
    if not any(m.role in _ASKS for m in before):
        raise RowProblem("no user turn before the last answer")
    target = messages[last].content if last >= 0 else ""
    note = "end after the last answer with a user turn, which was left out"
    return before, target, () if last in (-1, len(messages) - 1) else (note,)


def expand_turns(examples: Iterable[Example]) -> tuple[Example, ...]:
    """One example per assistant turn that answers; those of one conversation share its group.

    A greeting before anything was asked, and silence, answer nothing.
    The example of turn ``n`` of several has the id ``<id>-t<n>``, counted from 1.
    """
    expanded: list[Example] = []
    for example in examples:
        first = next((i for i, m in enumerate(example.messages) if m.role in _ASKS), 0)
        muted = example.meta.get(SILENT) or ()
        answers = [
            i
            for i, m in enumerate(example.messages)
            if m.role == "assistant" and m.content.strip() and i > first and i not in muted
        ]
        if not answers:
            expanded.append(example)
            continue
        group = example.group or example.id
        for n, at in enumerate((*answers, len(example.messages)), start=1):
            last = at == len(example.messages)
            target = example.target if last else example.messages[at].content
            meta = dict(example.meta)
            if isinstance(own := meta.pop(BY_ANSWER, None), list) and len(own) > len(answers):
                meta |= own[n - 1]
            expanded.append(
                example.replace(
                    id=f"{example.id}-t{n}",
                    messages=example.messages[:at],
                    target=target,
                    group=group,
                    meta=meta,
                )
            )
    return tuple(expanded)


def _unpack(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return parse(value, "")
        except InputError:
            return value
    return value


def _format_calls(value: Any) -> str:
    calls: list[dict[str, Any]] = []
    for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            raise RowProblem("a tool call is not an object")
        call = cast("dict[str, Any]", item)
        inner = call.get("function", call)
        if not isinstance(inner, dict):
            raise RowProblem("a tool call is not an object")
        function = cast("dict[str, Any]", inner)
        arguments = function.get("arguments", function.get("args"))
        if isinstance(arguments, str):
            # Broken JSON is kept as the text that the model wrote.
            with suppress(InputError):
                arguments = parse(arguments, "")
        calls.append({"name": function.get("name"), "arguments": arguments})
    return json.dumps(calls, ensure_ascii=False)
