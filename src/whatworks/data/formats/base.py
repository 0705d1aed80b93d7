"""What a format is: how it is told from others, and what one of its rows says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.base.frozen import hash_content
from whatworks.data.raw_row import Fields
from whatworks.data.task import Document, Message

Columns = Mapping[str, "str | list[str]"]
"""What the user says about columns: role (input, target, id, group, evidence) to column(s)."""


SYSTEM = ("system", "system_prompt")
"""Columns that hold a system message beside the question."""

NO_VALUE = frozenset({"NaN", "nan", "None", "null", "NULL", "<NA>", "NaT", "#N/A"})
"""Texts that programs write where there is no value; the only text of an input or a target."""

UNANSWERABLE = "are unanswerable: their target is empty"
"""What is noted of rows that ask what has no answer."""
UNPAIRED = "labelled answers have no partner: pairs with an empty side"
"""What is noted of preferences that are labelled one by one (KTO)."""
SHARED_SCHEMA = "all rows share one schema: it is in meta['context'], not in the input"
"""What is noted of SQL rows on one database."""


def is_information(note: str) -> bool:
    """Whether a note of reading tells what is right as it is: no row or field is lost by it."""
    return note.endswith((UNANSWERABLE, UNPAIRED, SHARED_SCHEMA))


class RowProblem(Exception):
    """One row does not say what its format asks for; counted, then reported for the whole file."""


class Unclear(InputError):
    """Which columns are input and target is not to be told from their names."""


class Absent(RowProblem):
    """A row has no input or no target, where its format needs one."""


class LeftOut(RowProblem):
    """One row is not meant to be read; counted and told, nothing more."""


@dataclass(frozen=True, slots=True)
class Content:
    """What one row says, before it has an id.

    Attributes:
        inputs, messages, target, group, meta: As in ``Example``.
        chosen, rejected: The two answers of a preference; one of them None when the row has only
            a labelled answer (KTO).
        documents: Passages that stand in the row, for retrieval.
        evidence: Ids of the documents that hold the answer.
        notes: What was left out or guessed, in the plural of "rows"; equal notes are counted.
    """

    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    messages: tuple[Message, ...] = ()
    target: str = ""
    group: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    chosen: str | None = None
    rejected: str | None = None
    documents: tuple[Document, ...] = ()
    evidence: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """A shape that rows can have.

    Attributes:
        name: What the user calls it.
        shape: The columns of a row, in one line for people.
        columns: Role to the columns that carry it; any other column ends up in ``meta``.
        matches: Whether a row looks like this.
        content: What a row says; raises ``RowProblem``.
        fit: Settles what only rows together can tell: all of them, or those that a stream begins
            with, so that later ones may differ; None where nothing is open.
        notes: What fitting found worth telling.
    """

    name: str
    shape: str
    columns: Mapping[str, tuple[str, ...]]
    matches: Callable[[Fields], bool]
    content: Callable[[Fields], Content]
    fit: Callable[[Format, Sequence[Fields], Columns], Format] | None = None
    notes: tuple[str, ...] = ()

    def recognise(self, rows: Sequence[Fields]) -> float:
        """Share of the rows that look like this, in [0, 1]."""
        return sum(map(self.matches, rows)) / len(rows) if rows else 0.0

    def adjust(self, rows: Sequence[Fields], columns: Columns) -> Format:
        """This format, adjusted to the rows of a file and to what the user said of it.

        Raises:
            InputError: If the rows leave open which column is what.
        """
        return self.fit(self, rows, columns) if self.fit else self

    def list_used(self) -> frozenset[str]:
        """All columns that carry a role."""
        return frozenset(name for names in self.columns.values() for name in names)


def find_value(fields: Fields, *names: str) -> Any:
    """The value of the first of these columns that the row has and that is not None, else None."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def find_text(fields: Fields, *names: str) -> str:
    """The text in the first of these columns that the row has, "" where it has none of them."""
    value = find_value(fields, *names)
    return "" if value is None else as_text(value)


def as_text(value: Any) -> str:
    """A value as text: strings as they are, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def list_items(value: Any) -> list[Any]:
    """The items of a list; of anything else, none."""
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else []


def require_text(fields: Fields, *names: str) -> str:
    """The text in the first of these columns.

    Raises:
        Absent: If the row has none of them.
    """
    value = find_value(fields, *names)
    if value is None:
        raise Absent(f"no {names[0]!r}")
    return as_text(value)


def parse_answers(value: Any) -> tuple[str, tuple[str, ...]]:
    """An answer and all accepted ones: from text, a list, SQuAD's ``{"text": [...]}`` or list of
    ``{"text": ...}``, TriviaQA's ``{"value": ..., "aliases": [...]}``."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        value = mapping.get("text", mapping)
        if "value" in mapping:
            value = [mapping["value"], *(mapping.get("aliases") or ())]
    if isinstance(value, list | tuple):
        items = [item["text"] if isinstance(item, dict) and "text" in item else item
                 for item in cast("list[Any]", value)]  # fmt: skip
        known = tuple(dict.fromkeys(as_text(item) for item in items if item is not None))
        return (known[0] if known else ""), known
    return as_text(value), ()


def make_system_turn(fields: Fields) -> tuple[Message, ...]:
    """The system message that a column of its own holds; none where it is missing or empty."""
    text = find_text(fields, *SYSTEM)
    return (Message(role="system", content=text),) if text else ()


def make_document(text: str, title: str = "") -> Document:
    """A passage of a row as a document, whose id is its content."""
    return Document(id=hash_content(text), text=text, title=title)


def read_side_input(fields: Fields) -> dict[str, str]:
    """What an instruction is about: the column ``input`` that stands beside it, unless empty."""
    text = find_text(fields, "input")
    return {"input": text} if text else {}


def append_question(turns: Sequence[Message], content: Content) -> Content:
    """Content that is asked after these turns: its inputs become the next user turn."""
    if not turns:
        return content
    question = Message(role="user", content="\n".join(content.inputs.values()))
    return replace(content, inputs={}, messages=(*turns, question))
