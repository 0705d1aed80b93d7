"""A file of answers, read: by ids of rows, or in the order of another file's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.data import read
from whatworks.data.formats.base import as_text, find_text
from whatworks.data.raw_row import RawRow
from whatworks.data.raw_rows import read_rows
from whatworks.data.read import ID_COLUMNS

ANSWERS = (
    "prediction",
    "predicted",
    "answer",
    "output",
    "response",
    "completion",
    "generated_text",
    "model_output",
    "text",
)
"""Columns that hold an answer, the first that is there."""


@dataclass(frozen=True)
class FileColumns:
    """Which columns are read; "" for those found by their names."""

    answer: str = ""
    id: str = ""


def read_predictions(path: Path, columns: FileColumns, *, order: Path | None) -> dict[str, str]:
    """Row id to answer.

    Args:
        path: A file or folder of rows.
        columns: Which of their columns are read.
        order: The data file whose rows the answers follow, where they bear no ids.

    Raises:
        InputError: If there are no such columns, an id stands twice, a row has no answer column,
            there are more or fewer answers than rows of ``order``, or neither ids nor ``order``.
    """
    rows = list(read_rows(path))
    if not rows:
        raise InputError("the file has no rows", place=str(path), remedy="give a file with answers")
    have = list(dict.fromkeys(name for row in rows for name in row.fields))
    answer = _find(have, columns.answer, ANSWERS, path)
    if not answer:
        raise InputError(
            f"no column holds answers; columns: {', '.join(have)}",
            place=str(path),
            remedy=f"name it: `column: {have[-1]}`",
        )
    texts = [_read_answer(row, answer) for row in rows]
    if order is not None:
        return _follow(order, texts, path)
    own = _find(have, columns.id, ID_COLUMNS, path)
    if not own:
        raise InputError(
            f"the answers bear no ids of rows; columns: {', '.join(have)}",
            place=str(path),
            remedy="name the data file whose rows they follow in order: `order_of: test.jsonl`",
        )
    ids = [find_text(row.fields, own) for row in rows]
    _check_ids(ids, rows)
    return {name: text for name, text in zip(ids, texts, strict=True) if text is not None}


def _find(have: Sequence[str], named: str, known: Sequence[str], path: Path) -> str:
    if named and named not in have:
        raise InputError(
            f"no column {named!r}; columns: {', '.join(have)}",
            place=str(path),
            remedy=suggest_nearest(named, have),
        )
    return named or next((name for name in known if name in have), "")


def _read_answer(row: RawRow, column: str) -> str | None:
    """A row's answer; a null is none."""
    value = row.fields.get(column)
    return None if value is None else as_text(value)


def _check_ids(ids: Sequence[str], rows: Sequence[RawRow]) -> None:
    seen: set[str] = set()
    for name, row in zip(ids, rows, strict=True):
        if not name or name in seen:
            raise InputError(
                f"id {name!r} stands twice" if name else "a row without an id",
                place=row.place,
                remedy="give every answer the id of its row, once",
            )
        seen.add(name)


def _follow(order: Path, texts: Sequence[str | None], path: Path) -> dict[str, str]:
    """Answers under the ids of the rows that they follow."""
    ids = [example.id for example in read(order, missing="keep").examples]
    if len(ids) != len(texts):
        raise InputError(
            f"{len(texts)} answers, and {len(ids)} rows in {order.name}",
            place=str(path),
            remedy="give one answer for each row, in the same order, or give them ids",
        )
    return {name: text for name, text in zip(ids, texts, strict=True) if text is not None}
