"""One row of a file as it was read, before its format is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Fields = Mapping[str, Any]


_SPLITS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "eval": "dev",
    "test": "test",
}


@dataclass(frozen=True, slots=True)
class Row:
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


def split_of(name: str) -> str:
    """``train``, ``dev`` or ``test`` when a file or split name begins so, else ""."""
    return _SPLITS.get(re.split(r"[-_. ]", name.lower())[0], "")
