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
from whatworks.data.formats.turns import SILENT, TURNS, asked, counted, is_turns, silent, turns
from whatworks.data.raw_row import Fields
from whatworks.data.task import Message, Role

TOOLS = ("tools", "functions")
"""Columns that hold what the model may call."""


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
    said = counted(found)
    whole = led(fields, said)
    before, target, notes = asked(whole)
    shift = len(whole) - len(said)
    muted = [at + shift for at in silent(found) if at + shift < len(before)]
    known = {"tools": tools_of(fields), SILENT: muted or None}
    meta = {name: value for name, value in known.items() if value is not None}
    return Content(messages=before, target=target, notes=notes, meta=meta)


def _prompt_completion(fields: Fields) -> Content:
    before = prompt_turns(fields, "prompt")
    completion = first(fields, "completion")
    if not before or completion is None:
        raise RowProblem(f"no {'completion' if before else 'prompt'!r}")
    before, target, notes = asked((*led(fields, before), *as_turns(completion, "assistant")))
    return asking(before, tools_of(fields), target=target, notes=notes)


def tools_of(fields: Fields) -> Any:
    """The tools of a row, those of OpenAI's legacy ``functions`` in today's form; else None."""
    if fields.get("tools") is not None or fields.get("functions") is None:
        return fields.get("tools")
    functions: Any = fields["functions"]
    if not isinstance(functions, list):
        return functions
    return [{"type": "function", "function": one} for one in cast("list[Any]", functions)]


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


def _ultrachat(fields: Fields) -> Content:
    """Texts that user and assistant say by turns (Ding et al. 2023, UltraChat)."""
    said = cast("list[Any]", fields["data"]) if isinstance(fields.get("data"), list) else []
    if len(said) < 2:
        raise RowProblem("no 'data' of two texts or more")
    roles: tuple[Role, Role] = ("user", "assistant")
    given = [Message(role=roles[n % 2], content=as_text(text)) for n, text in enumerate(said)]
    before, target, notes = asked(given)
    return Content(messages=before, target=target, notes=notes)


def _is_ultrachat(fields: Fields) -> bool:
    said: Any = fields.get("data")
    texts = isinstance(said, list) and all(isinstance(one, str) for one in cast("Any", said))
    return texts and bool(said) and fields.keys() <= {"id", "data"}


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
    {"input": ("messages",), "system": SYSTEM, "tools": TOOLS},
    _conversation_in("messages"),
    _conversation,
)
SHAREGPT = Format(
    "sharegpt",
    "conversations: [{from, value}], perhaps system",
    {"input": ("conversations", "conversation"), "system": SYSTEM, "tools": TOOLS},
    _conversation_in("conversations", "conversation"),
    _conversation,
)
PROMPT_COMPLETION = Format(
    "prompt-completion",
    "prompt, completion: text or lists of turns, perhaps input and system",
    {
        "input": ("prompt", "input"),
        "system": SYSTEM,
        "tools": TOOLS,
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
ULTRACHAT = Format(
    "ultrachat",
    "data: [question, answer, question, ...]",
    {"input": ("data",)},
    _is_ultrachat,
    _ultrachat,
)
