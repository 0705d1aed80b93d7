"""The article's claims as measurements: ``whatworks claims``.

A claim is a frozen record: what the article says, a protocol, the studies that it reads, and a
pure function from their rows to evidence; ``rule`` turns evidence into holds / does not hold /
cannot tell, the same way for all. The studies are ordinary ones (``plan``), shared between claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whatworks.base.errors import InputError, suggest_nearest
from whatworks_claims import claims_choosing as choosing
from whatworks_claims import claims_form as form
from whatworks_claims import claims_hallucination as hallucination
from whatworks_claims import claims_retrieval as reading
from whatworks_claims import claims_romeo as romeo
from whatworks_claims import claims_teaching as teaching
from whatworks_claims import claims_writing as writing
from whatworks_claims.claim import Claim
from whatworks_claims.kinds import DataKind
from whatworks_claims.study_plan import Step


def list_claims() -> tuple[Claim, ...]:
    """Every claim, in the article's order."""
    return tuple(claim for module in _list_modules() for claim in module.CLAIMS)


def list_steps() -> dict[str, Step]:
    """Every study that a claim may ask for, by name."""
    return {step.name: step for module in _list_modules() for step in module.STEPS}


def choose_claims(ids: Sequence[str]) -> tuple[Claim, ...]:
    """The claims with these ids, or all; ``form`` means every claim that begins with ``form.``.

    Raises:
        InputError: If there is no such claim.
    """
    known = list_claims()
    for name in ids:
        if not any(one.id == name or one.id.startswith(f"{name}.") for one in known):
            raise InputError(
                f"there is no claim {name!r}",
                remedy=suggest_nearest(name, (one.id for one in known)),
            )
    matching = [
        one
        for one in known
        if not ids or any(one.id == name or one.id.startswith(f"{name}.") for name in ids)
    ]
    return tuple(matching)


def find_steps(
    wanted: Sequence[Claim], quick: bool = False, data: DataKind = "generated"
) -> list[Step]:
    """The studies of these claims and those that they build on, each once, in an order to run."""
    known, ordered = list_steps(), dict[str, Step]()

    def add(name: str) -> None:
        if name not in ordered:
            for before in known[name].after:
                add(before)
            ordered[name] = known[name]

    for claim in wanted:
        for name in claim.reads(quick):
            add(name)
    for name in (name for claim in wanted for name in claim.beside):
        if known[name].data in (None, data):
            add(name)
    return list(ordered.values())


def _list_modules() -> tuple[Any, ...]:
    """The modules that define ``CLAIMS`` and ``STEPS``."""

    return (form, writing, romeo, teaching, hallucination, reading, choosing)
