"""What a study says about a claim: contrasts, needs, tables, and the finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from whatworks.analysis.comparison import Comparison, Estimate, Scores

Answer = Literal["holds", "does not hold", "cannot tell"]


SMALLEST = 0.05
"""Smallest effect of interest, in score, where a claim names no other."""


@dataclass(frozen=True)
class Contrast:
    """Scores less others of the same examples; a positive difference speaks for the claim.

    Attributes:
        what: What is compared, in words: "tuned less few-shot, share right".
        first: ``(seed, example id) -> value`` in [0, 1].
        second: The same of what it is compared with, or a fixed score.
        groups: Example id to group.
        smallest: Smallest difference that matters. Negative where the claim is that nothing is
            lost: then a loss above its size speaks against it.
    """

    what: str
    first: Scores
    second: Scores | float
    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    smallest: float = SMALLEST


@dataclass(frozen=True)
class Need:
    """What the model must be able to do before the claim says anything about it.

    Measured in the same studies. Met when the lower end of the interval reaches ``least``.
    """

    what: str
    level: Estimate
    least: float

    @property
    def met(self) -> bool:
        """Whether the ability is shown."""
        return self.level.low >= self.least


@dataclass(frozen=True)
class Table:
    """Figures beside a finding; cells are texts, ``words`` says that they are no figures."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: bool = False


@dataclass(frozen=True)
class Plot:
    """Lines over ordered steps: name of the line to (step, value) pairs."""

    title: str
    lines: Mapping[str, Sequence[tuple[str, Estimate]]]


@dataclass(frozen=True)
class Sample:
    """One test example with what each arm answered."""

    asked: str
    wanted: str
    answers: tuple[tuple[str, str, str], ...]  # (arm, answer, kind)


@dataclass(frozen=True)
class Evidence:
    """What a claim's function gives: what decides, and what is shown beside it."""

    contrasts: tuple[Contrast, ...] = ()
    needs: tuple[Need, ...] = ()
    missing: str = ""
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    samples: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """One contrast with its corrected interval."""

    what: str
    comparison: Comparison
    smallest: float

    @property
    def shown(self) -> bool:
        """Whether the interval lies beyond the smallest effect."""
        return self.comparison.low > self.smallest

    @property
    def excluded(self) -> bool:
        """Whether the interval excludes the smallest effect."""
        return self.comparison.high < self.smallest


@dataclass(frozen=True)
class ClaimFinding:
    """The answer to one claim on one model."""

    claim: str
    answer: Answer
    reason: str
    measured: tuple[Measured, ...]
    evidence: Evidence

    @property
    def effect(self) -> Measured | None:
        """The contrast that decided: what speaks against the claim, or is open, else the first."""
        against = [one for one in self.measured if one.excluded]
        open_ = [one for one in self.measured if not one.shown]
        return next(iter((*against, *open_, *self.measured)), None)
