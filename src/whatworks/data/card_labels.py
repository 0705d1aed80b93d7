"""Names of classes that a dataset's card gives: the README.md of a dataset of the Hugging Face hub.

Its rows hold numbers, and its card says what they stand for (``dataset_info``, features of type
``class_label``). In Parquet files the names stand within (``tables``); beside JSON and CSV there is
the card alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from whatworks.base.errors import InputError
from whatworks.base.yaml_file import parse_yaml
from whatworks.data.raw_row import RawRow

CARD = "README.md"
_UP = 2
"""How many folders above the file are looked into."""
_MOST = 1_000_000
"""Bytes of a card that are read."""
_HEAD = re.compile(r"\A\ufeff?---\r?\n(.*?)\r?\n---\s*(?:\n|\Z)", re.DOTALL)

Labels = Mapping[str, tuple[str, ...]]
"""Names by column, in the order of their numbers from 0."""


def find_card_labels(path: Path) -> Labels:
    """The names that the card beside a file or folder gives; none where there is no such card."""
    folder = path if path.is_dir() else path.parent
    for place in (folder, *list(folder.resolve().parents)[:_UP]):
        card = place / CARD
        is_read = card.is_file() and card.stat().st_size <= _MOST
        if is_read and (labels := _read_card(card)):
            return labels
    return {}


def name_labels(rows: Iterator[RawRow], labels: Labels) -> Iterator[RawRow]:
    """Rows with the classes of these columns by name; what is no number of one stays as it is.

    A negative number is a missing label.
    """
    for row in rows:
        named = {
            column: _name_value(row.fields[column], names)
            for column, names in labels.items()
            if column in row.fields
        }
        yield replace(row, fields={**row.fields, **named})


def describe_labels(labels: Labels) -> str:
    """What is said of the names: ``numbers in 'label' stand for names, ...``."""
    columns = " and ".join(map(repr, labels))
    first = next(iter(labels.values()))
    return f"numbers in {columns} stand for names, as {CARD} says (0 is {first[0]!r})"


def _name_value(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_name_value(one, names) for one in cast("list[Any]", value)]
    number = int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,6}", value) else value
    if not isinstance(number, int) or isinstance(number, bool) or number >= len(names):
        return value
    return names[number] if number >= 0 else None


def _read_card(card: Path) -> Labels:
    head = _HEAD.match(card.read_text(encoding="utf-8", errors="replace"))
    try:
        content: Any = parse_yaml(head[1], card) if head else None
    except InputError:
        return {}  # a README like any other
    described: Any = content.get("dataset_info") if isinstance(content, dict) else None
    labels: dict[str, tuple[str, ...]] = {}
    refused: set[str] = set()
    for one in cast("list[Any]", described) if isinstance(described, list) else [described]:
        for column, names in _list_features(one):
            if labels.setdefault(column, names) != names:
                refused.add(column)  # two configurations disagree
    return {column: names for column, names in labels.items() if column not in refused}


def _list_features(described: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    features: Any = described.get("features") if isinstance(described, dict) else None
    for feature in cast("list[Any]", features) if isinstance(features, list) else []:
        if not isinstance(feature, dict):
            continue
        fields = cast("dict[str, Any]", feature)
        for holder in ("dtype", "sequence", "list"):
            kind: Any = fields.get(holder)
            inner: Any = kind.get("class_label") if isinstance(kind, dict) else None
            names: Any = inner.get("names") if isinstance(inner, dict) else None
            if isinstance(names, dict):
                numbered = {str(number): str(name) for number, name in names.items()}
                ordered = [numbered.get(str(at)) for at in range(len(numbered))]
                if ordered and None not in ordered:
                    yield str(fields.get("name")), tuple(cast("list[str]", ordered))
            elif isinstance(names, list) and names:
                yield str(fields.get("name")), tuple(map(str, cast("list[Any]", names)))
