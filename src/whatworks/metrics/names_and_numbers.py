"""Names and numbers in a text: what an answer has to carry over unchanged."""

from __future__ import annotations

import re
from collections import Counter

# Each run of characters is looked at once: a long answer takes time in proportion.
_CAPITAL = re.compile(r"\b[A-ZÀ-Þ][\w'’\-]*+")
_WORDS = re.compile(rf"{_CAPITAL.pattern}|\b\w[\w\-]*+")
_OPENING = re.compile(r"(?:^|[.!?:]\s++|\n[^\S\n]*+)[\"'“]?([A-ZÀ-Þ][\w'’\-]*+)")
_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")


def find_entities(text: str, beside: str = "") -> list[str]:
    """Words with a capital or a digit, in order, each once.

    A capital at the beginning of a sentence makes a name only of a word that has it elsewhere too,
    in ``text`` or in the text ``beside`` it.
    """
    names: dict[str, None] = {}
    for word in _WORDS.findall(text):
        names.update(dict.fromkeys([word] if _DIGIT.search(word) else _CAPITAL.findall(word)))
    both = f"{text}\n{beside}"
    times, openings = Counter(_WORD.findall(both)), Counter(_OPENING.findall(both))
    return [name for name in names if not name.isalpha() or times[name] > openings[name]]
