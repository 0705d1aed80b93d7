"""Names and numbers in a text: what an answer has to carry over unchanged."""

from __future__ import annotations

import re

_NAME = re.compile(r"\b[A-ZÀ-Þ][\w'’\-]*|\b[\w\-]*\d[\w\-]*")
_OPENING = re.compile(r"(?:^|[.!?:]\s+|\n\s*)[\"'“]?([A-ZÀ-Þ][\w'’\-]*)")


def entities(text: str, beside: str = "") -> list[str]:
    """Words with a capital or a digit, in order, each once.

    A capital at the beginning of a sentence makes a name only of a word that has it elsewhere too,
    in ``text`` or in the text ``beside`` it.
    """
    found = dict.fromkeys(_NAME.findall(text))
    return [name for name in found if not name.isalpha() or _inside(name, f"{text}\n{beside}")]


def _inside(name: str, text: str) -> bool:
    """Whether a word stands within a sentence with its capital."""
    return len(re.findall(rf"\b{re.escape(name)}\b", text)) > _OPENING.findall(text).count(name)
