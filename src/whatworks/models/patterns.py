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
    return _compile_pattern(pattern).search(_replace_surrogates(text)) is not None


def is_whole(pattern: str, text: str) -> bool | None:
    """Whether a pattern matches a whole text; None where RE2 does not take the pattern.

    Classes are those of Unicode, as they are in Python and where answers are decoded.
    """
    found = _compile_linear(_name_classes(pattern))
    return None if found is None else found.fullmatch(_replace_surrogates(text)) is not None


def _name_classes(pattern: str) -> str:
    """A pattern with ``\\d``, ``\\w`` and ``\\s`` written as RE2 writes Unicode's."""
    within = False

    def name(found: re.Match[str]) -> str:
        nonlocal within
        piece = found[0]
        if piece[0] != "\\":
            within = piece[-1] != "]" if within else piece[0] == "["
            return piece
        inner = _CLASSES.get(piece.lower(), "")
        if not inner or (within and piece[1].isupper()):
            return piece
        return inner if within else f"[{'^' if piece[1].isupper() else ''}{inner}]"

    return _PIECE.sub(name, pattern)


def _compile_pattern(pattern: str) -> Any:
    found = _compile_linear(pattern)
    return re.compile(pattern, re.ASCII) if found is None else found


@lru_cache(maxsize=512)
def _compile_linear(pattern: str) -> Any:
    """A pattern of RE2, None where it takes none."""
    import re2

    options: Any = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(_replace_surrogates(pattern), options)
    except re2.error:
        return None


def _replace_surrogates(text: str) -> str:
    """Without the lone surrogates that RE2's UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()
