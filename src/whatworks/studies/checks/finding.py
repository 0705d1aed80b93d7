"""What a check says: how bad it is, in which rows, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from whatworks.data.task import Example

Level = Literal["fine", "doubt", "spoils"]
"""``spoils``: figures of this study would not mean what they say, or it would not run. ``doubt``:
worth a look. ``fine``: said for information."""
LEVELS: tuple[Level, ...] = get_args(Level)


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
    mend: Mapping[str, Example] = field(default_factory=dict[str, Example])
    detail: Sequence[str] = ()


def grade_share(share: float, limit: float) -> Level:
    """``spoils`` when the share of rows could make a difference that matters, else ``doubt``."""
    if share <= 0:
        return "fine"
    return "spoils" if share >= limit else "doubt"


def format_share(count: int, total: int) -> str:
    """``3 of 120 (2.5%)``."""
    return f"{count} of {total} ({count / total:.1%})" if total else "0 of 0"
