"""Files to rows: JSONL, JSON, CSV, TSV, plain text, and folders of them.

A row is a mapping of column names to values, with the place it came from. What the columns mean is
decided later (``whatworks.data.formats``). JSONL, CSV, text and Parquet are read row by row.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.data import file_text as text
from whatworks.data.passages import passages
from whatworks.data.raw_row import Fields, Row, split_of
from whatworks.data.tables import dataset, parquet

JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
TABLE_ENDINGS = (".csv", ".tsv")
TEXT_ENDINGS = (".txt", ".md", ".text")
HUB = "hf:"
"""What the name of a dataset on the Hugging Face hub begins with."""

ROW_LISTS = {
    *("messages", "conversations", "conversation", "turns", "history", "tools", "spans"),
    *("prompt", "completion", "chosen", "rejected", "preferred_output", "non_preferred_output"),
}
"""Columns that hold a list of objects within one row: they never mean "the rows are in here"."""

_MAX_DEPTH = 100
_MAX_CELL = 1 << 28
_NOT_ROWS = {"dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json"}
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file, a folder of files, or a Hugging Face dataset.

    Args:
        path: A file or folder; ``hf:owner/name`` means a dataset of the Hugging Face hub.

    Raises:
        InputError: With file and line, for whatever keeps the file from being read.
    """
    hub_id = str(path).partition(HUB)[2]
    if hub_id:  # perhaps joined to a study's folder, like any name in a study file
        yield from dataset(Path(HUB + hub_id), hub_id)
    elif path.is_dir():
        yield from _folder(path)
    else:
        yield from _file(path)


def values(path: Path) -> Iterator[tuple[Any, str]]:
    """The top-level JSON values of a JSON or JSONL file, each with its place.

    Raises:
        InputError: With line and column of broken JSON.
    """
    if _is_jsonl(path):
        for number, line in text.lines(path):
            if line.strip():
                yield parse(line.rstrip(), str(path), line=number), f"{path}:{number}"
    else:
        yield parse(text.whole(path), str(path)), str(path)


def parse(source: str, path: str, *, line: int = 1) -> Any:
    """A JSON value.

    Args:
        source: The JSON text.
        path: File name, for errors.
        line: The line in the file at which ``source`` begins.

    Raises:
        InputError: If it is not JSON, is nested deeper than 100 levels, or holds broken Unicode.
    """
    try:
        value = json.loads(source)
    except json.JSONDecodeError as error:
        raise InputError(
            f"broken JSON in column {error.colno}: {error.msg}",
            place=f"{path}:{line + error.lineno - 1}",
            remedy="each line must be one JSON object, a .json file one array of objects",
        ) from error
    except (ValueError, RecursionError) as error:
        reason = "too many digits" if isinstance(error, ValueError) else "nested too deeply"
        raise InputError(
            f"cannot be read as JSON: {reason}",
            place=f"{path}:{line}",
            remedy="shorten the value there, or write it as a text",
        ) from error
    if source.count("[") + source.count("{") > _MAX_DEPTH and _depth(value) > _MAX_DEPTH:
        raise InputError(
            f"nested deeper than {_MAX_DEPTH} levels", place=f"{path}:{line}", remedy="flatten it"
        )
    if _HALF_PAIR.search(source):
        _check_unicode(value, f"{path}:{line}")
    return value


def _file(path: Path) -> Iterator[Row]:
    ending = text.suffix(path)
    start = text.head(path)
    if len(start) < text.HEAD and not start.removeprefix(text.MARK).strip():
        raise InputError("the file is empty", place=str(path), remedy="give a file with rows")
    if ending == ".parquet" or start.startswith(b"PAR1"):
        return parquet(path)
    if ending in TABLE_ENDINGS:
        return _table(path)
    if ending in TEXT_ENDINGS:
        return passages(path)
    if ending in JSON_ENDINGS or start.removeprefix(text.MARK).lstrip()[:1] in (b"{", b"["):
        return _jsonl(path) if _is_jsonl(path) else _json(path)
    for _ in text.lines(path):  # binary junk and wrong encodings are named before the ending is
        pass
    raise InputError(
        f"cannot tell what {ending or 'a file without an ending'} holds",
        place=str(path),
        remedy="name it .jsonl, .json, .csv, .tsv, .parquet, .txt or .md",
    )


def _folder(path: Path) -> Iterator[Row]:
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
        yield from dataset(path)
        return
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and file.name not in _NOT_ROWS
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    data = [f for f in files if text.suffix(f) in (*JSON_ENDINGS, *TABLE_ENDINGS, ".parquet")]
    chosen = data or [f for f in files if text.suffix(f) in TEXT_ENDINGS]
    if not chosen:
        raise InputError(
            "the folder holds no data files",
            place=str(path),
            remedy="wanted: .jsonl, .json, .csv, .tsv, .parquet, .txt or a saved dataset",
        )
    for file in chosen:
        split = split_of(text.stem(file))
        yield from (replace(row, split=split) if split else row for row in _file(file))


