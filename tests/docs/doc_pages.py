"""The pages of the documentation, with their links, headings and blocks of code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "lab/*.md", "examples/**/*.md", "src/**/README.md")
    for path in ROOT.glob(pattern)
)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, what else its first line says, its text and line."""

    page: Path
    language: str
    info: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def parse(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))


def list_blocks(*languages: str, pages: list[Path] = PAGES) -> list[Block]:
    """Every fenced block of these languages."""
    blocks: list[Block] = []
    for page in pages:
        for token in parse(page):
            if token.type != "fence":
                continue
            language, _, info = token.info.partition(" ")
            if language in languages:
                line = (token.map or [0])[0] + 1
                blocks.append(Block(page, language, info, token.content, line))
    return blocks


def list_links(page: Path) -> list[str]:
    """Where a page links to, and what pictures it shows."""
    inline = [child for token in parse(page) for child in token.children or []]
    found = [str(t.attrGet("href" if t.type == "link_open" else "src") or "") for t in inline
             if t.type in ("link_open", "image")]  # fmt: skip
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def list_code(page: Path) -> list[str]:
    """Code that stands in a line of text."""
    inline = [child for token in parse(page) for child in token.children or []]
    return [" ".join(t.content.split()) for t in inline if t.type == "code_inline"]


def list_anchors(page: Path) -> set[str]:
    """The names under which headings can be linked to, as repositories and the site make them."""
    tokens, anchors = parse(page), set[str]()
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            words = re.sub(r"[^\w\s-]", "", token.content.replace("`", "").lower()).strip()
            anchors.add(re.sub(r"\s", "-", words))
    return anchors
