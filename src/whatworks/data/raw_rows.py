"""Files to rows: JSONL, JSON, CSV, TSV, plain text, and folders of them.

A row is a mapping of column names to values, with the place it came from. What the columns mean is
decided later (``whatworks.data.formats``). JSONL, CSV, text and Parquet are read row by row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError
from whatworks.data import file_text as text
from whatworks.data.delimited import read_table
from whatworks.data.joined_rows import is_answers, is_beir, join_answers, join_threads, read_beir
from whatworks.data.json_document import convert_array, find_rows, require_object
from whatworks.data.json_text import parse
from whatworks.data.passages import read_passages
from whatworks.data.raw_row import RawRow, find_split
from whatworks.data.tables import read_dataset, read_parquet

JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
TABLE_ENDINGS = (".csv", ".tsv")
TEXT_ENDINGS = (".txt", ".md", ".text")
HUB = "hf:"
"""What the name of a dataset on the Hugging Face hub begins with."""

_NOT_ROWS = {"dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json"}


def read_rows(path: Path) -> Iterator[RawRow]:
    """The rows of a file, a folder of files, or a Hugging Face dataset.

    Args:
        path: A file or folder; ``hf:owner/name`` means a dataset of the Hugging Face hub.

    Raises:
        InputError: With file and line, for whatever keeps the file from being read.
    """
    hub_id = str(path).partition(HUB)[2]
    if hub_id:  # perhaps joined to a study's folder, like any name in a study file
        yield from read_dataset(Path(HUB + hub_id), hub_id)
    elif path.is_dir():
        yield from _read_folder(path)
    else:
        yield from _read_file(path)


def read_values(path: Path) -> Iterator[tuple[Any, str]]:
    """The top-level JSON values of a JSON or JSONL file, each with its place.

    Raises:
        InputError: With line and column of broken JSON.
    """
    if _is_jsonl(path):
        for number, line in text.read_lines(path):
            if line.strip():
                yield parse(line.rstrip(), str(path), line=number), f"{path}:{number}"
    else:
        yield parse(text.read_text(path), str(path)), str(path)


def _read_file(path: Path) -> Iterator[RawRow]:
    ending = text.get_suffix(path)
    start = text.read_head(path)
    if len(start) < text.HEAD and not start.removeprefix(text.MARK).strip():
        raise InputError("the file is empty", place=str(path), remedy="give a file with rows")
    if ending == ".parquet" or start.startswith(b"PAR1"):
        return read_parquet(path)
    if ending in TABLE_ENDINGS:
        return read_table(path)
    if ending in TEXT_ENDINGS and not _is_jsonl(path):
        return read_passages(path)
    if ending in JSON_ENDINGS or start.removeprefix(text.MARK).lstrip()[:1] in (b"{", b"["):
        source = _read_jsonl(path) if _is_jsonl(path) else _read_json(path)
        return join_threads(join_answers(path, source, _read_file))
    for _ in text.read_lines(
        path
    ):  # binary junk and wrong encodings are named before the ending is
        pass
    raise InputError(
        f"cannot tell what {ending or 'a file without an ending'} holds",
        place=str(path),
        remedy="name it .jsonl, .json, .csv, .tsv, .parquet, .txt or .md",
    )


def _read_folder(path: Path) -> Iterator[RawRow]:
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
        yield from read_dataset(path)
        return
    if is_beir(path):
        yield from read_beir(path, _read_file)
        return
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and file.name not in _NOT_ROWS
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    data = [f for f in files if text.get_suffix(f) in (*JSON_ENDINGS, *TABLE_ENDINGS, ".parquet")]
    data = [file for file in data if not is_answers(file)]
    chosen = data or [f for f in files if text.get_suffix(f) in TEXT_ENDINGS]
    if not chosen:
        raise InputError(
            "the folder holds no data files",
            place=str(path),
            remedy="wanted: .jsonl, .json, .csv, .tsv, .parquet, .txt or a saved dataset",
        )
    for file in chosen:
        split = find_split(text.get_stem(file))
        yield from (replace(row, split=split) if split else row for row in _read_file(file))


def _is_jsonl(path: Path) -> bool:
    """JSONL rather than one JSON document, whatever the ending claims."""
    jsonl = text.get_suffix(path) in (".jsonl", ".ndjson")
    if jsonl and not text.read_head(path).removeprefix(text.MARK).lstrip().startswith(b"["):
        return True
    filled = (line for _, line in text.read_lines(path) if line.strip())
    first, second = next(filled, "").strip(), next(filled, "")
    if not first.startswith("{" if not jsonl else "[") or not second:
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _read_jsonl(path: Path) -> Iterator[RawRow]:
    stem = text.get_stem(path)
    arrays = False
    for count, (value, place) in enumerate(read_values(path), start=1):
        arrays = arrays or (count == 1 and isinstance(value, list))
        fields = require_object(convert_array(value) if arrays else value, place)
        yield RawRow(fields, place, f"{stem}-{count}")


def _read_json(path: Path) -> Iterator[RawRow]:
    stem = text.get_stem(path)
    document = find_rows(parse(text.read_text(path), str(path)), path)
    for count, (value, split) in enumerate(document, start=1):
        place = f"{path} row {count}"
        yield RawRow(require_object(value, place), place, f"{stem}-{count}", split)
