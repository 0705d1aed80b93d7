"""The diagnosis of one arm: its shares, its causes, and both in plain words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from whatworks.analysis.comparison import Estimate
from whatworks.analysis.diagnosis.causes import RowDiagnosis
from whatworks.analysis.diagnosis.probes import Probe
from whatworks.analysis.diagnosis.shares import Shares
from whatworks.base.phrasing import format_count, format_interval, format_points, join_names

TOLD = 2
"""Probes that the first lines of a report tell of, at most: those that changed most."""

_FIRST = {
    "form": "What {arm} lacks is the form of the answers, not {facts}",
    "facts": "What {arm} lacks is {facts}, not the form of the answers",
    "both": "What {arm} lacks is both, the form of the answers and {facts}",
    "neither": "With form and {facts} given, too, {arm} is wrong more often than not",
    "cannot tell": "Whether {arm} lacks the form of the answers or {facts} cannot be told yet",
}


@dataclass(frozen=True)
class CauseCount:
    """How many answers have a cause, how many of them were measured, and some rows."""

    cause: str
    count: int
    told: int
    rows: tuple[RowDiagnosis, ...]


@dataclass(frozen=True)
class ArmDiagnosis:
    """Why an arm fails on dev.

    Attributes:
        arm: The arm.
        asked: Its answers on dev.
        rows: A diagnosis for each wrong one.
        shares: What form and facts explain of the wrong ones that were asked for again; None where
            that was not done.
        skipped: Why not; "" where it was.
        facts: What the facts are called: ``the facts`` where they must be known, ``the right
            passages`` where the prompt shows some, else ``the content``.
        taken: How many answers it took.
        probes: What became of it when one thing was changed.
    """

    arm: str
    asked: int
    rows: tuple[RowDiagnosis, ...] = ()
    shares: Shares | None = None
    skipped: str = ""
    facts: str = "the facts"
    taken: int = 0
    probes: tuple[Probe, ...] = ()

    @property
    def causes(self) -> tuple[CauseCount, ...]:
        """Causes, the most frequent first, those that were measured before the presumed."""
        counts = Counter(row.cause for row in self.rows)
        tallies: list[CauseCount] = []
        for cause, count in counts.most_common():
            own = sorted((r for r in self.rows if r.cause == cause), key=lambda r: not r.told)
            tallies.append(CauseCount(cause, count, sum(r.told for r in own), tuple(own[:3])))
        return tuple(tallies)

    @property
    def headline(self) -> str:
        """The first sentence: what it lacks."""
        if self.shares is None:
            return f"Why {self.arm} fails was not measured: {self.skipped}."
        sentence = _FIRST[self.shares.cause].format(arm=self.arm, facts=self.facts)
        if self.shares.cause in ("form", "facts") and not self.shares.sure:
            sentence = f"Most likely, {sentence[0].lower()}{sentence[1:]}; too few rows to be sure"
        return f"{sentence}{self._describe_shares(self.shares)}."

    @property
    def sentences(self) -> list[str]:
        """The first sentence and the causes, where answers are wrong; what the probes told."""
        told = sorted((p for p in self.probes if p.meaning), key=lambda p: -abs(p.effect.value))
        lines = [f"{self.arm}, {probe.in_words}." for probe in told[:TOLD]]
        if self.rows and self.shares is not None:
            lines.insert(0, f"{self.headline} {describe_causes(self.causes, self.asked)}")
        return lines

    def _describe_shares(self, shares: Shares) -> str:
        parts = [
            f"{name} {_describe(value)}"
            for name, value in (
                ("the form given", shares.form),
                (f"{self.facts} given", shares.facts),
            )
        ]
        return (
            f": of {format_count(shares.n)} wrong answers on dev that were asked for again, "
            f"{join_names(parts)} points"
        )


def describe_causes(causes: Sequence[CauseCount], asked: int) -> str:
    """Causes with their counts, in one sentence."""
    shown = [f"{one.count} {one.cause} ({one.told} measured)" for one in causes[:3]]
    wrong = sum(one.count for one in causes)
    return f"Of {asked} answers {wrong} are wrong: {join_names(shown)}."


def _describe(value: Estimate) -> str:
    """A share; without an interval where that excludes nothing, as with few groups."""
    if value.low <= -1.0 and value.high >= 1.0:
        return f"{format_points(value.value)} (any value is possible)"
    return f"{format_points(value.value)} {format_interval(value.low, value.high)}"
