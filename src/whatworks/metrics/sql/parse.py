"""SQL as a form: is it one query, where is it in an answer, does it order its result.

Imports sqlglot; the ``sql`` metric imports this module when its options are bound.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from whatworks.base.time_limit import OutOfTime, call_within

MAX_LENGTH = 20_000
"""Characters; a longer answer is no query but a loop of a model."""

_FENCE = re.compile(r"```[^\n`]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_START = re.compile(r"\b(?:SELECT|WITH)\b", re.IGNORECASE)
_CLOSING = {'"': '"', "(": ")", "'": "'", "“": "”"}
_OR = re.compile(r"\s*(?:\bor\b:?\s*)?(?=(?:SELECT|WITH)\b)", re.IGNORECASE)
_WRAPPED = re.compile(
    r"\s*(?:EXPLAIN|CREATE|INSERT|REPLACE|UPDATE|DELETE|DROP|ALTER)\b", re.IGNORECASE
)
_MOST_STARTS = 20
_MOST_READ = 10 * MAX_LENGTH
"""Characters that are parsed in search of the query of one answer."""

# It warns of statements that it does not know; here that is an answer like any other.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


class MalformedSQL(ValueError):
    """A text is not one SQL query; says why."""


def read(text: str) -> exp.Expr:
    """Parse a text that is one query in SQLite's dialect, a closing semicolon allowed.

    Raises:
        MalformedSQL: If it is no SQL, another kind of statement, or more than one.
    """
    if len(text) > MAX_LENGTH:
        raise MalformedSQL(f"longer than {MAX_LENGTH} characters")
    try:
        statements = [one for one in sqlglot.parse(text, read="sqlite") if one is not None]
    except SqlglotError as error:
        details: list[dict[str, Any]] = getattr(error, "errors", [])
        where = f" at line {details[0]['line']} column {details[0]['col']}" if details else ""
        raise MalformedSQL(f"no SQL{where}") from None
    except (RecursionError, ValueError, IndexError, KeyError, TypeError, AttributeError):
        raise MalformedSQL("no SQL that could be parsed") from None
    if len(statements) != 1:
        raise MalformedSQL(
            f"{len(statements)} statements instead of one" if statements else "empty"
        )
    query = statements[0]
    if isinstance(query, exp.Values) or (isinstance(query, exp.Query) and query.selects):
        return query
    raise MalformedSQL("not a SELECT query")


def read_within(seconds: float, text: str) -> exp.Expr:
    """``read``, for at most so many seconds: the parser takes its time with nested brackets.

    Raises:
        MalformedSQL: As ``read`` does, and when the time is over.
    """
    try:
        return call_within(seconds, read, text)
    except OutOfTime:
        raise MalformedSQL(f"not parsed in {seconds:g} s") from None


class Found(NamedTuple):
    """A query within an answer, as written and as parsed."""

    text: str
    query: exp.Expr


def find(text: str, seconds: float) -> Found | None:
    """The first query within an answer: in a code fence, or from SELECT or WITH on.

    None where another one follows with nothing or "or" between: then it is one of several guesses.

    Args:
        text: The answer.
        seconds: How long to look.
    """

    def look() -> Found | None:
        left = _MOST_READ
        for body in _list_bodies(text[:MAX_LENGTH]):
            left -= len(body)
            if left < 0:
                return None
            try:
                statement = Found(body, read(body))
            except MalformedSQL:
                continue
            return None if _is_guess(text, statement) else statement
        return None

    try:
        return call_within(seconds, look)
    except OutOfTime:
        return None


def _is_guess(text: str, statement: Found) -> bool:
    """Whether a query is followed by another one, with blank lines or an "or" between."""
    behind = text[text.find(statement.text) + len(statement.text) :]
    if not (between := _OR.match(behind)):
        return False
    for end in ("\n\n", "\n", ";"):
        try:
            return read(behind[between.end() :].partition(end)[0]) != statement.query
        except MalformedSQL:
            continue
    return False


def has_order(query: exp.Expr) -> bool:
    """Whether the result comes in an order that the query asks for."""
    return bool(query.args.get("order"))


def _list_bodies(text: str) -> Iterator[str]:
    """Texts that may be a query, each once: most of the ends sought are not there."""
    if _WRAPPED.match(text):  # the query is a part of another statement
        return
    yield from dict.fromkeys(block.strip() for block in _FENCE.findall(text))
    for count, start in enumerate(_START.finditer(text)):
        if count == _MOST_STARTS:
            return
        yield from dict.fromkeys(_list_ends(text, start.start()))


def _list_ends(text: str, start: int) -> Iterator[str]:
    rest = text[start:]
    yield from (rest, rest.partition(";")[0], rest.partition("\n\n")[0])
    yield from (rest.partition("\n")[0], rest.partition("`")[0])
    if (mark := text[:start][-1:]) in _CLOSING:
        yield rest.partition(_CLOSING[mark])[0]
        yield rest.rpartition(_CLOSING[mark])[0]
    yield re.split(r"\s+or\s+(?=SELECT|WITH)", rest, maxsplit=1, flags=re.IGNORECASE)[0]
