"""What a claim is, and what a measurement says about it. Frozen data and one pure function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from whatworks_claims.evidence import Evidence
from whatworks_claims.outcome import Outcome


@dataclass(frozen=True)
class Claim:
    """A statement of the article as a measurement.

    Attributes:
        id: Short name, e.g. ``form.json``.
        says: The article's statement.
        protocol: What is compared and measured, and when it counts as holding.
        studies: Names of the studies that it reads, in the order of ``find``'s arguments.
        find: Pure function from finished studies to evidence.
        literature: What others measured; for orientation only.
        quick: Those of its studies that a quick run does with; all when empty.
        beside: Studies that are shown where they have results, and decide nothing.
    """

    id: str
    says: str
    protocol: str
    studies: tuple[str, ...]
    find: Callable[[Mapping[str, Outcome]], Evidence]
    literature: str = ""
    quick: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    def reads(self, quick: bool) -> tuple[str, ...]:
        """The studies that it reads in a full or a quick run."""
        return self.quick if quick and self.quick else self.studies
