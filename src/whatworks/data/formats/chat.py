"""Instruction and chat shapes: Alpaca, ShareGPT, OpenAI messages, prompt/completion, MT-bench."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from whatworks.data.formats.base import (
    SYSTEM,
    Content,
    Format,
    RowProblem,
    after,
    answers,
    as_text,
    beside,
    first,
    needed,
    system_turn,
)
from whatworks.data.formats.turns import TURNS, asked, counted, is_turns, turns
from whatworks.data.raw_row import Fields
from whatworks.data.task import Message


def _alpaca(fields: Fields) -> Content:
    inputs = {"instruction": needed(fields, "instruction"), **beside(fields)}
    target = needed(fields, "output")
    earlier = list(system_turn(fields))
    history: Any = first(fields, "history") or []
    for exchange in cast("list[Any]", history) if isinstance(history, list) else [history]:
        if not isinstance(exchange, list) or len(cast("list[Any]", exchange)) != 2:
            raise RowProblem("'history' is not a list of [question, answer]")
        question, answer = cast("list[Any]", exchange)
        earlier.append(Message(role="user", content=as_text(question)))
        earlier.append(Message(role="assistant", content=as_text(answer)))
    return after(earlier, Content(inputs=inputs, target=target))


def _conversation(fields: Fields) -> Content:
    found = first(fields, *TURNS)
    if found is None:
        raise RowProblem(f"no {TURNS[0]!r} or {TURNS[1]!r}")
    before, target, note = asked(led(fields, counted(found)))
    meta = {"tools": fields["tools"]} if fields.get("tools") is not None else {}
    return Content(messages=before, target=target, note=note, meta=meta)


def _prompt_completion(fields: Fields) -> Content:
    before = prompt_turns(fields, "prompt")
    completion = first(fields, "completion")
    if not before or completion is None:
        raise RowProblem(f"no {'completion' if before else 'prompt'!r}")
    before, target, note = asked((*led(fields, before), *as_turns(completion, "assistant")))
    return asking(before, fields.get("tools"), target=target, note=note)


def asking(before: Sequence[Message], tools: Any, **said: Any) -> Content:
    """Content that is asked by turns; a single one, without tools, is an input called prompt."""
    if tools is not None:
        return Content(messages=tuple(before), meta={"tools": tools}, **said)
    if len(before) == 1:
        return Content({"prompt": before[0].content}, **said)
    return Content(messages=tuple(before), **said)


def prompt_turns(fields: Fields, *names: str) -> tuple[Message, ...]:
    """What the first of these columns asks, as turns; none where the row has none of them.

    An ``input`` beside it stands after it.

    Raises:
        RowProblem: If it is a list, but not of turns.
    """
    name = next((name for name in names if fields.get(name) is not None), "")
    if not name:
        return ()
    given, more = as_turns(fields[name], "user"), beside(fields) if name != "input" else {}
    if given and more:
        last = given[-1].replace(content=f"{given[-1].content}\n{more['input']}")
        given = (*given[:-1], last)
    return given


def led(fields: Fields, messages: Sequence[Message]) -> tuple[Message, ...]:
    """Turns with the system message of a column of its own, unless they bring one."""
    if any(m.role == "system" for m in messages):
        return tuple(messages)
    return (*system_turn(fields), *messages)


def as_turns(value: Any, role: Any) -> tuple[Message, ...]:
    """Turns from a list of turns, or from text as one turn of ``role``.

    Raises:
        RowProblem: If it is a list, but not of turns.
    """
    if isinstance(value, list) or is_turns(value):
        return turns(value)
    return (Message(role=role, content=as_text(value)),)


def _mt_bench(fields: Fields) -> Content:
    given = fields.get("turns")
    if not isinstance(given, list) or not given:
        raise RowProblem("no list of 'turns'")
    asks = [as_text(item) for item in cast("list[Any]", given)]
    best, references = answers(fields.get("reference") or "")
    meta = {"turns": asks, **({"references": list(references)} if references else {})}
    # The later turns can be asked only after the model has answered the first: a chat metric's job.
    return Content(inputs={"question": asks[0]}, target=best, meta=meta)


def _conversation_in(*names: str) -> Callable[[Fields], bool]:
    return lambda fields: any(is_turns(fields.get(name)) for name in names)


ALPACA = Format(
    "alpaca",
    "instruction, input, output, perhaps system and history",
    {
        "input": ("instruction", "input"),
        "system": SYSTEM,
        "history": ("history",),
        "target": ("output",),
    },
    lambda fields: "instruction" in fields and "output" in fields,
    _alpaca,
)
OPENAI = Format(
    "openai",
    "messages: [{role, content}], perhaps tools",
    {"input": ("messages",), "system": SYSTEM, "tools": ("tools",)},
    _conversation_in("messages"),
    _conversation,
)
SHAREGPT = Format(
    "sharegpt",
    "conversations: [{from, value}], perhaps system",
    {"input": ("conversations", "conversation"), "system": SYSTEM, "tools": ("tools",)},
    _conversation_in("conversations", "conversation"),
    _conversation,
)
PROMPT_COMPLETION = Format(
    "prompt-completion",
    "prompt, completion: text or lists of turns, perhaps input and system",
    {
        "input": ("prompt", "input"),
        "system": SYSTEM,
        "tools": ("tools",),
        "target": ("completion",),
    },
    lambda fields: "prompt" in fields and "completion" in fields,
    _prompt_completion,
)
MT_BENCH = Format(
    "mt-bench",
    "question_id, turns: [question, follow-up], perhaps reference",
    {"id": ("question_id",), "input": ("turns",), "target": ("reference",)},
    lambda fields: isinstance(fields.get("turns"), list) and "question_id" in fields,
    _mt_bench,
)
