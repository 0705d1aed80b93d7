"""Why an arm with passages scores as it does: is it retrieval, or reading? Pure over rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from whatworks.analysis.result_rows import ResultRow
from whatworks.base.phrasing import format_percent
from whatworks.metrics.citations import EVIDENCE

NEAR = 0.05
"""Reading within this of reading nothing but the evidence is not held up by the other passages."""


def describe_retrieval(
    rows: Mapping[str, Sequence[ResultRow]],
    *,
    oracles: Sequence[str] = (),
    gold: str = "",
    trained: Sequence[str] = (),
) -> list[str]:
    """A sentence for each arm that retrieves and whose rows say what holds their answer.

    Args:
        rows: Arm to its rows on test.
        oracles: Arms that are shown what only a measurement knows; nothing is said of them.
        gold: The untrained arm that is shown nothing but evidence, if there is one.
        trained: Arms with weights of their own: another reader, to which ``gold`` says nothing.
    """
    ceiling = _measure_right([row for row in rows.get(gold, ()) if row.status == "scored"])
    sentences: list[str] = []
    for name, own in rows.items():
        known = [row for row in own if row.status == "scored" and EVIDENCE in row.parts]
        if not known or name in oracles:
            continue
        shown = [row for row in known if row.parts[EVIDENCE] >= 1.0]
        missed = [row for row in known if row.parts[EVIDENCE] < 1.0]
        parts = [f"retrieval shows all the evidence in {format_percent(len(shown) / len(known))}"]
        right = _measure_right(shown)
        if right is not None:
            parts.append(f"{format_percent(right)} of those answers are right")
        without = _measure_right(missed)
        if without is not None:
            parts.append(f"{format_percent(without)} of the others")
        line = f"{name}: {', '.join(parts)}."
        if right is not None and ceiling is not None and name not in trained:
            line += _describe_ceiling(gold, ceiling) if right < ceiling - NEAR else ""
        sentences.append(line)
    return sentences


def _describe_ceiling(gold: str, ceiling: float) -> str:
    return (
        f" {gold}, with nothing but evidence, is right in {format_percent(ceiling)}: passages "
        "beside it confuse the reader. Fewer may help: {rag: {search: {k: [1, 2, 3]}}}."
    )


def _measure_right(rows: Sequence[ResultRow]) -> float | None:
    return fmean(row.value for row in rows) if rows else None
