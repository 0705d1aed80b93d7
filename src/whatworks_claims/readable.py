"""Whether a study can tell its arms apart on this model: all at the floor or ceiling, it cannot.

The mean over all arms together says nothing of their differences, so it may be looked at before
them, and material may be chosen by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean

from whatworks.base.phrasing import format_percent
from whatworks_claims.evidence import Evidence
from whatworks_claims.outcome import Outcome

FLOOR, CEILING = 0.05, 0.95


def note_unreadable(evidence: Evidence, outcomes: Mapping[str, Outcome]) -> Evidence:
    """The evidence with a note on each study whose arms together are at the floor or ceiling.

    Evidence with needs measures itself what the model must be able to do, and stays as it is.
    """
    if evidence.needs or evidence.missing:
        return evidence
    notes = tuple(note for name, one in outcomes.items() if (note := _describe_level(name, one)))
    return replace(evidence, notes=(*evidence.notes, *notes))


def _describe_level(name: str, outcome: Outcome) -> str:
    values = [row.value for row in outcome.rows if row.status == "scored"]
    if not values or FLOOR <= fmean(values) <= CEILING:
        return ""
    end = "floor" if fmean(values) < FLOOR else "ceiling"
    return (
        f"All arms of {name} together score {format_percent(fmean(values))}, at the {end}: this "
        "material can hardly tell them apart on this model, whatever is said above."
    )
