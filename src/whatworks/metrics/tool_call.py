"""Calls of tools: the name and the arguments. Empty answers are malformed.

Compared as the AST check of the Berkeley Function Calling Leaderboard does (Patil et al. 2025,
"BFCL", section 4): the same number of calls, in any order; the same name; every wanted argument
and no other; numbers by value, texts up to case, spaces and the signs ``, . / - _ * ^``. A target
and an answer are one call or a list of calls, each ``{"name": ..., "arguments": {...}}``, as OpenAI
writes ``tool_calls``, or in the marks that models put around them: ``<tool_call>`` tags (Hermes,
Qwen), ``[TOOL_CALLS]`` (Mistral), ``<|python_tag|>`` (Llama), ``<function=NAME>``.

Where nothing is to be called the target is ``[]``, or a text in a row with functions
(``meta["tools"]``): right is an answer without calls of any of them, as BFCL counts irrelevance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example
from whatworks.metrics.definition import NoOptions, metric
from whatworks.metrics.json.parse import MalformedJSON, find, parse
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts

_TAGS = re.compile(r"<tool_call>|</tool_call>")
NAMED = re.compile(r"<function=([\w.-]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
MARKS = ("[TOOL_CALLS]", "<|python_tag|>")
"""Stand before calls."""
_LOOSE = re.compile(r"[ ,./\-_*^]")
_MOST_CALLS = 50
NONE = "[]"
"""A target, or an answer, that calls nothing."""


class NoCalls(ValueError):
    """A value is no call of a tool; says why."""


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool."""

    name: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        inner = ", ".join(f"{n}={json.dumps(v)}" for n, v in sorted(self.arguments.items()))
        return f"{self.name}({inner})"


def read_calls(text: str) -> list[ToolCall]:
    """The calls that a whole text is.

    Raises:
        NoCalls: If it is none, with the reason.
    """
    if "<tool_call>" in text:
        pieces = [piece for piece in _TAGS.split(text) if piece.strip()]
        # What stands outside of the tags is not part of a call.
        return [call for piece in pieces[:_MOST_CALLS] for call in _parse_calls(_parse_json(piece))]
    if NAMED.search(text) and not NAMED.sub("", text).strip():
        found = NAMED.findall(text)[:_MOST_CALLS]
        return [_parse_call({"name": name, "arguments": body}) for name, body in found]
    bare = text.strip()
    for mark in MARKS:
        bare = bare.removeprefix(mark)
    return _parse_calls(_parse_json(bare))


def is_call(text: str) -> bool:
    """Whether a whole text is a call of a tool with its arguments, or several."""
    try:
        return bool(read_calls(text)) and "arguments" in text
    except NoCalls:
        return False


def _parse_json(text: str) -> Any:
    try:
        return parse(text).value
    except MalformedJSON as error:
        raise NoCalls(f"not one JSON value: {error}") from None


def _parse_calls(value: Any) -> list[ToolCall]:
    if isinstance(value, Mapping) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    listed: list[Any] = value if isinstance(value, list) else [value]
    if not listed:
        raise NoCalls("no call")
    return [_parse_call(one) for one in listed]


def _parse_call(value: Any) -> ToolCall:
    if isinstance(value, Mapping) and isinstance(value.get("function"), Mapping):
        value = value["function"]
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise NoCalls("a call has a name and arguments")
    arguments: Any = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = _parse_json(arguments) if arguments.strip() else {}
    if not isinstance(arguments, Mapping):
        raise NoCalls(f"the arguments of {value['name']!r} are no object")
    return ToolCall(value["name"], cast("Mapping[str, Any]", arguments))


def _make_label(text: str, options: NoOptions) -> str:
    """The calls, written in one way."""
    del options
    try:
        return "; ".join(sorted(map(str, read_calls(text))))
    except NoCalls:
        return ""


