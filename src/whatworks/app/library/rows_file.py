"""Rows that a program holds, as text for a file: lists, data frames, data sets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError
from whatworks.data.raw_row import find_split

Rows = Any
"""A path, an iterable of mappings, a data frame (pandas, polars) or a `datasets.Dataset`."""


def list_parts(rows: Rows) -> dict[str, Rows]:
    """Rows by split: those of a mapping of splits, such as a ``DatasetDict``; others are train.

    Raises:
        InputError: If a split's name says nothing, two are the same, or none is train.
    """
    if not isinstance(rows, Mapping):
        return {"train": rows}
    parts: dict[str, Rows] = {}
    for name, part in rows.items():  # pyright: ignore[reportUnknownVariableType]
        split = find_split(str(name))  # pyright: ignore[reportUnknownArgumentType]
        if not split or split in parts:
            raise InputError(
                f"split {name!r} is {f'one more {split}' if split else 'none that is known'}",
                remedy="name them train, dev and test",
            )
        parts[split] = part
    if "train" not in parts:
        raise InputError("there are no train rows", remedy="name the splits train, dev and test")
    return parts


def find_path(rows: Rows) -> Path | None:
    """The file or folder that is meant, absolute; None where the rows are here."""
    return Path(rows).absolute() if isinstance(rows, str | Path) else None


def write_rows(rows: Rows, what: str) -> str:
    """Rows as JSON lines.

    A missing value of a data frame is ``null``, as it is in a table that is read from a file.

    Args:
        rows: What they are in; texts are documents.
        what: What they are, for the message.

    Raises:
        InputError: If there are none, or one is no mapping or cannot be written as JSON.
    """
    if hasattr(rows, "to_json") and hasattr(rows, "columns"):  # pandas
        rows = json.loads(rows.to_json(orient="records", date_format="iso"))
    records: Iterable[Any] = rows.to_dicts() if hasattr(rows, "to_dicts") else rows  # polars
    lines: list[str] = []
    for number, record in enumerate(records, start=1):
        row = {"text": record} if isinstance(record, str) else record
        if not isinstance(row, Mapping):
            raise InputError(
                f"{what} row {number} is {type(record).__name__}, no mapping of names to values",
                remedy="give mappings, a data frame, a data set, or the path of a file",
            )
        try:
            lines.append(json.dumps(dict(row), ensure_ascii=False))  # pyright: ignore
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{what} row {number} cannot be written as JSON: {error}",
                remedy="keep texts, numbers, lists and mappings only",
            ) from error
    if not lines:
        raise InputError(f"there are no {what} rows", remedy="give some")
    return "".join(line + "\n" for line in lines)
