"""Rows from Parquet files and Hugging Face datasets (needs the ``local`` extra)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.data.file_text import get_stem
from whatworks.data.raw_row import RawRow, find_split

PARQUET = "refs/convert/parquet"
"""The revision of a hub dataset that holds its rows as the hub itself converted them."""


def read_parquet(path: Path) -> Iterator[RawRow]:
    """The rows of a Parquet file, a batch at a time; class labels come out by name.

    Raises:
        InputError: If the file is damaged or pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise _make_missing_error(path) from error
    # Damaged files raise anything from ArrowInvalid to OSError, all of them under Exception.
    try:
        file: Any = pyarrow.parquet.ParquetFile(path)
        batches: Iterable[Any] = file.iter_batches(batch_size=1000)
        labels = _read_labels((file.schema_arrow.metadata or {}).get(b"huggingface", b"{}"))
        records = (
            _name_labels(record, labels) for batch in batches for record in batch.to_pylist()
        )
        yield from _number_rows(records, str(path), get_stem(path), "")
    except InputError:
        raise
    except Exception as error:
        raise _make_damage_error(path, error) from error


def read_dataset(path: Path, hub_id: str = "") -> Iterator[RawRow]:
    """The rows of a dataset that ``save_to_disk`` wrote, or of one on the Hugging Face hub.

    All its splits, one after the other; class labels come out by name.

    Args:
        path: The folder; for a dataset of the hub, the name to show.
        hub_id: What ``datasets.load_dataset`` takes, perhaps with ``@REVISION``; rows are streamed.

    Raises:
        InputError: If the dataset is damaged or out of reach, or ``datasets`` is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise _make_missing_error(path) from error
    name, _, revision = hub_id.partition("@")
    try:
        saved: Any = (
            datasets.load_dataset(name, revision=revision or None, streaming=True)
            if hub_id
            else datasets.load_from_disk(str(path))
        )
        parts: dict[str, Any] = dict(saved) if isinstance(saved, dict) else {"": saved}
        for name, part in parts.items():
            labels: dict[str, list[str]] = {
                column: feature.names
                for column, feature in (part.features or {}).items()
                if isinstance(feature, datasets.ClassLabel)
            }
            records = (_name_labels(record, labels) for record in part)
            label = f"{path.name}-{name}" if name else path.name
            yield from _number_rows(records, str(path / name), label, find_split(name) or name)
    except InputError:
        raise
    except Exception as error:
        raise (_make_hub_error if hub_id else _make_damage_error)(path, error) from error


def _number_rows(
    records: Iterable[Mapping[str, Any]], path: str, label: str, split: str
) -> Iterator[RawRow]:
    for count, record in enumerate(records, start=1):
        yield RawRow(_simplify_value(record), f"{path} row {count}", f"{label}-{count}", split)


def _read_labels(described: bytes) -> dict[str, list[str]]:
    """Names of the class labels, by column, in what ``datasets`` writes beside a table.

    A feature is an object; before version 4, also a list that holds the feature of its items.
    """
    features: Any = json.loads(described)
    for name in ("info", "features"):
        features = features.get(name) if isinstance(features, dict) else None
    return {
        column: feature["names"]
        for column, feature in cast("dict[str, Any]", features or {}).items()
        if isinstance(feature, dict) and cast("Any", feature).get("_type") == "ClassLabel"
    }


def _name_labels(record: Mapping[str, Any], labels: Mapping[str, list[str]]) -> dict[str, Any]:
    """The record with class labels by name; a negative number is a missing label."""
    named = dict(record)
    for column, names in labels.items():
        value = named.get(column)
        named[column] = names[value] if isinstance(value, int) and value >= 0 else None
    return named


def _simplify_value(value: Any) -> Any:
    """The value as JSON could hold it: times and decimals as text, missing numbers as None."""
    if isinstance(value, Mapping):
        return {str(k): _simplify_value(v) for k, v in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_simplify_value(item) for item in cast("list[Any]", value)]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _make_missing_error(path: Path) -> InputError:
    return InputError(
        "Parquet and saved datasets need the datasets library",
        place=str(path),
        remedy="install it with `pip install 'whatworks[local]'`, or save the rows as JSONL",
    )


def _make_damage_error(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return InputError(
        f"cannot be read: {reason}", place=str(path), remedy="check it, or save the rows as JSONL"
    )


def _make_hub_error(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if "scripts are no longer supported" in reason:
        return InputError(
            f"the dataset is a script, which is not run: {reason}",
            place=str(path),
            remedy=f"name the hub's own Parquet copy, if it has one: {path}@{PARQUET}",
        )
    return InputError(
        f"the dataset cannot be had from the hub: {reason}",
        place=str(path),
        remedy="check the name and the connection; without one, name the folder that its "
        "`save_to_disk` wrote elsewhere",
    )
