"""Formats known by their columns: named data sets, this package's own rows, plain passages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from whatworks.data.formats.base import (
    SHARED_SCHEMA,
    UNANSWERABLE,
    Columns,
    Content,
    Format,
    RowProblem,
    as_text,
    find_value,
    make_document,
    parse_answers,
    require_text,
)
from whatworks.data.formats.turns import is_turns, read_turns
from whatworks.data.meaning_representation import MalformedMR, parse
from whatworks.data.passages import split_opening
from whatworks.data.raw_row import Fields


def _read_own(fields: Fields) -> Content:
    inputs = fields.get("inputs")
    messages = read_turns(fields.get("messages") or [])
    if not messages and not isinstance(inputs, Mapping):
        raise RowProblem("no 'inputs' and no 'messages'")
    named = {name: as_text(value) for name, value in cast("dict[str, Any]", inputs or {}).items()}
    return Content(inputs=named, messages=messages, target=require_text(fields, "target"))


def _read_viggo(fields: Fields) -> Content:
    meaning = require_text(fields, "mr", "meaning_representation")
    sentence = require_text(fields, "ref", "target")
    # Several sentences say the same; none of them may help another one across a split.
    return Content(inputs={"text": sentence}, target=meaning, group=meaning)


def _read_viggo_json(fields: Fields) -> Content:
    """ViGGO rows with ``{"act": ..., slot: item or list of items}`` for a target."""

    content = _read_viggo(fields)
    try:
        representation = parse(content.target)
    except MalformedMR as error:
        raise RowProblem(f"no meaning representation: {error}") from None
    value: dict[str, Any] = {"act": representation.act}
    for slot in representation.slots:
        if slot.name in value:
            raise RowProblem(f"two values for the key {slot.name!r}")
        value[slot.name] = slot.items[0] if len(slot.items) == 1 else list(slot.items)
    return replace(content, target=as_text(value))


def _read_sql(fields: Fields) -> Content:
    schema = require_text(fields, "context")
    inputs = {"context": schema, "question": require_text(fields, "question")}
    return Content(inputs=inputs, target=require_text(fields, "answer"), meta={"context": schema})


def _fit_sql(form: Format, rows: Sequence[Fields], columns: Columns) -> Format:
    """With one schema for all rows, the schema is no input: it would drown the question."""
    schemas = {as_text(row.get("context")) for row in rows}
    if len(rows) < 2 or len(schemas) > 1:
        return form

    def content(fields: Fields) -> Content:
        read = _read_sql(fields)
        if read.inputs["context"] not in schemas:  # a later row of a stream
            return read
        return replace(read, inputs={"question": read.inputs["question"]})

    shown = {**form.columns, "input": ("question",), "schema": ("context",)}
    return replace(form, columns=shown, content=content, notes=(SHARED_SCHEMA,))


def _read_entities(fields: Fields) -> Content:
    target, known = parse_answers(find_value(fields, "answers") or [])
    if not target:
        raise RowProblem("no 'answers'")
    subject = require_text(fields, "subject")
    passage = make_document(require_text(fields, "paragraph"), subject)
    return Content(
        inputs={"question": require_text(fields, "question")},
        target=target,
        group=subject,
        meta={"aliases": list(known)},
        documents=(passage,),
        evidence=(passage.id,),
    )


def _read_selfaware(fields: Fields) -> Content:
    answerable = find_value(fields, "answerable")
    if not isinstance(answerable, bool):
        raise RowProblem("no 'answerable'")
    target, known = parse_answers(find_value(fields, "answer") or [])
    return Content(
        inputs={"question": require_text(fields, "question")},
        target=target,
        meta={"answerable": answerable, "aliases": list(known)},
        notes=() if answerable else (UNANSWERABLE,),
    )


def _read_passage(fields: Fields) -> Content:
    start, rest = split_opening(require_text(fields, "text"))
    if not rest:
        raise RowProblem("a 'text' of one word or none")
    return Content(inputs={"text": start}, target=rest)


def _is_own(fields: Fields) -> bool:
    return "target" in fields and (
        isinstance(fields.get("inputs"), Mapping) or is_turns(fields.get("messages"))
    )


def _has(*names: str) -> Callable[[Fields], bool]:
    return lambda fields: all(name in fields for name in names)


OWN = Format(
    "whatworks",
    "id, inputs or messages, target, perhaps group, evidence, meta",
    {"input": ("inputs", "messages"), "target": ("target",)},
    _is_own,
    _read_own,
)
VIGGO = Format(
    "viggo",
    "mr, ref (or meaning_representation, target): meaning representation and sentence",
    {"input": ("ref", "target"), "target": ("mr", "meaning_representation")},
    lambda fields: (
        {"mr", "ref"} <= fields.keys() or {"meaning_representation", "target"} <= fields.keys()
    ),
    _read_viggo,
)
VIGGO_JSON = Format(
    "viggo-json",
    "mr, ref, where asked for: the meaning representation as a JSON object",
    VIGGO.columns,
    lambda fields: False,  # rows of `viggo`, which are meant as they are unless somebody says so
    _read_viggo_json,
)
SQL = Format(
    "sql-create-context",
    "question, context (CREATE TABLE ...), answer (SQL)",
    {"input": ("context", "question"), "target": ("answer",)},
    lambda fields: (
        "question" in fields
        and "answer" in fields
        and "create table" in as_text(fields.get("context")).lower()
    ),
    _read_sql,
    fit=_fit_sql,
)
ENTITIES = Format(
    "entityquestions",
    "subject, question, answers, paragraph",
    {
        "input": ("question",),
        "target": ("answers",),
        "group": ("subject",),
        "document": ("paragraph",),
    },
    _has("subject", "question", "answers", "paragraph"),
    _read_entities,
)
SELFAWARE = Format(
    "selfaware",
    "question, answer, answerable",
    {"input": ("question",), "target": ("answer",), "answerable": ("answerable",)},
    _has("question", "answer", "answerable"),
    _read_selfaware,
)
PASSAGES = Format(
    "passages",
    "text alone: each passage becomes its opening and its continuation",
    {"input": ("text",)},
    lambda fields: "text" in fields and fields.keys() <= {"id", "text", "group", "split", "meta"},
    _read_passage,
)
