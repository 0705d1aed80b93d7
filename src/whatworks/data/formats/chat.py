"""Instruction and chat shapes: Alpaca, ShareGPT, OpenAI messages, prompt/completion, MT-bench."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from whatworks.data.formats.base import Content, Format, RowProblem, answers, as_text, first, needed
from whatworks.data.formats.turns import TURNS, asked, is_turns, turns
from whatworks.data.rows import Fields
from whatworks.task import Message


def _alpaca(fields: Fields) -> Content:
    instruction = needed(fields, "instruction")
    extra = as_text(first(fields, "input") or "")
    target = needed(fields, "output")
    system = as_text(first(fields, "system") or "")
    history: Any = first(fields, "history") or []
    if not system and not history:
        inputs = {"instruction": instruction}
        return Content(inputs={**inputs, "input": extra} if extra else inputs, target=target)
    messages = [Message(role="system", content=system)] if system else []
    for exchange in cast("list[Any]", history) if isinstance(history, list) else [history]:
        if not isinstance(exchange, list) or len(cast("list[Any]", exchange)) != 2:
            raise RowProblem("'history' is not a list of [question, answer]")
        question, answer = cast("list[Any]", exchange)
        messages.append(Message(role="user", content=as_text(question)))
        messages.append(Message(role="assistant", content=as_text(answer)))
    question = f"{instruction}\n{extra}" if extra else instruction
    return Content(messages=(*messages, Message(role="user", content=question)), target=target)


def _conversation(fields: Fields) -> Content:
    found = first(fields, *TURNS)
    if found is None:
        raise RowProblem(f"no {TURNS[0]!r} or {TURNS[1]!r}")
    messages = turns(found)
    system = fields.get("system")
    if isinstance(system, str) and system and all(m.role != "system" for m in messages):
        messages = (Message(role="system", content=system), *messages)
    before, target, note = asked(messages)
    return Content(messages=before, target=target, note=note)


def _prompt_completion(fields: Fields) -> Content:
    prompt, completion = first(fields, "prompt"), first(fields, "completion")
    if prompt is None or completion is None:
        raise RowProblem(f"no {'prompt' if prompt is None else 'completion'!r}")
    if not is_turns(prompt) and not is_turns(completion):
        return Content(inputs={"prompt": as_text(prompt)}, target=as_text(completion))
    before, target, note = asked((*as_turns(prompt, "user"), *as_turns(completion, "assistant")))
    return Content(messages=before, target=target, note=note)


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
        "system": ("system",),
        "history": ("history",),
        "target": ("output",),
    },
    lambda fields: "instruction" in fields and "output" in fields,
    _alpaca,
)
OPENAI = Format(
    "openai",
    "messages: [{role, content}], perhaps tools",
    {"input": ("messages",), "system": ("system",)},
    _conversation_in("messages"),
    _conversation,
)
SHAREGPT = Format(
    "sharegpt",
    "conversations: [{from, value}], perhaps system",
    {"input": ("conversations", "conversation"), "system": ("system",)},
    _conversation_in("conversations", "conversation"),
    _conversation,
)
PROMPT_COMPLETION = Format(
    "prompt-completion",
    "prompt, completion: text or lists of turns",
    {"input": ("prompt",), "target": ("completion",)},
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
