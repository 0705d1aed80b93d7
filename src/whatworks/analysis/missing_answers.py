"""Rows of which a system whose answers are given says nothing. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from whatworks.analysis.result_rows import ResultRow

MISSING = "missing"
"""How such a row ends, in ``Generation.finish`` and ``ResultRow.finish``."""
NAMED = 3
"""Rows that are named."""


def describe_missing(lacking: Sequence[str], rows: int, what: str = "rows") -> str:
    """How many rows have no answer, in words.

    Args:
        lacking: Their ids.
        rows: How many rows there are in all.
        what: What they are called.
    """
    named = ", ".join(lacking[:NAMED])
    more = f" and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
    return f"{len(lacking)} of {rows} {what} have no answer and count as wrong: {named}{more}"


def list_missing(rows: Sequence[ResultRow]) -> list[str]:
    """Which arms have no answer to which test rows, a sentence each."""
    lines: list[str] = []
    for arm in dict.fromkeys(row.arm for row in rows):
        own = [row for row in rows if row.arm == arm and row.status == "scored"]
        lacking = list(dict.fromkeys(row.example for row in own if row.finish == MISSING))
        if lacking:
            count = len({row.example for row in own})
            lines.append(f"{arm}: {describe_missing(lacking, count, 'test rows')}.")
    return lines
