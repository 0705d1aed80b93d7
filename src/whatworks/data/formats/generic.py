"""Rows with an input column and a target column, found by name or named by the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from whatworks.base.errors import InputError
from whatworks.data.formats.base import (
    SYSTEM,
    Absent,
    Columns,
    Content,
    Format,
    RowProblem,
    Unclear,
    append_question,
    as_text,
    find_text,
    find_value,
    make_system_turn,
    parse_answers,
)
from whatworks.data.raw_row import Fields

PAIRS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("input", "inputs", "source", "src", "x"), ("target", "output", "label", "tgt", "y")),
    (("question", "query"), ("answer", "answers", "response")),
    (("text", "sentence", "utterance"), ("category", "label", "intent", "class")),
    (("prompt", "instruction"), ("completion", "response", "output", "answer")),
    (("document", "article"), ("summary", "highlights")),
    (("problem",), ("solution", "answer")),
)
"""Column names that mean input and target, in families that go together."""

_CONTEXT = ("context", "passage")
"""Columns that stand before the question; one called ``input`` stands after it."""
_LISTS_OF_ANSWERS = ("answer", "answers", "aliases")
_ROLES = ("id", "group", "evidence", "split", "meta")


def _fit(form: Format, rows: Sequence[Fields], columns: Columns) -> Format:
    names = list(dict.fromkeys(name for row in rows for name in row))
    extra, system, notes = "", (), ()
    if "input" in columns or "target" in columns:
        inputs, target, notes = _resolve_columns(names, columns)
    else:
        inputs, target, extra = _find_columns(names)
        system = SYSTEM

    required = [name for name in inputs if len(inputs) == 1 or name.lower() not in _CONTEXT]
    required = required or list(inputs)

    def content(fields: Fields) -> Content:
        # One input keeps its column's name too: tables, demos and exports show it.
        values = {name: find_text(fields, name) for name in inputs if fields.get(name) is not None}
        if not any(values.get(name) is not None for name in required):
            raise Absent(f"no {required[0]!r}")
        values = {name: text for name, text in values.items() if text or name in required}
        if text := find_text(fields, extra):
            values[extra] = text
        best, meta = _read_answer(fields, target)
        read = Content(inputs=values, target=best, meta=meta)
        return append_question(make_system_turn(fields), read) if system else read

    shown = {"input": (*inputs, extra), "system": system, "target": (target,)}
    carried = {role: tuple(filter(None, names)) for role, names in shown.items()}
    return replace(form, columns=carried, content=content, notes=notes)


def _read_answer(fields: Fields, target: str) -> tuple[str, dict[str, Any]]:
    """The target, and in ``meta`` the other answers that count; empty without a target column."""
    if not target:
        return "", {}
    value = find_value(fields, target)
    if value is None:
        raise Absent(f"no {target!r}")
    if target.lower() in _LISTS_OF_ANSWERS and not isinstance(value, str):
        best, known = parse_answers(value)
        return best, {"aliases": list(known)}
    return as_text(value), {}


def _resolve_columns(
    names: Sequence[str], columns: Columns
) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Input and target as the user named them; the one left open is found or left empty."""
    column = columns.get("input", [])
    inputs = (column,) if isinstance(column, str) else tuple(column)
    target = columns.get("target", "")
    if not isinstance(target, str):
        raise InputError(
            "`columns: target` takes one column, not a list",
            remedy="name the column of the answers",
        )
    if not inputs:
        spoken_for = {target, *_ROLES, *(c for c in columns.values() if isinstance(c, str))}
        rest = [name for name in names if name not in spoken_for]
        if len(rest) != 1:
            raise _make_ambiguity_error(names, "which of the columns is the input is not said")
        return (rest[0],), target, ()
    if not target and "target" not in columns:
        fitting = sorted(
            {
                name
                for _, targets in PAIRS
                for name in names
                if name.lower() in targets and name not in inputs
            }
        )
        if len(fitting) > 1:
            raise _make_ambiguity_error(names, "which of the columns is the target is not said")
        target = fitting[0] if fitting else ""
    notes = () if target else ("no target column: all targets are empty",)
    return inputs, target, notes


def _find_columns(names: Sequence[str]) -> tuple[tuple[str, ...], str, str]:
    """The one pair of columns whose names go together, and a column ``input`` beside them."""
    lower = {name.lower(): name for name in names}
    pairs: set[tuple[str, str]] = set()
    for inputs, targets in PAIRS:
        asks = [lower[name] for name in inputs if name in lower]
        gives = [lower[name] for name in targets if name in lower]
        pairs |= {(ask, give) for ask in asks for give in gives}
    if len(pairs) != 1:
        why = (
            "several columns could be input and target"
            if pairs
            else ("no columns that are known to mean input and target")
        )
        raise _make_ambiguity_error(names, why)
    ask, target = pairs.pop()
    context = [lower[name] for name in _CONTEXT if name in lower and ask.lower() != name]
    extra = lower.get("input", "")
    return (*context, ask), target, extra if extra != ask else ""


def _make_ambiguity_error(names: Sequence[str], cause: str) -> Unclear:
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return Unclear(
        f"{cause}; columns: {shown}",
        remedy="name them: `columns: {input: COLUMN, target: COLUMN}` (input may be a list)",
    )


def _refuse_unfitted(fields: Fields) -> Content:
    raise RowProblem("no columns named yet")


GENERIC = Format(
    "generic",
    "one or more input columns and a target column",
    {},
    lambda fields: False,
    _refuse_unfitted,
    fit=_fit,
)