@metric(figures=average_parts, label=_make_label)
def tool_call(example: Example, text: str, options: NoOptions) -> Score:
    """The target's calls: names and arguments; or no call, where none is wanted.

    Lenient: the calls within the answer. Parts: ``parsed``, ``names`` (the tools are right),
    ``arguments`` (share of the wanted arguments that are right, where the tool is).

    Args:
        example: Its target is a call, a list of calls, ``[]``, or a text where ``meta["tools"]``
            has functions that are not to be called. ``meta["accepted"]`` may hold, for each call,
            its arguments with every value that is right, as BFCL's answers do; "" among them lets
            an argument be left out.
        text: The answer.
        options: None.

    Raises:
        InputError: If the target is no call.
    """
    del options
    if wants_none(example):
        return _score_none(text)
    try:
        target = read_calls(example.target)
    except NoCalls as error:
        raise InputError(
            f"the target is no call of a tool: {error}",
            place=f"example {example.id!r}",
            remedy='write {"name": ..., "arguments": {...}}, or a list of them',
        ) from None
    accepted = _read_accepted(example, target)
    nothing: dict[str, float] = {"parsed": 1.0, "names": 0.0, "arguments": 0.0}
    if text.strip() == NONE:
        return Score(0.0, "abstained", "calls nothing, and a call is wanted", parts=nothing)
    try:
        answer, problem = read_calls(text), ""
    except NoCalls as error:
        answer, problem = _find_within(text, target), str(error)
        right = bool(answer) and not _describe_differences(answer, target, accepted)
        parts: dict[str, float] = dict.fromkeys(("parsed", "names", "arguments"), 0.0)
        wanted = quote_briefly("; ".join(map(str, target)), 200)
        feedback = f"no call of a tool: {problem}; wanted {wanted}"
        return Score(0.0, "malformed", feedback, lenient=float(right), parts=parts)
    wrong = _describe_differences(answer, target, accepted)
    names = sorted(c.name for c in answer) == sorted(c.name for c in target)
    parts = {
        "parsed": 1.0,
        "names": float(names),
        "arguments": _measure_share(answer, target, accepted),
    }
    if not wrong:
        return Score(1.0, "correct", parts=parts)
    return Score(0.0, "wrong", "; ".join(wrong), parts=parts)


def wants_none(example: Example) -> bool:
    """Whether the row's target is that nothing is called."""
    if example.target.strip() == NONE:
        return True
    return bool(example.meta.get("tools")) and not _may_be_calls(example.target)


def _may_be_calls(target: str) -> bool:
    """Whether a target is a call, or was meant to be one: JSON and marks are no text."""
    text = target.strip()
    return not text or text[0] in "[{<" or is_call(text)


def _score_none(text: str) -> Score:
    """An answer where nothing is to be called: right is whatever holds no call."""
    parts: dict[str, float] = {"parsed": 1.0, "names": 1.0, "arguments": 1.0}
    if not text.strip():
        return Score(0.0, "malformed", "says nothing", parts=dict.fromkeys(parts, 0.0))
    try:
        calls = [] if text.strip() == NONE else read_calls(text)
    except NoCalls:
        calls = [call for call in _find_within(text, ()) if "arguments" in text]
    if not calls:
        return Score(1.0, "correct", parts=parts)
    feedback = f"calls {'; '.join(map(str, calls))}, and nothing is to be called"
    return Score(0.0, "wrong", feedback, parts={**parts, "names": 0.0, "arguments": 0.0})


def _find_within(text: str, wanted: Sequence[ToolCall]) -> list[ToolCall]:
    """The calls that stand in a text with words around them."""
    try:
        if "<tool_call>" in text:
            inner = re.findall(r"<tool_call>([^<]*)</tool_call>", text)
            return [
                call for piece in inner[:_MOST_CALLS] for call in _parse_calls(_parse_json(piece))
            ]
        value = find(text) if len(wanted) < 2 else find(text, like=parse("[]"))
        return _parse_calls(value.value) if value else []
    except NoCalls:
        return []


