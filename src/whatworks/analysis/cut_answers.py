"""Answers cut at their most tokens: an arm with more than a few of them was not measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whatworks.analysis.result_rows import ResultRow
from whatworks.base.phrasing import format_percent

FEW = 0.03
"""Share of cut answers up to which nothing is said."""


def measure_cut_share(rows: Sequence[ResultRow]) -> float | None:
    """Share of answers that were cut, of those whose end is known; None where none is."""
    known = [row for row in rows if row.finish]
    return sum(row.finish == "length" for row in known) / len(known) if known else None


def warn_of_cuts(shares: Mapping[str, float | None]) -> str:
    """A sentence on the arms with more than a few; empty where there is none."""
    many = {arm: share for arm, share in shares.items() if share is not None and share > FEW}
    if not many:
        return ""
    shares_cut = ", ".join(f"{format_percent(share, 0)} of {arm}" for arm, share in many.items())
    return (
        f"Answers were cut at their most tokens: {shares_cut}. What they would have said is not "
        "measured; raise `decoding: {max_tokens: ...}` before reading their scores."
    )
