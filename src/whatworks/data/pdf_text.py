"""PDF to text: words whole again, headers and footers left out."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whatworks.base.errors import InputError

LONGEST = 120.0
"""Seconds that the pages of one PDF may take."""
_FEWEST = 3
"""Pages from which lines that come again are headers and footers."""
_HALF = re.compile(r"\w-\s*$")


@dataclass(frozen=True, slots=True)
class PdfText:
    """What a PDF says.

    Attributes:
        text: A paragraph per page.
        title: As its metadata have it; "" where they have none.
        pages: How many it has.
        silent: Numbers, from 1, of the pages without text: blank, or pictures of text (scanned).
    """

    text: str
    title: str
    pages: int
    silent: tuple[int, ...]


def read_pdf(path: Path) -> PdfText:
    """Text and title of a PDF, and which of its pages have no text.

    Words that a line's end divides are joined (``join_divided``), and lines that head or foot most
    pages left out (``drop_margins``).

    Raises:
        InputError: If pypdf is not installed, or the PDF is damaged, encrypted, takes too long or
            holds no text.
    """
    try:
        from pypdf import PdfReader
    except ImportError as error:
        raise InputError(
            "reading PDF needs pypdf, which is not installed",
            place=str(path),
            remedy="pip install 'whatworks[rag]', or convert it to .txt",
        ) from error
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise InputError(
                "the PDF is encrypted", place=str(path), remedy="save it without a password"
            )
        pages: list[str] = []
        late = time.monotonic() + LONGEST
        for page in reader.pages:
            if time.monotonic() > late:
                raise InputError(
                    f"its first {len(pages)} pages took more than {LONGEST:.0f} seconds to read",
                    place=str(path),
                    remedy="split it, or convert it to .txt",
                )
            pages.append(page.extract_text().strip())
        title = str((reader.metadata and reader.metadata.title) or "").strip()
    except InputError:
        raise
    except Exception as error:  # damaged files raise whatever the reader meets in them
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"the PDF cannot be read: {reason}",
            place=str(path),
            remedy="print it to a new PDF, convert it to .txt, or move it out of the folder",
        ) from error
    if not any(pages):
        raise InputError(
            f"there is no text on the {len(pages)} pages of the PDF, perhaps only pictures of it",
            place=str(path),
            remedy="run text recognition (OCR) over it, or move it out of the folder",
        )
    body = "\n\n".join(page for page in drop_margins(pages) if page)
    silent = tuple(number for number, page in enumerate(pages, start=1) if not page)
    return PdfText(join_divided(body), title, len(pages), silent)


def join_divided(body: str) -> str:
    """The text with words joined that were divided at the end of a line or a page.

    A hyphen belongs to the word where the word stands with it elsewhere in the text, or both halves
    are words of the text; else it goes. Capitals and digits after the line's end keep theirs
    (``COVID-`` ``19``). Soft hyphens always go. Lexical search finds a word that is joined wrongly,
    too: it knows words with and without their hyphens.
    """
    body = re.sub(r"\u00ad(?:[ \t]*\n\s*(?=\w))?", "", body)
    whole = " ".join(line.rstrip("-") if _HALF.search(line) else line for line in body.split("\n"))
    words = Counter(word.lower() for word in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", whole))

    def join(match: re.Match[str]) -> str:
        first, second = match.groups()
        if not second[0].islower():
            return match[0]
        pair, one = f"{first}-{second}".lower(), f"{first}{second}".lower()
        halves = words[first.lower()] > 1 and words[second.lower()] > 1
        kept = not words[one] and (words[pair] or halves)
        return f"{first}-{second}" if kept else first + second

    body = re.sub(r"(?<![^\W\d_])([^\W\d_]++)[-\u2010][ \t]*\n\s*([^\W\d_]++)", join, body)
    return re.sub(r"(\w[-\u2010])[ \t]*\n\s*(?=\w)", r"\1", body)


def drop_margins(pages: Sequence[str]) -> list[str]:
    """Pages without the first and last lines that most of them share, up to their numbers.

    Of three pages and more; a page's only line is kept.
    """
    cut = [page.split("\n") for page in pages]
    if len(cut) < _FEWEST:
        return list(pages)
    for at in (0, -1):
        times = Counter(_mask_numbers(lines[at]) for lines in cut if len(lines) > 1)
        common = {line for line, count in times.items() if 2 * count > len(cut)}
        for lines in cut:
            if len(lines) > 1 and _mask_numbers(lines[at]) in common:
                del lines[at]
    return ["\n".join(lines).strip() for lines in cut]


def _mask_numbers(line: str) -> str:
    return re.sub(r"\d+", "#", line.strip())
