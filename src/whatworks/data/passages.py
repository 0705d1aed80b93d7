"""Plain text to passages: a style corpus as examples "opening -> continuation".

A passage is made of whole paragraphs up to about 600 characters. Its opening (the first lines or
words) is the input and the rest the target, so that every method, prompted or trained, has
something to be asked and something to be scored against.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from whatworks.data import file_text as text
from whatworks.data.raw_row import RawRow

PASSAGE = 600
"""Characters from which a passage is long enough to end with the paragraph."""

OPENING = 80
"""Characters that the opening has at least, where the passage allows."""

_CLAUSE = re.compile(r"(?<=[.!?:;])\s+|\n\s*")
_SPACE = re.compile(r"\s+")


def read_passages(path: Path) -> Iterator[RawRow]:
    """The passages of a text file as rows with the one column ``text``.

    A passage of a single word, such as a rule between chapters, is passed over.

    Raises:
        InputError: If the file is no UTF-8 text.
    """
    label = text.get_stem(path)
    items = (item for item in _split_passages(text.read_lines(path)) if len(item[1].split()) > 1)
    for count, (line, passage) in enumerate(items, start=1):
        yield RawRow({"text": passage}, f"{path}:{line}", f"{label}-{count}")


def split_opening(passage: str) -> tuple[str, str]:
    """A passage as (opening, continuation), cut at a line or sentence end, else between words.

    The continuation is "" when the passage has only one word.
    """
    passage = passage.strip()
    least = min(OPENING, len(passage) // 3)
    cut = (
        _CLAUSE.search(passage, least, 2 * least)
        or _SPACE.search(passage, least)
        or _SPACE.search(passage)
    )
    return (passage[: cut.start()], passage[cut.end() :]) if cut else (passage, "")


def _split_passages(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Passages with the line on which each begins."""
    begun, parts, size = 0, list[str](), 0
    for number, line in lines:
        blank = not line.strip()
        full = (blank and size >= PASSAGE) or line.startswith("# ")  # another article begins
        if full and parts:
            yield begun, "".join(parts).strip()
            parts, size = [], 0
        if blank and not parts:
            continue
        for piece in _split_line(line):
            if size + len(piece) > 3 * PASSAGE and parts:
                yield begun, "".join(parts).strip()
                parts, size = [], 0
            begun = number if not parts else begun
            parts.append(piece)
            size += len(piece)
    if "".join(parts).strip():
        yield begun, "".join(parts).strip()


def _split_line(line: str) -> list[str]:
    """A line whole, or, where one line is a chapter, cut at sentence ends."""
    if len(line) <= 2 * PASSAGE:
        return [line]
    pieces, size = [""], 0
    for sentence in re.split(r"(?<=[.!?])(?=\s)", line):
        if size and size + len(sentence) > PASSAGE:
            pieces.append("")
            size = 0
        pieces[-1] += sentence
        size += len(sentence)
    return pieces
