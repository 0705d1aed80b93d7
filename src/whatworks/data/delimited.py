"""Tables of text: CSV and TSV to rows, with or without a line that names the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from whatworks.base.errors import InputError
from whatworks.data import file_text as text
from whatworks.data.raw_row import RawRow, has_header, number_columns

_MAX_CELL = 1 << 28
_LOOKED_AT = 100
"""Records by which is told whether the first is a header."""


def read_table(path: Path) -> Iterator[RawRow]:
    """The rows of a CSV or TSV file; the separator of a .csv is the first line's commonest one.

    An empty cell is missing (None), as it is in Parquet. A header that stands again below, where
    tables were joined, is no row.

    Raises:
        InputError: If quotes do not close, or a record has more or fewer cells than columns.
    """
    first_line = next((line for _, line in text.read_lines(path) if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", first_line)
    separator = "\t" if text.get_suffix(path) == ".tsv" else max(",;\t|", key=bare.count)
    records = _read_records(path, separator)
    start = list(islice(records, _LOOKED_AT))
    if not start:
        return
    (first, place), *_ = start
    named = has_header(first, [cells for cells, _ in start[1:]])
    header = _read_header(first, place) if named else number_columns(len(first))
    stem, count = text.get_stem(path), 0
    for cells, place in chain(start[named:], records):
        if named and cells == first:
            continue
        count += 1
        if len(cells) != len(header):
            raise InputError(
                f"{len(cells)} cells under {len(header)} columns",
                place=place,
                remedy=f"quote cells that hold {separator!r}; columns: {', '.join(header)}",
            )
        fields = {name: cell or None for name, cell in zip(header, cells, strict=True) if name}
        yield RawRow(fields, place, f"{stem}-{count}")


def _read_records(path: Path, separator: str) -> Iterator[tuple[list[str], str]]:
    """The records that hold anything, each with its place."""
    csv.field_size_limit(_MAX_CELL)
    source = _Numbered(path)
    line = 1
    try:
        for cells in csv.reader(source, delimiter=separator, strict=True):
            place, line = f"{path}:{line}", source.number + 1
            if any(cell.strip() for cell in cells):
                yield cells, place
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
        self._lines = text.read_lines(path)

    def __iter__(self) -> Iterator[str]:
        for number, line in self._lines:
            self.number = number
            yield line


def _read_header(cells: list[str], place: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    named = [name for name in header if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise InputError(
            f"the column {twice[0]!r} stands twice in the header", place=place, remedy="rename one"
        )
    return header
