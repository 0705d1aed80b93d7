"""Folds of the train rows: parts that share no group, each asked of what was trained on the rest.

Cross-validation as in Stone (1974, Journal of the Royal Statistical Society B 36:111), for arms
that are fitted to train rows, so that the choice may look at these rows as it does for the others.
What is trained on a part of the rows is a little worse than the arm itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from whatworks.data.task import Example

FOLDS = 4
"""Each training sees three quarters of the rows; together they take three times the arm's own."""


def make_folds(rows: Sequence[Example], count: int = FOLDS) -> list[tuple[Example, ...]]:
    """Rows in ``count`` parts of about equal size, a group's rows in one of them.

    Args:
        rows: Train rows.
        count: Parts, at least 2.

    Returns:
        The parts, always the same for the same rows; fewer where there are fewer groups.
    """
    groups: dict[str, list[Example]] = {}
    for row in rows:
        groups.setdefault(row.group or f"\0{row.id}", []).append(row)
    names = sorted(groups)
    random.Random(f"folds {len(rows)}").shuffle(names)
    folds: list[list[Example]] = [[] for _ in range(min(count, len(names)))]
    for name in sorted(names, key=lambda name: -len(groups[name])):  # stable: drawn among equals
        min(folds, key=len).extend(groups[name])
    return [tuple(fold) for fold in folds]


def leave_out_folds(
    rows: Sequence[Example], count: int = FOLDS
) -> Iterator[tuple[tuple[Example, ...], tuple[Example, ...]]]:
    """Each fold after the rows that are not in it; none where all rows are one group."""
    folds = make_folds(rows, count)
    for fold in folds if len(folds) > 1 else []:
        left_out = {row.id for row in fold}
        yield tuple(row for row in rows if row.id not in left_out), fold
