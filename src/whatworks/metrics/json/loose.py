"""JSON read for its content alone: another notation, other types, other case."""

from __future__ import annotations

import ast
import re
from typing import Any

LONGEST = 20_000
"""Characters of an answer beyond which no other notation is looked for."""


def read_literal(text: str) -> Any:
    """The object or array that a text holds in Python's notation, or with a comma too many.

    From the first opening bracket to the last closing one; None where there is none.
    """
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    end = max(text.rfind("}"), text.rfind("]")) + 1
    if not starts or end <= min(starts) or end - min(starts) > LONGEST:
        return None
    body = text[min(starts) : end]
    names = {"true": "True", "false": "False", "null": "None"}
    for candidate in (body, re.sub(r"\b(?:true|false|null)\b", lambda m: names[m[0]], body)):
        try:
            value = ast.literal_eval(candidate)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if isinstance(value, dict | list) and _is_json(value):
            return value
    return None


def fold(value: Any) -> Any:
    """A value in which only content is left: scalars as text in small letters, keys too.

    ``3``, ``3.0`` and ``"3"`` are one; ``null`` stays apart from every text. Keys that differ in
    case alone keep theirs, so that nothing is lost.
    """
    if isinstance(value, dict):
        names = [_text(name) for name in value]
        if len(set(names)) < len(names):
            names = list(value)
        return {name: fold(one) for name, one in zip(names, value.values(), strict=True)}
    if isinstance(value, list):
        return [fold(one) for one in value]
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).casefold()
    if isinstance(value, int | float):
        return _number(value)
    text = _text(value)
    if re.fullmatch(r"[-+]?\d{1,15}(?:\.\d{1,15})?", text, re.ASCII):
        return _number(float(text))
    return text


def _text(value: Any) -> str:
    return " ".join(str(value).split()).casefold()


def _number(value: int | float) -> str:
    whole = isinstance(value, int) or value.is_integer()
    return str(int(value)) if whole else repr(value)


def _is_json(value: Any) -> bool:
    """Whether Python's notation held nothing but JSON: no tuple, set, bytes or complex number."""
    level = [value]
    for _ in range(64):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                if not all(isinstance(name, str) for name in one):
                    return False
                inner += one.values()
            elif isinstance(one, list):
                inner += one
            elif not isinstance(one, str | bool | int | float | None):
                return False
        if not inner:
            return True
        level = inner
    return False
