"""Preference shapes: a better and a worse answer to the same input, or answers with a label.

The example of a pair has the better answer as its target, so that the same file can also serve
supervised tuning. Rows with one labelled answer (KTO) are joined into pairs where an input has
both kinds; what stays single is a pair with an empty side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from whatworks.data.formats.base import SYSTEM, Content, Format, RowProblem, as_text, find_value
from whatworks.data.formats.chat import (
    TOOLS,
    add_system_turn,
    as_turns,
    make_content,
    read_prompt_turns,
    read_tools,
)
from whatworks.data.formats.turns import (
    ROLES,
    TURNS,
    is_turns,
    read_turn,
    read_turns,
    split_last_answer,
)
from whatworks.data.raw_row import Fields
from whatworks.data.task import Message, Pair

_SPEAKER = re.compile(r"^[ \t]*(\w+):", re.MULTILINE)
_PROMPTS = ("prompt", "question", "instruction")


def _make_pair(before: Sequence[Message], chosen: str, rejected: str, tools: Any) -> Content:
    if not any(m.role in ("user", "tool") for m in before):
        raise RowProblem("no user turn before the two answers")
    return make_content(before, tools, target=chosen, chosen=chosen, rejected=rejected)


def _read_openai(fields: Fields) -> Content:
    value: Any = fields.get("input")
    if not isinstance(value, dict) or "messages" not in value:
        raise RowProblem("no 'input' with 'messages'")
    chosen, rejected = (
        _read_answer(fields, name) for name in ("preferred_output", "non_preferred_output")
    )
    return _make_pair(read_turns(value["messages"]), chosen, rejected, value.get("tools") or None)


def _read_sharegpt(fields: Fields) -> Content:
    before = add_system_turn(fields, read_turns(find_value(fields, *TURNS)))
    chosen, rejected = _read_answer(fields, "chosen"), _read_answer(fields, "rejected")
    return _make_pair(before, chosen, rejected, read_tools(fields))


def _read_trl(fields: Fields) -> Content:
    chosen, rejected = find_value(fields, "chosen"), find_value(fields, "rejected")
    if chosen is None or rejected is None:
        raise RowProblem(f"no {'chosen' if chosen is None else 'rejected'!r}")
    before = list(read_prompt_turns(fields, *_PROMPTS, "input"))
    if is_turns(chosen) and is_turns(rejected):
        shared, good, bad = _fork(read_turns(chosen), read_turns(rejected))
        # A conversation that repeats its prompt stands for it.
        before = shared if any(m.role == "user" for m in shared) else [*before, *shared]
    else:
        good, bad = as_text(chosen), as_text(rejected)
        if not before:
            cut = _measure_shared(good, bad)
            if not good[:cut].strip():
                raise RowProblem("no 'prompt', and the two answers share no beginning")
            before = [Message(role="user", content=good[:cut].strip())]
            good, bad = good[cut:].lstrip(), bad[cut:].lstrip()
    return _make_pair(add_system_turn(fields, before), good, bad, read_tools(fields))


def _measure_shared(one: str, other: str) -> int:
    """Length of the question that two texts begin with.

    That is what they share, up to where an answer begins (``Assistant:`` at the start of a line),
    else up to its last line, else up to its last word. TRL (``extract_prompt``) cuts at the first
    letter that differs, and so counts the words with which both answers begin to the question.
    """
    differ = (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    shared = one[: next(differ, min(len(one), len(other)))]
    *_, speaker = (None, *_SPEAKER.finditer(shared))
    if speaker and ROLES.get(speaker[1].lower()) == "assistant":
        return speaker.end()
    line = shared.rfind("\n") + 1
    return line if shared[:line].strip() else shared.rfind(" ") + 1


def _fork(good: Sequence[Message], bad: Sequence[Message]) -> tuple[list[Message], str, str]:
    """Two conversations as (shared turns, last turn of one, last turn of the other)."""
    if len(good) != len(bad) or good[:-1] != bad[:-1]:
        raise RowProblem("'chosen' and 'rejected' differ in more than their last turn")
    if good[-1].role != "assistant" or bad[-1].role != "assistant":
        raise RowProblem("'chosen' or 'rejected' does not end with an answer")
    return list(good[:-1]), good[-1].content, bad[-1].content


def _read_answer(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise RowProblem(f"no {name!r}")
    if is_turns(value):
        return read_turns(value)[-1].content
    return read_turn(value).content if isinstance(value, dict) else as_text(value)


def _read_kto(fields: Fields) -> Content:
    prompt = read_prompt_turns(fields, "prompt")
    completion, label = find_value(fields, "completion"), find_value(fields, "label")
    if not prompt or completion is None or label is None:
        raise RowProblem("no 'prompt', 'completion' or 'label'")
    good = _LABELS.get(as_text(label).lower())
    if good is None:
        raise RowProblem("a 'label' other than true and false")
    before, answer, _ = split_last_answer(
        (*add_system_turn(fields, prompt), *as_turns(completion, "assistant"))
    )
    one, other = (answer, None) if good else (None, answer)
    return make_content(before, read_tools(fields), target=one or "", chosen=one, rejected=other)


_LABELS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def join_labelled(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Pairs with one empty side joined where the same input has both kinds, first with first.

    Pairs that are whole already are kept. Order: that of the first member.
    """
    waiting: dict[tuple[str, bool], list[int]] = {}
    joined: list[Pair | None] = []
    for pair in pairs:
        if pair.chosen and pair.rejected:
            joined.append(pair)
            continue
        asks, good = pair.example.text, bool(pair.chosen)
        partners = waiting.get((asks, not good), [])
        if not partners:
            waiting.setdefault((asks, good), []).append(len(joined))
            joined.append(pair)
            continue
        at = partners.pop(0)
        other = joined[at]
        assert other is not None
        better, worse = (pair, other) if good else (other, pair)
        joined[at] = better.replace(rejected=worse.rejected)
    return tuple(pair for pair in joined if pair is not None)


OPENAI_PREFERENCE = Format(
    "openai-preference",
    "input: {messages}, preferred_output, non_preferred_output",
    {
        "input": ("input",),
        "chosen": ("preferred_output",),
        "rejected": ("non_preferred_output",),
    },
    lambda fields: "preferred_output" in fields and "non_preferred_output" in fields,
    _read_openai,
)
SHAREGPT_PREFERENCE = Format(
    "sharegpt-preference",
    "conversations: [{from, value}], chosen, rejected: {from, value}",
    {
        "input": TURNS,
        "system": SYSTEM,
        "tools": TOOLS,
        "chosen": ("chosen",),
        "rejected": ("rejected",),
    },
    lambda fields: (
        "chosen" in fields
        and "rejected" in fields
        and any(is_turns(fields.get(name)) for name in TURNS)
    ),
    _read_sharegpt,
)
TRL_PREFERENCE = Format(
    "preference",
    "prompt, chosen, rejected: text or lists of turns; the prompt may stand inside both",
    {
        "input": (*_PROMPTS, "input"),
        "system": SYSTEM,
        "tools": TOOLS,
        "chosen": ("chosen",),
        "rejected": ("rejected",),
    },
    lambda fields: "chosen" in fields and "rejected" in fields,
    _read_trl,
)
KTO = Format(
    "kto",
    "prompt, completion, label (true or false)",
    {
        "input": ("prompt", "input"),
        "system": SYSTEM,
        "tools": TOOLS,
        "target": ("completion",),
        "label": ("label",),
    },
    lambda fields: (
        "prompt" in fields
        and "completion" in fields
        and as_text(fields.get("label")).lower() in _LABELS
    ),
    _read_kto,
)
