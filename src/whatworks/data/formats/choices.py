"""Questions with choices: MMLU, ARC, CommonsenseQA, HellaSwag, RACE, MedMCQA, WinoGrande.

The choices are shown with their labels, and the label of the right one is the target, whichever
way the file says it: a label, a number counted from 0 or from 1, or the choice's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import Any, cast

from whatworks.base.frozen import hash_content
from whatworks.data.formats.base import (
    Absent,
    Columns,
    Content,
    Format,
    RowProblem,
    as_text,
    find_text,
    find_value,
    list_items,
)
from whatworks.data.raw_row import Fields

_ASKS = (
    "question",
    "question_stem",
    "stem",
    "sentence",
    "ctx",
    "query",
    "prompt",
    "problem",
    "goal",
    "startphrase",
    "premise",
)
_LISTS = ("choices", "options", "endings", "answer_choices")
_RIGHT = (
    *("answerKey", "answer_key", "answer_idx", "answer_index", "correct_answer", "correct_option"),
    *("answer", "label", "cop", "gold", "target", "correct"),
)
_CONTEXT = ("article", "passage", "context", "fact1")
_COLUMN = re.compile(
    r"(?:option|choice|opt|op|sol|ending|alternative|answer)?[ _]?([A-Ja-j]|[0-9])"
)
"""A column that holds one choice: ``A``, ``option_b``, ``opc``, ``option2``, ``sol1``."""
_LETTER = re.compile(r"[A-J]")

Options = list[tuple[str, str]]
"""Labels and texts of the choices of one row."""


def _list_options(fields: Fields) -> Options:
    value: Any = find_value(fields, *_LISTS)
    if isinstance(value, Mapping):
        mapping = cast("Mapping[str, Any]", value)
        texts, labels = mapping.get("text"), mapping.get("label")
        if texts is not None and labels is not None:
            both = zip(list_items(labels), list_items(texts), strict=False)
            return [(as_text(label), as_text(text)) for label, text in both]
        return [(label, as_text(text)) for label, text in mapping.items()]
    if isinstance(value, list):
        items = list_items(value)
        if all(isinstance(one, Mapping) and {"label", "text"} <= one.keys() for one in items):
            return [(as_text(one["label"]), as_text(one["text"])) for one in items]
        return list(zip(ascii_uppercase, map(as_text, items), strict=False))
    return [
        (match[1].upper(), as_text(fields[name]))
        for name in fields
        if (match := _COLUMN.fullmatch(name)) and fields[name] is not None
    ]


def _flatten(fields: Fields) -> Fields:
    """Fields with ARC's nested question, and MMLU's columns without names, laid out flat."""
    question: Any = fields.get("question")
    if isinstance(question, Mapping) and "choices" in question:
        mapping = cast("Mapping[str, Any]", question)
        return {**fields, "question": mapping.get("stem"), "choices": mapping["choices"]}
    count = len(fields)
    if 4 <= count <= 12 and all(f"column {n}" in fields for n in range(1, count + 1)):
        cells = [fields[f"column {n}"] for n in range(1, count + 1)]
        if _LETTER.fullmatch(as_text(cells[-1])):
            named = dict(zip(ascii_uppercase, cells[1:-1], strict=False))
            return {"question": cells[0], **named, "answer": cells[-1]}
    return fields


def _is_choices(fields: Fields) -> bool:
    flat = _flatten(fields)
    question, right = find_value(flat, *_ASKS), find_value(flat, *_RIGHT)
    options = _list_options(flat) if question is not None and right is not None else []
    return len(options) >= 2 and any(
        _locate_answer(options, right, way) is not None for way in _WAYS
    )


def _locate_answer(options: Options, right: Any, way: str) -> int | None:
    """Which choice is right, read one way; None where that says nothing."""
    answer = as_text(right[0] if isinstance(right, list) and right else right).strip()
    listed: Sequence[str] = [label if way == "label" else text.strip() for label, text in options]
    if way in ("label", "text"):
        return listed.index(answer) if answer in listed else None
    if not re.fullmatch(r"\d+(?:\.0)?", answer):
        return None
    at = int(float(answer)) - (way == "one")
    return at if 0 <= at < len(options) else None


_WAYS = ("label", "text", "zero", "one")
"""What the right answer may be: a label, a text, a number from 0, a number from 1."""


def _choose_way(rows: Sequence[Fields]) -> str:
    """The first way of reading the right answers under which all of them are choices."""
    flat = [fields for row in rows if _is_choices(row) for fields in [_flatten(row)]]
    samples = [(_list_options(fields), find_value(fields, *_RIGHT)) for fields in flat]
    numbers = all(isinstance(right, int) for _, right in samples)
    ways = ("zero", "one", *_WAYS) if numbers else _WAYS
    fits = {way: sum(_locate_answer(o, r, way) is not None for o, r in samples) for way in ways}
    return max(ways, key=lambda way: (fits[way], -ways.index(way)))


def _make_reader(way: str) -> Callable[[Fields], Content]:
    def read(row: Fields) -> Content:
        fields = _flatten(row)
        options, right = _list_options(fields), find_value(fields, *_RIGHT)
        question = find_text(fields, *_ASKS)
        if not question or right is None:
            raise Absent("no 'question'" if not question else "no right 'answer'")
        at = _locate_answer(options, right, way)
        if at is None:
            raise RowProblem("the right answer is none of the choices")
        context = find_text(fields, *_CONTEXT)
        shown = "\n".join(f"{label}. {text}" for label, text in options)
        return Content(
            inputs={**({"context": context} if context else {}), "question": question,
                    "choices": shown},
            target=options[at][0],
            group=hash_content(context) if context else None,
            meta={"choice": options[at][1]},
        )  # fmt: skip

    return read


def _fit(form: Format, rows: Sequence[Fields], columns: Columns) -> Format:
    del columns
    names = list(dict.fromkeys(name for row in rows for name in row))
    choices = [name for name in names if name in _LISTS] or [
        n for n in names if _COLUMN.fullmatch(n)
    ]
    if any(name.startswith("column ") for name in names):
        shown = {"input": tuple(names[:-1]), "target": tuple(names[-1:])}
    else:
        right = next((name for name in _RIGHT if name in names), "")
        question = next((name for name in _ASKS if name in names), "")
        context = next((name for name in _CONTEXT if name in names), "")
        shown = {"input": tuple(filter(None, (context, question, *choices))), "target": (right,)}
    way = _choose_way(rows)
    notes = {"one": ("right answers are numbers counted from 1",),
             "zero": ("right answers are numbers counted from 0",)}.get(way, ())  # fmt: skip
    return replace(form, columns=shown, content=_make_reader(way), notes=notes)


CHOICES = Format(
    "multiple-choice",
    "question, choices (a list, or a column each), answer: label, number or text",
    {"input": (*_ASKS, *_LISTS), "target": _RIGHT},
    _is_choices,
    _make_reader("label"),
    fit=_fit,
)
