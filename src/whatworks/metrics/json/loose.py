"""JSON read for its content alone: another notation, or another case."""

from __future__ import annotations

import ast
import math
import re
import warnings
from typing import Any

LONGEST = 20_000
"""Characters of an answer beyond which no other notation is looked for."""


_TYPOGRAPHIC = str.maketrans("“”„‟", '"' * 4)
_CONSTANTS = {"true": "True", "false": "False", "null": "None"}
_PIECE = re.compile(
    r"(?P<string>\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+')|//[^\n]*+|/\*[^*]{0,500}\*/"
    r"|(?P<word>[A-Za-z_$][\w$]*+)(?P<colon>\s*:)?"
)


def read_literal(text: str) -> Any:
    """The object or array that a text holds in Python's or JavaScript's notation, commas too many.

    From the first opening bracket to the last closing one; None where there is none.
    """
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    end = max(text.rfind("}"), text.rfind("]")) + 1
    if not starts or end <= min(starts) or end - min(starts) > LONGEST:
        return None
    body = text[min(starts) : end]
    for candidate in (body, _write_as_python(body)):
        try:
            with warnings.catch_warnings(action="ignore"):  # of escapes that Python does not know
                return _read_value(ast.parse(candidate, mode="eval").body)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def _write_as_python(body: str) -> str:
    """JavaScript's notation in Python's: no comments, names as keys in quotes, its constants."""
    if '"' not in body:
        body = body.translate(_TYPOGRAPHIC)

    def rewrite(match: re.Match[str]) -> str:
        if match["string"]:
            return match[0]
        if word := match["word"]:
            return f'"{word}":' if match["colon"] else _CONSTANTS.get(word.casefold(), word)
        return " "

    return _PIECE.sub(rewrite, body)


def _read_value(node: ast.expr) -> Any:
    """The JSON value that is written; nothing is evaluated.

    Raises:
        ValueError: If it is none, or a key stands twice in one object.
    """
    match node:
        case ast.Constant(value=str() | bool() | int() | None as value):
            return value
        case ast.Constant(value=float(value)) if math.isfinite(value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if (
            math.isfinite(value)
        ):
            return -value
        case ast.List(elts=items):
            return [_read_value(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            names = [key.value for key in keys if isinstance(key, ast.Constant)]
            texts = [name for name in names if isinstance(name, str)]
            if len(set(texts)) < len(keys):
                raise ValueError("a key is no text, or stands twice")
            return {name: _read_value(one) for name, one in zip(texts, values, strict=True)}
        case _:
            raise ValueError("no JSON value")


def fold(value: Any) -> Any:
    """A value in which the case and the spaces of texts and of keys are no difference.

    Keys that differ in case alone keep theirs, so that nothing is lost. Another type is another
    value: ``"3"`` is not 3.
    """
    if isinstance(value, dict):
        names = [_fold_text(name) for name in value]
        if len(set(names)) < len(names):
            names = list(value)
        return {name: fold(one) for name, one in zip(names, value.values(), strict=True)}
    if isinstance(value, list):
        return [fold(one) for one in value]
    return _fold_text(value) if isinstance(value, str) else value


def _fold_text(value: str) -> str:
    return " ".join(value.split()).casefold()
