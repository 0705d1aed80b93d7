"""Regular expressions that users write, matched in time proportional to the text.

RE2 takes no pattern that needs more (look-around, back references); those go to Python's engine,
which the limits of a metric break off.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_CLASSES = {r"\d": r"\p{Nd}", r"\w": r"\p{L}\p{M}\p{N}_", r"\s": r"\s\x0b\p{Z}"}
# An escape, the beginning of a class (a bracket right after it is a sign), its end.
_PIECE = re.compile(r"\\.|\[\^?\]?|\]", re.DOTALL)


def search(pattern: str, text: str) -> bool:
    """Whether a pattern matches somewhere in a text.

    ``$`` is the end of the text, and ``\\d`` a digit of ASCII, as in JSON Schema's patterns.
    """
    return _compile_pattern(pattern).search(replace_surrogates(text)) is not None


def is_whole(pattern: str, text: str) -> bool | None:
    """Whether a pattern matches a whole text; None where RE2 does not take the pattern.

    Classes are those of Unicode, as they are in Python and where answers are decoded.
    """
    compiled = _compile_linear(_name_classes(pattern))
    return None if compiled is None else compiled.fullmatch(replace_surrogates(text)) is not None


def _name_classes(pattern: str) -> str:
    """A pattern with ``\\d``, ``\\w`` and ``\\s`` written as RE2 writes Unicode's."""
    within = False

    def name(match: re.Match[str]) -> str:
        nonlocal within
        piece = match[0]
        if piece[0] != "\\":
            within = piece[-1] != "]" if within else piece[0] == "["
            return piece
        inner = _CLASSES.get(piece.lower(), "")
        if not inner or (within and piece[1].isupper()):
            return piece
        return inner if within else f"[{'^' if piece[1].isupper() else ''}{inner}]"

    return _PIECE.sub(name, pattern)


def _compile_pattern(pattern: str) -> Any:
    compiled = _compile_linear(pattern)
    return re.compile(pattern, re.ASCII) if compiled is None else compiled


@lru_cache(maxsize=512)
def _compile_linear(pattern: str) -> Any:
    """A pattern of RE2, None where it takes none."""
    import re2

    options: Any = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(replace_surrogates(pattern), options)
    except re2.error:
        return None


def replace_surrogates(text: str) -> str:
    """The text with ``?`` for lone surrogates, which UTF-8 (RE2, tokenizers, files) cannot hold."""
    return text.encode("utf-8", "replace").decode()
