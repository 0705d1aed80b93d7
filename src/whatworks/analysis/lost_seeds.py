"""Seeds that failed count against their arm: every answer of theirs is wrong. Pure.

An arm whose training fails now and then is worth less to whoever trains it again. To leave the
failed seeds out would make it look surer than if they had done badly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.score_table import Scores
from whatworks.base.phrasing import format_count


def find_lost_seeds(rows: Iterable[ResultRow]) -> list[int]:
    """The seeds of an arm that failed, where others did not; none where all failed."""
    by_status: dict[str, set[int]] = {"scored": set(), "failed": set()}
    for row in rows:
        by_status[row.status].add(row.seed)
    return sorted(by_status["failed"] - by_status["scored"]) if by_status["scored"] else []


def count_lost(scores: Scores, lost: Sequence[int]) -> Scores:
    """The scores of an arm with 0 for every example of a seed that failed."""
    items = {item for _, item in scores}
    return {**scores, **{(seed, item): 0.0 for seed in lost for item in items}}


def describe_lost(lost: int, seeds: int) -> str:
    """``1 of 3 seeds failed and counts as wrong``; "" where none did."""
    if not lost:
        return ""
    return (
        f"{format_count(lost)} of {format_count(seeds)} seeds failed "
        f"and count{'s' * (lost == 1)} as wrong"
    )
