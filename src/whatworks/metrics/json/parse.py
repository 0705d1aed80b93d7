"""One JSON value: read from a text that is one, or found within an answer.

RFC 8259 to the letter: no ``NaN``, no number beyond double range, no key twice in one object.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple, NoReturn

from whatworks.base.phrasing import quote_briefly
from whatworks.metrics.denial import is_denied

MAX_DEPTH = 64
"""Nesting beyond this is malformed: deeper values are loops of a model, not answers."""

_MOST_STARTS = 50
_CORRECTED = re.compile(
    r"\b(?:correct(?:ed|ion)|actually|sorry|wait|final|instead|fixed|updated|revised)\b",
    re.IGNORECASE,
)
"""Words between two values by which the first is taken back."""
_BETWEEN_GUESSES = re.compile(r"[\s,;/]*(?:(?:or|and|oder|und|ou|et|o|y)\b)?\s*", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_NUMBER = re.compile(r"(?<![\w.\"'-])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w\"'])(?!\.\d)")


class MalformedJSON(ValueError):
    """A text is not one JSON value; says why."""


class Parsed(NamedTuple):
    """A JSON value that was read; a wrapper, so that ``null`` differs from nothing."""

    value: Any


def parse(text: str) -> Parsed:
    """Read a text that is one JSON value, with nothing but space around it.

    Raises:
        MalformedJSON: With the reason and, where there is one, the line and column.
    """
    if not text.strip():
        raise MalformedJSON("the answer is empty")
    try:
        parsed = Parsed(_DECODER.decode(text.strip(" \t\r\n")))
    except (ValueError, RecursionError) as error:
        raise MalformedJSON(_describe_error(error)) from None
    if is_too_deep(parsed.value):
        raise MalformedJSON(f"nested deeper than {MAX_DEPTH}")
    return parsed


class _Standing(NamedTuple):
    """A value within a text, and where it stands."""

    parsed: Parsed
    start: int
    end: int


def find(text: str, *, like: Parsed | None = None) -> Parsed | None:
    """The JSON value that an answer gives, with words around it; None where it gives none.

    Objects and arrays are looked for first, of them those of the type of ``like`` ("[1]" before
    an object is a footnote). The first counts, or the one that takes it back ("corrected: ...");
    not one that is denied, nor the first of several guesses that differ, with nothing or "or"
    between. If ``like`` is a scalar: the content of a code fence, or the only text in quotes or
    number.
    """
    values = [one for one in _list_standing(text) if not is_denied(text, one.start, one.end)]
    if like is not None and not isinstance(like.value, dict | list):
        return _find_scalar(text, like) or (values[0].parsed if values else None)
    if like is None:
        return values[0].parsed if values else None
    values = [one for one in values if type(one.parsed.value) is type(like.value)] or values
    return _choose([one for one in values if not _is_footnote(one)] or values, text)


def holds_json(text: str) -> bool:
    """Whether an object or array stands in a text, whatever it is there for."""
    return next(_list_standing(text), None) is not None


def _list_standing(text: str) -> Iterator[_Standing]:
    at = tries = 0
    starts = [i for i, character in enumerate(text) if character in "{["]
    for start in starts:
        if start < at or tries == _MOST_STARTS:
            continue
        tries += 1
        try:
            value, at = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if not is_too_deep(value):
            yield _Standing(Parsed(value), start, at)


def _is_footnote(one: _Standing) -> bool:
    """Whether a value is an array such as ``[1]``."""
    value = one.parsed.value
    return isinstance(value, list) and len(value) == 1 and type(value[0]) is int


def _choose(standing: list[_Standing], text: str) -> Parsed | None:
    """The value that a text means, of several; None where it only guesses."""
    if not standing:
        return None
    chosen = standing[0]
    for one, other in pairwise(standing):
        between = text[one.end : other.start]
        if _CORRECTED.search(between):
            chosen = other
        elif _BETWEEN_GUESSES.fullmatch(between) and one.parsed != other.parsed:
            return None
    return chosen.parsed


def _find_scalar(text: str, like: Parsed) -> Parsed | None:
    for block in text.split("```")[1::2]:
        for body in (block, block.partition("\n")[2]):
            try:
                return parse(body)
            except MalformedJSON:
                continue
    if "{" in text or "[" in text:
        return None
    pattern = _QUOTED if isinstance(like.value, str) else _NUMBER
    if isinstance(like.value, bool | None):
        return None
    matches = {match[0] for match in pattern.finditer(text) if not is_denied(text, *match.span())}
    try:
        return parse(matches.pop()) if len(matches) == 1 else None
    except MalformedJSON:
        return None


def is_too_deep(value: Any) -> bool:
    """Whether a value is nested deeper than ``MAX_DEPTH``."""
    level = [value]
    for _ in range(MAX_DEPTH):
        containers = [one for one in level if isinstance(one, dict | list)]
        level = [v for one in containers for v in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return False
    return True


def _describe_error(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno} column {error.colno}"
    if isinstance(error, RecursionError):
        return f"nested deeper than {MAX_DEPTH}"
    return str(error).split(";")[0]


def _require_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {quote_briefly(twice)} stands twice in one object")
    return read


def _require_finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"the number {quote_briefly(number)} is beyond every range")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_require_unique_keys,
    parse_float=_require_finite,
    parse_constant=_refuse_constant,
)
