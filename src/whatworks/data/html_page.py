"""HTML pages to text, their structure as Markdown has it.

Parsed by lexbor (selectolax), as browsers do and in linear time: the standard library's parser
takes minutes for ``<!--`` or ``<a `` without end, and lxml leaves out what nests deeper than 256.
"""

from __future__ import annotations

import re
from typing import Any

from whatworks.base.errors import InputError

_HIDDEN_TAGS = {"script", "style", "template", "noscript", "svg"}
_BLOCK_TAGS = {
    *("p", "div", "section", "article", "header", "footer", "main", "nav", "aside", "pre"),
    *("blockquote", "dl", "figure", "figcaption", "caption", "hr"),
}
_LINE_TAGS = {"dt", "dd"}
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_STRUCTURE = {"ul": "", "ol": "", "li": "- ", "table": "", "tr": ""}
"""What lists and tables are made of, with what stands before the text in each."""


def read_page(source: str, place: str) -> tuple[str, str]:
    """Text and title of a page.

    Args:
        source: The page.
        place: Its file, for errors.

    Raises:
        InputError: If selectolax is not installed.
    """
    try:
        from selectolax.lexbor import LexborHTMLParser
    except ImportError as error:
        raise InputError(
            "reading HTML needs selectolax, which is not installed",
            place=place,
            remedy="pip install 'whatworks[rag]', or convert it to .md",
        ) from error
    page = _Page()
    pending: list[Any] = [LexborHTMLParser(source).root]
    while pending:  # no recursion: pages nest as deeply as they like
        node = pending.pop()
        if node is None or isinstance(node, str):
            page.end(node or "")
        elif node.is_text_node:
            page.add(node.text_content or "")
        elif node.is_element_node and node.tag not in _HIDDEN_TAGS:
            page.begin(node.tag)
            pending.append(node.tag)
            inner: list[Any] = []
            child = node.child
            while child is not None:
                inner.append(child)
                child = child.next
            pending.extend(reversed(inner))
    return page.text(), page.title.strip()


class _Page:
    """The readable text of an HTML page, its structure as Markdown has it.

    A blank line stands between paragraphs, ``#`` before a heading, ``-`` before a list item and
    ``|`` around the cells of a table's row, so that it is cut into passages as Markdown is. What
    stands before a text is written when there is one.
    """

    def __init__(self) -> None:
        self.title = ""
        self._parts: list[str] = []
        self._in_title = False
        self._breaks = 0
        self._lead = ""
        self._in_cell = False
        self._in_row = False
        """Whether a cell of the row has text by now."""

    def begin(self, tag: str) -> None:
        """Note what begins."""
        if tag == "title" and not self.title:
            self._in_title = True
        if tag in ("td", "th"):
            self._lead += " | " if self._in_row else "| "
            self._in_cell = True
        elif tag in _HEADINGS or tag in _STRUCTURE:
            self._in_cell = self._in_row = False  # a table for layout
            self._break(1 if tag in ("li", "tr") else 2, _STRUCTURE.get(tag) or _HEADINGS.get(tag))
        elif tag == "br":
            self._break(self._breaks + 1)
        elif tag in _BLOCK_TAGS:
            self._break(2)
        elif tag in _LINE_TAGS:
            self._break(1)

    def end(self, tag: str) -> None:
        """Note what ends."""
        self._in_title = self._in_title and tag != "title"
        if tag == "tr":
            self._parts += [" |"] * self._in_row
            self._in_cell = self._in_row = False
        if tag in _HEADINGS or tag in _STRUCTURE:
            self._lead = ""
            self._break(1 if tag in ("li", "tr") else 2)
        elif tag in _BLOCK_TAGS:
            self._break(2)
        elif tag in _LINE_TAGS:
            self._break(1)

    def add(self, data: str) -> None:
        """Keep text that a reader would see."""
        if self._in_title:
            self.title += data
        elif not data.isspace():
            self._parts += ["\n" * min(self._breaks, 2), self._lead, re.sub(r"\s+", " ", data)]
            self._in_row = self._in_row or "|" in self._lead
            self._breaks, self._lead = 0, ""
        else:
            self._parts.append(" ")

    def _break(self, lines: int, lead: str | None = None) -> None:
        """The text to come begins anew, after so many ends of lines; within a cell it goes on."""
        if self._in_cell:
            self._parts.append(" ")
        elif lead is not None:
            self._breaks, self._lead = max(self._breaks, lines), lead
        elif not self._lead:
            self._breaks = max(self._breaks, lines)

    def text(self) -> str:
        """The text, spaces folded."""
        return "\n".join(" ".join(line.split()) for line in "".join(self._parts).split("\n"))
