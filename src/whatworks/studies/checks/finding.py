"""What a check says: how bad it is, in which rows, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from whatworks.data.task import Example

Level = Literal["fine", "doubt", "spoils"]
"""``spoils``: figures of this study would not mean what they say, or it would not run. ``doubt``:
worth a look. ``fine``: said for information."""
LEVELS: tuple[Level, ...] = get_args(Level)


class Mend(NamedTuple):
    """A row as it should be, and what was done to it.

    Attributes:
        row: The whole row.
        kind: What is done to rows of this kind: ``targets written anew``.
        how: What was done to this one: ``'lost card'``; "" where there is no more to say.
    """

    row: Example
    kind: str
    how: str = ""


@dataclass(frozen=True)
class CheckFinding:
    """What one check found.

    Attributes:
        check: What was looked at.
        level: How bad it is.
        says: What was found, in a line.
        rows: Ids of the rows in question.
        reason: What is wrong with the first of them, where rows differ in that.
        remedy: What can be done.
        drop: Ids of rows without which the finding would be gone; what ``--fix`` leaves out.
        mend: Rows by id as they should be; what ``--fix`` writes in their place.
        detail: Lines to show below: a histogram, a preview.
    """

    check: str
    level: Level
    says: str
    rows: Sequence[str] = ()
    reason: str = ""
    remedy: str = ""
    drop: Sequence[str] = ()
    mend: Mapping[str, Mend] = field(default_factory=dict[str, Mend])
    detail: Sequence[str] = ()


def find_rows(
    check: str,
    level: Level,
    rows: Sequence[str],
    says: str,
    remedy: str,
    *,
    otherwise: str = "none",
    reason: str = "",
    drop: bool = True,
) -> CheckFinding:
    """A finding about rows, or that there are no such rows.

    Args:
        check: What was looked at.
        level: How bad it is.
        rows: Ids of the rows in question.
        says: What was found of them.
        remedy: What can be done about them.
        otherwise: What is said where there are none.
        reason: What is wrong with the first of them.
        drop: Whether the finding would be gone without them.
    """
    if not rows:
        return CheckFinding(check, level, otherwise)
    left_out = rows if drop else ()
    return CheckFinding(check, level, says, rows, reason=reason, remedy=remedy, drop=left_out)


def grade_share(share: float, limit: float) -> Level:
    """``spoils`` when the share of rows could make a difference that matters, else ``doubt``."""
    if share <= 0:
        return "fine"
    return "spoils" if share >= limit else "doubt"


def format_share(count: int, total: int) -> str:
    """``3 of 120 (2.5%)``."""
    return f"{count} of {total} ({count / total:.1%})" if total else "0 of 0"
