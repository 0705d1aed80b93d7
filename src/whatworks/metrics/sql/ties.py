"""Rows that a query leaves in no order: ties under ORDER BY, and what LIMIT takes of them.

A query that orders by a column with equal values says nothing of the order among those, and with a
LIMIT not even which of them it returns. Such rows count as equally right. To tell, the target is
run once more with its sort keys beside its columns, and without its limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlglot import exp

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Keyed:
    """A query with its sort keys.

    Attributes:
        text: The query in SQLite's dialect, unlimited, its keys behind its columns.
        columns: How many columns the query itself has.
        keys: Positions of the keys among all columns.
        skip: Rows that its OFFSET leaves out.
    """

    text: str
    columns: int
    keys: tuple[int, ...]
    skip: int


def add_keys(query: exp.Expr) -> Keyed | None:
    """A query with its keys; None where it has neither order nor limit, or they cannot be told."""
    order, limit = query.args.get("order"), query.args.get("limit")
    if not order and not limit:
        return None
    skip = _read_number(query.args.get("offset"))
    if skip is None or not isinstance(query, exp.Query) or any(s.is_star for s in query.selects):
        return None
    bare = query.copy()
    outputs = [one.alias_or_name.lower() for one in bare.selects]
    keys: list[int] = []
    added: list[exp.Expr] = []
    for one in order.expressions if order else []:
        key = one.this
        if isinstance(key, exp.Literal) and not key.is_string:
            keys.append(int(key.name) - 1)
        elif isinstance(key, exp.Column) and not key.table and key.name.lower() in outputs:
            keys.append(outputs.index(key.name.lower()))
        elif isinstance(bare, exp.Select) and not bare.args.get("distinct"):
            added.append(key.copy())
            keys.append(len(outputs) + len(added) - 1)
        else:
            return None
    bare.set("limit", None)
    bare.set("offset", None)
    if isinstance(bare, exp.Select):
        for key in added:
            bare.append("expressions", key)
    return Keyed(bare.sql(dialect="sqlite"), len(outputs), tuple(keys), skip)


def _read_number(clause: Any) -> int | None:
    """The number of an OFFSET, 0 without one, None where it is no literal."""
    if clause is None:
        return 0
    value = clause.expression
    literal = isinstance(value, exp.Literal) and not value.is_string and value.name.isdecimal()
    return int(value.name) if literal else None


def agree(answer: Sequence[Row], count: int, keyed: Keyed, whole: Sequence[Row]) -> bool:
    """Whether rows are such as the query might have returned.

    Args:
        answer: The rows, rounded as those of ``whole`` are.
        count: How many rows the query returned.
        keyed: The query.
        whole: What it returns.
    """
    if len(answer) != count:
        return False
    at = 0
    for rows, taken in _split_windows(count, keyed, whole):
        ours = Counter(answer[at : at + taken])
        if ours - Counter(rows):
            return False
        at += taken
    return at == count


def is_cut_within_ties(count: int, keyed: Keyed, whole: Sequence[Row]) -> bool:
    """Whether a limit takes some of a set of tied rows that are not all the same."""
    windows = _split_windows(count, keyed, whole)
    return any(0 < taken < len(rows) and len(set(rows)) > 1 for rows, taken in windows)


def _split_windows(count: int, keyed: Keyed, whole: Sequence[Row]) -> list[tuple[list[Row], int]]:
    """The tied rows, set by set, and how many of each fall within what was returned."""
    windows: list[tuple[list[Row], int]] = []
    start = 0
    for _, tied in groupby(whole, key=lambda row: tuple(row[at] for at in keyed.keys)):
        rows = [row[: keyed.columns] for row in tied]
        stop = start + len(rows)
        taken = min(stop, keyed.skip + count) - max(start, keyed.skip)
        windows.append((rows, max(0, taken)))
        start = stop
    return windows
