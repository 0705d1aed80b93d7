"""One row of a file as it was read, before its format is known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Fields = Mapping[str, Any]

_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "val", "valid", "validation", "eval", "development"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_NAME, _SENTENCE = 60, (".", "?", "!")
"""Most characters of a column's name, and what it does not end with."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a file.

    Attributes:
        fields: Column names and values.
        place: ``file:line``, or ``file row n`` where lines say nothing.
        name: File stem and row number: the id of a row that has none.
        split: The split that a folder of files or a saved data set says, else "".
    """

    fields: Fields
    place: str
    name: str
    split: str = ""


def find_split(name: str) -> str:
    """``train``, ``dev`` or ``test`` when a word of a file or split name says so, else "".

    The first word goes before the others, which count when they agree: ``gsm_train`` is train, and
    ``test-train-overlap`` is test.
    """
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    named = {_SPLITS[word]: word for word in words if word in _SPLITS}
    if words and words[0] in _SPLITS:
        return _SPLITS[words[0]]
    return next(iter(named)) if len(named) == 1 else ""


def has_header(first: Sequence[Any], others: Sequence[Sequence[Any]]) -> bool:
    """Whether the first record of a table names the columns rather than being a row.

    It is a row when a cell is longer than names are, ends as sentences do, or comes again below in
    its own column, as the name of a class does. A header that stands again as a whole does not
    count: tables are joined so.
    """
    below = [cells for cells in others if list(cells) != list(first)]
    for column, cell in enumerate(first):
        text = cell.strip() if isinstance(cell, str) else None
        if text is None or len(text) > _NAME or text.endswith(_SENTENCE):
            return False
        if text and any(column < len(cells) and cells[column] == cell for cells in below):
            return False
    return True


def number_columns(count: int) -> list[str]:
    """Names for the columns of a table that has none."""
    return [f"column {number}" for number in range(1, count + 1)]