Values = Mapping[str, Sequence[Any]]
"""Every value that is right for an argument; "" among them: it may be left out."""


def _read_accepted(example: Example, wanted: Sequence[ToolCall]) -> list[Values]:
    """What is right for each wanted call beside its own arguments, as BFCL writes it."""
    accepted: Any = example.meta.get("accepted")
    if accepted is None:
        return [{} for _ in wanted]
    listed = cast("list[Any]", accepted) if isinstance(accepted, list) else []
    alternatives = [one.get(call.name) for one, call in zip(listed, wanted, strict=False)]
    fits = all(
        isinstance(one, Mapping) and all(isinstance(values, list) for values in one.values())
        for one in alternatives
    )
    if len(listed) != len(wanted) or not fits:
        raise InputError(
            "`accepted` does not say for each call which values are right",
            place=f"example {example.id!r}",
            remedy='write one for each call: [{"weather": {"unit": ["celsius", ""]}}]',
        )
    return [cast("Values", one) for one in alternatives]


def _describe_differences(
    answer: Sequence[ToolCall], wanted: Sequence[ToolCall], accepted: Sequence[Values]
) -> list[str]:
    """What is wrong with the calls, each wanted one paired with the likest that is left."""
    if len(answer) != len(wanted):
        return [f"{len(answer)} calls, wanted {len(wanted)}"]
    remaining, wrong = list(answer), list[str]()
    for call, values in zip(wanted, accepted, strict=True):
        best = min(remaining, key=lambda one: len(_describe_wrong(one, call, values)))
        remaining.remove(best)
        wrong += _describe_wrong(best, call, values)
    return wrong


def _describe_wrong(call: ToolCall, wanted: ToolCall, accepted: Values) -> list[str]:
    if call.name != wanted.name:
        return [f"calls {call.name!r}, wanted {wanted.name!r}"] * (1 + len(wanted.arguments))
    wrong: list[str] = []
    for name in dict.fromkeys((*wanted.arguments, *call.arguments)):
        right = [*accepted.get(name, ())]
        right += [wanted.arguments[name]] if name in wanted.arguments else []
        if not right:
            wrong.append(f"{name!r} is not wanted")
        elif name not in call.arguments:
            if "" not in accepted.get(name, ()):
                wrong.append(f"leaves out {name!r}")
        elif not any(_is_same(call.arguments[name], one) for one in right):
            value = quote_briefly(json.dumps(call.arguments[name]))
            wrong.append(f"{name!r} is {value}, wanted {quote_briefly(json.dumps(right[-1]))}")
    return wrong


def _measure_share(
    answer: Sequence[ToolCall], wanted: Sequence[ToolCall], accepted: Sequence[Values]
) -> float:
    """The share of the wanted arguments that are right in some call of their tool."""
    total = right = 0
    for call, values in zip(wanted, accepted, strict=True):
        same = [one for one in answer if one.name == call.name]
        total += max(1, len(call.arguments))
        if same:
            least = min(len(_describe_wrong(one, call, values)) for one in same)
            right += max(0, max(1, len(call.arguments)) - least)
    return right / total


def _is_same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, str) and isinstance(wanted, str):
        return _loosen(value) == _loosen(wanted)
    if isinstance(value, list) and isinstance(wanted, list):
        pairs = zip(value, wanted, strict=False)
        return len(value) == len(wanted) and all(_is_same(one, other) for one, other in pairs)
    if isinstance(value, Mapping) and isinstance(wanted, Mapping):
        return value.keys() == wanted.keys() and all(_is_same(value[n], wanted[n]) for n in wanted)
    return type(value) in (int, float, type(None)) and value == wanted


def _loosen(text: str) -> str:
    """A text without what BFCL does not count; a number in it keeps its sign and its point."""
    if re.fullmatch(r"[-+]?[\d.,]+", text.strip()):
        return text.strip()
    return _LOOSE.sub("", text).casefold().replace("'", '"')
