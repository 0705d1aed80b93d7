"""The rows in one JSON document, whichever way it holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.data.raw_row import Fields, find_split, has_header, number_columns

ROW_LISTS = {
    *("messages", "conversations", "conversation", "turns", "history", "tools", "spans"),
    *("prompt", "completion", "chosen", "rejected", "preferred_output", "non_preferred_output"),
    *("context", "paragraphs", "function", "replies", "traj"),
}
"""Columns that hold a list of objects within one row: they never mean "the rows are in here"."""

_KNOWN = {"text", "label", "question", "answer", "input", "output", "target", "prompt", "id"}
"""Some of these stand in the first of a list of arrays that names the others' columns."""


def find_rows(value: Any, path: Path) -> Iterator[tuple[Any, str]]:
    """The rows in a JSON document, each with its split, or "".

    They are the array itself; the one array of objects in an object; arrays under the names of
    splits; an object of columns; an object of rows by id; or the questions of SQuAD's articles.
    Rows that are arrays get numbered columns, unless the first names them.

    Raises:
        InputError: If several arrays could be the rows.
    """
    if isinstance(value, list):
        yield from ((row, "") for row in _name_columns(cast("list[Any]", value)))
        return
    fields = require_object(value, str(path))
    splits = {name: find_split(name) for name, rows in fields.items() if _is_rows(rows)}
    if splits and all(splits.values()):
        for name, split in splits.items():
            yield from ((row, split) for row in _name_columns(fields[name]))
        return
    yield from ((row, "") for row in _list_rows(fields, path))


def require_object(value: Any, place: str) -> Fields:
    """The value, which must be an object.

    Raises:
        InputError: If it is none.
    """
    if not isinstance(value, dict):
        kind = "nothing" if value is None else type(cast("object", value)).__name__
        raise InputError(
            f"a row must be a JSON object, this is {kind}",
            place=place,
            remedy='write rows as {"input": ..., "target": ...}',
        )
    return cast("dict[str, Any]", value)


def convert_array(value: Any) -> Any:
    """An array as a row: of turns, a conversation; of two cells or more, numbered columns.

    Anything else is given as it is.
    """
    turns = cast("list[Any]", value) if isinstance(value, list) else []
    if turns and all(isinstance(turn, dict) and {"role", "from"} & turn.keys() for turn in turns):
        return {"conversations": turns}
    if not isinstance(value, list) or len(cast("list[Any]", value)) < 2:
        return value
    cells = cast("list[Any]", value)
    return dict(zip(number_columns(len(cells)), cells, strict=True))


def _is_rows(value: Any) -> bool:
    """Whether a value is a list of objects or of arrays."""
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return bool(items) and all(isinstance(item, dict | list) for item in items)


def _name_columns(rows: list[Any]) -> list[Any]:
    if not rows or not all(isinstance(row, list) for row in rows):
        return rows
    first, *others = cast("list[list[Any]]", rows)
    texts = {cell.lower() for cell in first if isinstance(cell, str)}
    if others and texts & _KNOWN and len(texts) == len(first) and has_header(first, others[:100]):
        return [dict(zip(first, row, strict=False)) for row in others]
    return [convert_array(row) for row in rows]


def _list_rows(fields: Fields, path: Path) -> Sequence[Any]:
    if table := _find_columns(fields, path):
        return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    if ROW_LISTS & fields.keys():
        return [fields]
    lists = {
        name: cast("list[Any]", item)
        for name, item in fields.items()
        if isinstance(item, list) and item and all(isinstance(x, dict) for x in cast("Any", item))
    }
    if len(lists) > 1:
        raise InputError(
            f"several arrays of rows: {', '.join(lists)}",
            place=str(path),
            remedy="keep the one that is meant, or save each as a file of its own",
        )
    if not lists:
        return _list_by_id(fields) or [fields]
    rows = next(iter(lists.values()))
    return list(_list_questions(rows)) if all("paragraphs" in row for row in rows) else rows


def _find_columns(fields: Fields, path: Path) -> dict[str, list[Any]]:
    """The columns of an object that holds a table column by column; empty if it is none.

    They are pandas's objects of row numbers to cells, or lists of one length. A list of objects
    may be rows, or the turns of one conversation.
    """
    if set(fields) == {"columns", "index", "data"}:
        raise InputError(
            "a table whose columns are named apart from its cells",
            place=str(path),
            remedy="save it as rows: in pandas, `to_json(..., orient='records')`",
        )
    numbers = all(isinstance(cells, dict) and _is_index(cells) for cells in fields.values())
    listed = all(isinstance(cells, list) for cells in fields.values())
    if not (numbers or listed):
        return {}
    columns = {name: list(cells.values() if numbers else cells) for name, cells in fields.items()}
    objects = {
        name for name, cells in columns.items() if all(isinstance(cell, dict) for cell in cells)
    }
    if listed and (ROW_LISTS & objects or objects == columns.keys()):
        return {}
    return columns if len(columns) > 1 and len({*map(len, columns.values())}) == 1 else {}


def _is_index(cells: Any) -> bool:
    return bool(cells) and all(map(str.isdigit, cells))


def _list_by_id(fields: Fields) -> list[Fields]:
    """The rows of an object that holds each under its id: all have the same columns."""
    rows = [cast("Mapping[str, Any]", row) for row in fields.values() if isinstance(row, dict)]
    alike = len({frozenset(row) for row in rows}) == 1
    if len(rows) < 2 or len(rows) < len(fields) or not alike or len(rows[0]) < 2:
        return []
    return [{"id": name, **row} for name, row in zip(fields, rows, strict=True)]


def _list_questions(articles: Sequence[Mapping[str, Any]]) -> Iterator[Fields]:
    """The questions of SQuAD's articles (Rajpurkar et al. 2016), in the flat form of the hub."""
    for article in articles:
        for paragraph in article["paragraphs"]:
            for question in paragraph.get("qas", ()):
                yield {
                    "title": article.get("title"),
                    "context": paragraph.get("context"),
                    **question,
                }