def _is_jsonl(path: Path) -> bool:
    """JSONL rather than one JSON document, whatever the ending claims."""
    if text.suffix(path) in (".jsonl", ".ndjson"):
        return not text.head(path).removeprefix(text.MARK).lstrip().startswith(b"[")
    filled = (line for _, line in text.lines(path) if line.strip())
    first, second = next(filled, "").strip(), next(filled, "")
    if not first.startswith("{") or not second:
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _jsonl(path: Path) -> Iterator[Row]:
    stem = text.stem(path)
    for count, (value, place) in enumerate(values(path), start=1):
        yield Row(_object(value, place), place, f"{stem}-{count}")


def _json(path: Path) -> Iterator[Row]:
    stem = text.stem(path)
    for count, value in enumerate(_listed(parse(text.whole(path), str(path)), path), start=1):
        place = f"{path} row {count}"
        yield Row(_object(value, place), place, f"{stem}-{count}")


def _listed(value: Any, path: Path) -> list[Any]:
    """The rows in a JSON document: the array itself, the one array of objects in an object, or an
    object of columns turned into rows."""
    if isinstance(value, list):
        return cast("list[Any]", value)
    fields = _object(value, str(path))
    if table := _columns(fields, path):
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
    return next(iter(lists.values())) if lists else [fields]


def _columns(fields: Fields, path: Path) -> dict[str, list[Any]]:
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
    numbered = all(isinstance(cells, dict) and _is_index(cells) for cells in fields.values())
    listed = all(isinstance(cells, list) for cells in fields.values())
    if not (numbered or listed):
        return {}
    columns = {name: list(cells.values() if numbered else cells) for name, cells in fields.items()}
    objects = {
        name for name, cells in columns.items() if all(isinstance(cell, dict) for cell in cells)
    }
    if listed and (ROW_LISTS & objects or objects == columns.keys()):
        return {}
    return columns if len(columns) > 1 and len({*map(len, columns.values())}) == 1 else {}


def _is_index(cells: Any) -> bool:
    return bool(cells) and all(map(str.isdigit, cells))


def _object(value: Any, place: str) -> Fields:
    if not isinstance(value, dict):
        kind = "nothing" if value is None else type(cast("object", value)).__name__
        raise InputError(
            f"a row must be a JSON object, this is {kind}",
            place=place,
            remedy='write rows as {"input": ..., "target": ...}',
        )
    return cast("dict[str, Any]", value)


def _table(path: Path) -> Iterator[Row]:
    """CSV or TSV with a header line; the separator of a .csv is the header's commonest one."""
    header_line = next((line for _, line in text.lines(path) if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", header_line)
    separator = "\t" if text.suffix(path) == ".tsv" else max(",;\t|", key=bare.count)
    csv.field_size_limit(_MAX_CELL)
    source = _Numbered(path)
    reader = csv.reader(source, delimiter=separator, strict=True)
    stem = text.stem(path)
    header: list[str] = []
    count, line = 0, 1
    try:
        for cells in reader:
            place, line = f"{path}:{line}", source.number + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = _header(cells, place)
                continue
            count += 1
            if len(cells) != len(header):
                raise InputError(
                    f"{len(cells)} cells under {len(header)} columns",
                    place=place,
                    remedy=f"quote cells that hold {separator!r}; columns: {', '.join(header)}",
                )
            fields = {name: cell for name, cell in zip(header, cells, strict=True) if name}
            yield Row(fields, place, f"{stem}-{count}")
    except csv.Error as error:
        raise InputError(
            f"the table cannot be read: {error}",
            place=f"{path}:{line}",
            remedy='check the quotes from this line on; inside quotes, write "" for a quote',
        ) from error


class _Numbered:
    """Lines of a file for the csv module, remembering how far it has read."""

    def __init__(self, path: Path) -> None:
        self.number = 0
        self._lines = text.lines(path)

    def __iter__(self) -> Iterator[str]:
        for number, line in self._lines:
            self.number = number
            yield line


def _header(cells: list[str], place: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    named = [name for name in header if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise InputError(
            f"the column {twice[0]!r} stands twice in the header", place=place, remedy="rename one"
        )
    return header


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(cast("dict[str, Any]", item).values())
            elif isinstance(item, list):
                below.extend(cast("list[Any]", item))
        level = below
    return depth


def _check_unicode(value: Any, place: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "half of a two-part Unicode character (a lone \\ud... escape)",
            place=place,
            remedy="repair or remove that character",
        ) from error
