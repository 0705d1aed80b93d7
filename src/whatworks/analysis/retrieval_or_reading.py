"""Why an arm with passages scores as it does: is it retrieval, or reading? Pure over rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from whatworks.analysis.result_rows import Row
from whatworks.base.phrasing import percent
from whatworks.metrics.citations import EVIDENCE

NEAR = 0.05
"""Reading within this of reading nothing but the evidence is not held up by the other passages."""


def retrieval_or_reading(
    rows: Mapping[str, Sequence[Row]],
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
    ceiling = _right([row for row in rows.get(gold, ()) if row.status == "scored"])
    said: list[str] = []
    for name, own in rows.items():
        known = [row for row in own if row.status == "scored" and EVIDENCE in row.parts]
        if not known or name in oracles:
            continue
        found = [row for row in known if row.parts[EVIDENCE] >= 1.0]
        missed = [row for row in known if row.parts[EVIDENCE] < 1.0]
        parts = [f"retrieval shows all the evidence in {percent(len(found) / len(known))}"]
        right = _right(found)
        if right is not None:
            parts.append(f"{percent(right)} of those answers are right")
        without = _right(missed)
        if without is not None:
            parts.append(f"{percent(without)} of the others")
        line = f"{name}: {', '.join(parts)}."
        if right is not None and ceiling is not None and name not in trained:
            line += _held_up(gold, ceiling) if right < ceiling - NEAR else ""
        said.append(line)
    return said


def _held_up(gold: str, ceiling: float) -> str:
    return (
        f" {gold}, with nothing but evidence, is right in {percent(ceiling)}: passages beside it "
        "confuse the reader. Fewer may help: {rag: {search: {k: [1, 2, 3]}}}."
    )


def _right(rows: Sequence[Row]) -> float | None:
    return fmean(row.value for row in rows) if rows else None
