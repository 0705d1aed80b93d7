"""Instruction and chat shapes: Alpaca, ShareGPT, OpenAI messages, prompt/completion, MT-bench."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from whatworks.data.formats.base import (
    SYSTEM,
    Content,
    Format,
    RowProblem,
    append_question,
    as_text,
    find_value,
    make_system_turn,
    parse_answers,
    read_side_input,
    require_text,
)
from whatworks.data.formats.turns import (
    SILENT,
    TURNS,
    drop_unlearned,
    find_silent,
    is_turns,
    read_turns,
    split_last_answer,
)
from whatworks.data.raw_row import Fields
from whatworks.data.task import Message, Role

TOOLS = ("tools", "functions")
"""Columns that hold what the model may call."""


def _read_alpaca(fields: Fields) -> Content:
    inputs = {"instruction": require_text(fields, "instruction"), **read_side_input(fields)}
    target = require_text(fields, "output")
    earlier = list(make_system_turn(fields))
    history: Any = find_value(fields, "history") or []
    for exchange in cast("list[Any]", history) if isinstance(history, list) else [history]:
        if not isinstance(exchange, list) or len(cast("list[Any]", exchange)) != 2:
            raise RowProblem("'history' is not a list of [question, answer]")
        question, answer = cast("list[Any]", exchange)
        earlier.append(Message(role="user", content=as_text(question)))
        earlier.append(Message(role="assistant", content=as_text(answer)))
    return append_question(earlier, Content(inputs=inputs, target=target))


def _read_conversation(fields: Fields) -> Content:
    column = find_value(fields, *TURNS)
    if column is None:
        raise RowProblem(f"no {TURNS[0]!r} or {TURNS[1]!r}")
    own = drop_unlearned(column)
    whole = add_system_turn(fields, own)
    before, target, notes = split_last_answer(whole)
    shift = len(whole) - len(own)
    muted = [at + shift for at in find_silent(column) if at + shift < len(before)]
    known = {"tools": read_tools(fields), SILENT: muted or None}
    meta = {name: value for name, value in known.items() if value is not None}
    return Content(messages=before, target=target, notes=notes, meta=meta)


def _read_prompt_completion(fields: Fields) -> Content:
    before = read_prompt_turns(fields, "prompt")
    completion = find_value(fields, "completion")
    if not before or completion is None:
        raise RowProblem(f"no {'completion' if before else 'prompt'!r}")
    before, target, notes = split_last_answer(
        (*add_system_turn(fields, before), *as_turns(completion, "assistant"))
    )
    return make_content(before, read_tools(fields), target=target, notes=notes)


def read_tools(fields: Fields) -> Any:
    """The tools of a row, those of OpenAI's legacy ``functions`` in today's form; else None."""
    if fields.get("tools") is not None or fields.get("functions") is None:
        return fields.get("tools")
    functions: Any = fields["functions"]
    if not isinstance(functions, list):
        return functions
    return [{"type": "function", "function": one} for one in cast("list[Any]", functions)]


def make_content(before: Sequence[Message], tools: Any, **said: Any) -> Content:
    """Content that is asked by turns; a single one, without tools, is an input called prompt."""
    if tools is not None:
        return Content(messages=tuple(before), meta={"tools": tools}, **said)
    if len(before) == 1:
        return Content({"prompt": before[0].content}, **said)
    return Content(messages=tuple(before), **said)


def read_prompt_turns(fields: Fields, *names: str) -> tuple[Message, ...]:
    """What the first of these columns asks, as turns; none where the row has none of them.

    An ``input`` beside it stands after it.

    Raises:
        RowProblem: If it is a list, but not of turns.
    """
    name = next((name for name in names if fields.get(name) is not None), "")
    if not name:
        return ()
    prompt, more = (
        as_turns(fields[name], "user"),
        read_side_input(fields) if name != "input" else {},
    )
    if prompt and more:
        last = prompt[-1].replace(content=f"{prompt[-1].content}\n{more['input']}")
        prompt = (*prompt[:-1], last)
    return prompt


def add_system_turn(fields: Fields, messages: Sequence[Message]) -> tuple[Message, ...]:
    """Turns with the system message of a column of its own, unless they bring one."""
    if any(m.role == "system" for m in messages):
        return tuple(messages)
    return (*make_system_turn(fields), *messages)


def as_turns(value: Any, role: Any) -> tuple[Message, ...]:
    """Turns from a list of turns, or from text as one turn of ``role``.

    Raises:
        RowProblem: If it is a list, but not of turns.
    """
    if isinstance(value, list) or is_turns(value):
        return read_turns(value)
    return (Message(role=role, content=as_text(value)),)


def _read_mt_bench(fields: Fields) -> Content:
    value = fields.get("turns")
    if not isinstance(value, list) or not value:
        raise RowProblem("no list of 'turns'")
    asks = [as_text(item) for item in cast("list[Any]", value)]
    best, references = parse_answers(fields.get("reference") or "")
    meta = {"turns": asks, **({"references": list(references)} if references else {})}
    # The later turns can be asked only after the model has answered the first: a chat metric's job.
    return Content(inputs={"question": asks[0]}, target=best, meta=meta)


def _read_ultrachat(fields: Fields) -> Content:
    """Texts that user and assistant say by turns (Ding et al. 2023, UltraChat)."""
    texts = cast("list[Any]", fields["data"]) if isinstance(fields.get("data"), list) else []
    if len(texts) < 2:
        raise RowProblem("no 'data' of two texts or more")
    roles: tuple[Role, Role] = ("user", "assistant")
    messages = [Message(role=roles[n % 2], content=as_text(text)) for n, text in enumerate(texts)]
    before, target, notes = split_last_answer(messages)
    return Content(messages=before, target=target, notes=notes)


def _is_ultrachat(fields: Fields) -> bool:
    value: Any = fields.get("data")
    texts = isinstance(value, list) and all(isinstance(one, str) for one in cast("Any", value))
    return texts and bool(value) and fields.keys() <= {"id", "data"}


def _has_conversation(*names: str) -> Callable[[Fields], bool]:
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
    _read_alpaca,
)
OPENAI = Format(
    "openai",
    "messages: [{role, content}], perhaps tools",
    {"input": ("messages",), "system": SYSTEM, "tools": TOOLS},
    _has_conversation("messages"),
    _read_conversation,
)
SHAREGPT = Format(
    "sharegpt",
    "conversations: [{from, value}], perhaps system",
    {"input": ("conversations", "conversation"), "system": SYSTEM, "tools": TOOLS},
    _has_conversation("conversations", "conversation"),
    _read_conversation,
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
    _read_prompt_completion,
)
MT_BENCH = Format(
    "mt-bench",
    "question_id, turns: [question, follow-up], perhaps reference",
    {"id": ("question_id",), "input": ("turns",), "target": ("reference",)},
    lambda fields: isinstance(fields.get("turns"), list) and "question_id" in fields,
    _read_mt_bench,
)
ULTRACHAT = Format(
    "ultrachat",
    "data: [question, answer, question, ...]",
    {"input": ("data",)},
    _is_ultrachat,
    _read_ultrachat,
)
