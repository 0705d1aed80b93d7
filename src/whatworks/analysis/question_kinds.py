"""What a question asks for, by its question word. Pure."""

from __future__ import annotations

import re

_KINDS = {
    "how many": "how many",
    "how much": "how many",
    "who": "who",
    "whom": "who",
    "whose": "who",
    "when": "when",
    "where": "where",
    "why": "why",
    "how": "how",
    "which": "which",
    "what": "what",
}
OTHER = "other"
_WORD = re.compile(rf"\b({'|'.join(map(re.escape, _KINDS))})\b", re.IGNORECASE)


def read_question_kind(text: str) -> str:
    """The first English question word of a text (``how many`` is one), or ``other``."""
    found = _WORD.search(text)
    return _KINDS[found[1].casefold()] if found else OTHER
