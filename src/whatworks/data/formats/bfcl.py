"""Questions of the Berkeley Function Calling Leaderboard (Patil et al. 2025).

One question: a turn, the functions, and for each right call every value that an argument may have.
Several turns: the calls of each are a turn of the assistant, so that ``turns: asked`` asks for all
of them and ``last`` for the last. Questions of irrelevance (by their id) want no call: ``[]``. What
the functions return is not in the files and not shown, and calls are compared as they are written,
not by the state that they leave.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from whatworks.data.formats.base import Absent, Content, Format, LeftOut, RowProblem
from whatworks.data.formats.turns import BY_ANSWER, read_turns
from whatworks.data.raw_row import Fields
from whatworks.data.task import Message

CLASSES = "involved_classes"
"""Column of a conversation's groups of functions, which are described in files of their own."""


def _is_bfcl(fields: Fields) -> bool:
    question: Any = fields.get("question")
    return isinstance(question, list) and any(
        isinstance(fields.get(name), list) for name in ("function", CLASSES)
    )


def _read(fields: Fields) -> Content:
    question: Any = fields.get("question")
    if not isinstance(question, list) or not question:
        raise RowProblem("no 'question' of turns")
    items = cast("list[Any]", question)
    accepted: Any = fields.get("ground_truth")
    if accepted is None and "irrelevance" in str(fields.get("id", "")):
        accepted = []  # they come without a file of answers: nothing is to be called
    if not isinstance(accepted, list):
        raise Absent("no 'ground_truth': put the file of answers into `possible_answer` beside it")
    if len(items) > 1 and all(isinstance(one, list) for one in items):
        return _read_conversation(fields, items, cast("list[Any]", accepted))
    before = read_turns(items[0] if isinstance(items[0], list) else items)
    calls = [_read_call(one, fields) for one in cast("list[Any]", accepted)]
    meta = {"tools": fields.get("function"), "accepted": accepted}
    return Content(
        messages=before,
        target=_write(calls),
        meta=meta if calls else {"tools": fields.get("function")},
    )


def _read_conversation(fields: Fields, items: Sequence[Any], accepted: Sequence[Any]) -> Content:
    """Several turns, each with its calls; turns that call for none are asked with the next."""
    if len(accepted) != len(items) or not all(isinstance(one, list) for one in accepted):
        raise RowProblem("a 'ground_truth' that has not one list of calls for each turn")
    turns: list[Message] = []
    by_answer: list[dict[str, Any]] = []
    for asked, right in zip(items, cast("Sequence[list[Any]]", accepted), strict=True):
        for message in read_turns(asked):
            if turns and turns[-1].role == message.role:
                joined = f"{turns[-1].content}\n{message.content}"
                turns[-1] = turns[-1].replace(content=joined)
            else:
                turns.append(message)
        if right and turns:
            calls = [_read_call(one, fields) for one in right]
            turns.append(Message(role="assistant", content=_write(calls)))
            has_values = all(isinstance(one, dict) for one in right)
            by_answer.append({"accepted": right} if has_values else {})
    answers = [at for at, turn in enumerate(turns) if turn.role == "assistant"]
    if not answers:
        raise LeftOut("call for no function in any of their turns")
    notes = ["are conversations: calls are compared as written, and what they return is not shown"]
    if not fields.get("function"):
        notes.append("show no functions: put the folder `multi_turn_func_doc` beside their file")
    meta = {"tools": fields.get("function"), **by_answer[-1]}
    if any(by_answer):
        meta[BY_ANSWER] = by_answer
    return Content(
        messages=tuple(turns[: answers[-1]]),
        target=turns[answers[-1]].content,
        meta={name: value for name, value in meta.items() if value},
        notes=tuple(notes),
    )


def _write(calls: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(calls, ensure_ascii=False)


def _read_call(accepted: Any, fields: Fields) -> dict[str, Any]:
    """One call: of an object, each argument with the first value that is right; or as Python."""
    if isinstance(accepted, str):
        return _parse_call(accepted, fields)
    if not isinstance(accepted, dict) or len(cast("dict[str, Any]", accepted)) != 1:
        raise RowProblem("a right call that is not {name: {argument: [values]}}")
    ((name, parameters),) = cast("dict[str, Any]", accepted).items()
    if not isinstance(parameters, dict):
        raise RowProblem("a right call that is not {name: {argument: [values]}}")
    arguments = {
        argument: values[0] if isinstance(values, list) and values else values
        for argument, values in cast("dict[str, Any]", parameters).items()
    }
    # "" means: may be left out.
    return {"name": name, "arguments": {k: v for k, v in arguments.items() if v != ""}}


def _parse_call(text: str, fields: Fields) -> dict[str, Any]:
    """A call as Python writes it: ``mv(source='a', destination='b')``; nothing is run."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError("no call")
        name = ast.unparse(call.func)
        arguments = {one.arg or "": ast.literal_eval(one.value) for one in call.keywords}
        unnamed = [ast.literal_eval(one) for one in call.args]
        json.dumps([arguments, unnamed])
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise RowProblem(f"a right call that cannot be read: {text[:60]!r}") from error
    names = _list_parameters(name, fields)
    if len(unnamed) > len(names):
        raise LeftOut("call with arguments that have no name, and no description of the function")
    arguments = {**dict(zip(names, unnamed, strict=False)), **arguments}
    return {"name": name, "arguments": arguments}


def _list_parameters(name: str, fields: Fields) -> list[str]:
    """Names of a function's parameters, in order; none where it is not described."""
    functions: Any = fields.get("function")
    for one in cast("list[Any]", functions) if isinstance(functions, list) else []:
        if isinstance(one, dict) and cast("dict[str, Any]", one).get("name") == name:
            parameters: Any = cast("dict[str, Any]", one).get("parameters")
            return list(parameters.get("properties") or {}) if isinstance(parameters, dict) else []
    return []


BFCL = Format(
    "bfcl",
    "question: [[{role, content}]], function, ground_truth from possible_answer/",
    {
        "input": ("question",),
        "tools": ("function", CLASSES),
        "target": ("ground_truth",),
    },
    _is_bfcl,
    _read,
)
