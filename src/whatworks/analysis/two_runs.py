"""Two runs held against each other: on the rows that both were asked, what changed. Pure.

A row is the same in both when its id and its content are. What one of the runs was not asked is
left out and counted; what it was asked and did not answer is wrong, so that no run gains by losing
rows. Each comparison is paired; several arms are corrected for together (``compare_pairs``).

The gate is the one-sided test of non-inferiority at 5%: the 90% interval of the difference lies
above the fall that is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from whatworks.analysis.comparison import Comparison, compare, compare_pairs, pair_scores
from whatworks.analysis.lost_seeds import find_lost_seeds
from whatworks.analysis.paired_tests import ALPHA, z
from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.score_table import Scores
from whatworks.base.phrasing import format_count, format_interval, format_points
from whatworks.data.task import Counted


@dataclass(frozen=True)
class RunArm:
    """An arm of one run.

    Attributes:
        name: What it is called in messages.
        asked: Test row's id to the key of its content.
        scores: Seed and row to score, of what was answered.
        seeds: The seeds that it was run with, failed ones too.
        failed: Those that failed where others did not.
        groups: Row's id to its group.
    """

    name: str
    asked: Mapping[str, str]
    scores: Scores
    seeds: Sequence[int]
    failed: Sequence[int] = ()
    groups: Mapping[str, str] = field(default_factory=dict[str, str])

    def count_unanswered(self, rows: Iterable[str]) -> int:
        """Answers to these rows that are not there, over all seeds."""
        return sum((seed, row) not in self.scores for seed in self.seeds for row in rows)

    def fill(self, rows: Sequence[str]) -> Scores:
        """The scores on these rows; rows without an answer count as wrong."""
        return {(s, row): self.scores.get((s, row), 0.0) for s in self.seeds for row in rows}


def collect_arm(
    name: str, rows: Sequence[ResultRow], asked: Mapping[str, str], score: Counted
) -> RunArm:
    """An arm from its result rows.

    Args:
        name: What it is called in messages.
        rows: Its rows alone, those of failed seeds too.
        asked: Test row's id to the key of its content.
        score: Which score counts.
    """
    scored = [row for row in rows if row.status == "scored"]
    return RunArm(
        name,
        asked,
        {(r.seed, r.example): r.lenient if score == "lenient" else r.value for r in scored},
        sorted({row.seed for row in rows}),
        find_lost_seeds(rows),
        {row.example: row.group or row.example for row in scored},
    )


@dataclass(frozen=True)
class SharedRows:
    """Which rows two runs have in common.

    Attributes:
        both: Ids of the rows that are the same in both.
        first: How many the first alone has.
        second: How many the second alone has.
        changed: How many have the same id and another content.
    """

    both: tuple[str, ...]
    first: int
    second: int
    changed: int

    @property
    def words(self) -> str:
        """``100 rows that both have; left out: 3 of the first alone, 2 of another content``."""
        parts = [
            f"{format_count(number)} {what}"
            for number, what in (
                (self.first, "that the first alone has"),
                (self.second, "that the second alone has"),
                (self.changed, "of the same id and another content"),
            )
            if number
        ]
        left = f"; left out: {', '.join(parts)}" if parts else ""
        return f"{format_count(len(self.both))} rows that both have{left}"


def find_shared(first: Mapping[str, str], second: Mapping[str, str]) -> SharedRows:
    """The rows that two runs have in common; both map a row's id to the key of its content."""
    named = [row for row in first if row in second]
    both = tuple(row for row in named if first[row] == second[row])
    return SharedRows(
        both, len(first) - len(named), len(second) - len(named), len(named) - len(both)
    )


def compare_runs(pairs: Mapping[str, tuple[RunArm, RunArm]]) -> dict[str, Comparison]:
    """Arms of two runs, each as the second run has it less as the first has it.

    All are corrected for together.

    Args:
        pairs: Name to the arm of the first and of the second run; every arm has a seed.

    Raises:
        ValueError: If a pair has no row in common.
    """
    paired = {
        name: pair_scores(second.fill(both), first.fill(both), {**second.groups, **first.groups})
        for name, (first, second) in pairs.items()
        for both in [find_shared(first.asked, second.asked).both]
    }
    failed = [name for name, arms in pairs.items() if any(arm.failed for arm in arms)]
    return compare_pairs(paired, failed=failed)


@dataclass(frozen=True)
class GateResult:
    """Whether a run is let pass.

    Attributes:
        passed: Whether it is.
        reason: Why, in one line without a full stop.
        new: The arm of the run.
        old: What it was held against.
        margin: The fall that is not allowed, above 0.
        difference: New less old, with a 90% interval; None where nothing could be compared.
        rows: Rows of the old run that both have.
        missing: Rows of the old run that the new one was not asked, or in another form.
        unanswered: Answers of the new run that are missing or failed.
    """

    passed: bool
    reason: str
    new: str
    old: str
    margin: float
    difference: Comparison | None
    rows: int
    missing: int
    unanswered: int


def judge_gate(new: RunArm, old: RunArm, margin: float) -> GateResult:
    """Let a run pass that lost no row and is no worse by ``margin`` or more.

    Args:
        new: The arm that asks to pass.
        old: The arm that it is held against; all its rows count.
        margin: The fall that is not allowed, above 0.
    """
    shared = find_shared(old.asked, new.asked)
    missing = shared.first + shared.changed
    unanswered = new.count_unanswered(shared.both)
    lacking = old.count_unanswered(shared.both)
    difference = None
    if shared.both and new.seeds and old.seeds:
        groups = {**new.groups, **old.groups}
        difference = compare(new.fill(shared.both), old.fill(shared.both), groups, alpha=2 * ALPHA)
    asked = format_count(len(old.asked))
    if difference is None:
        reason = f"{new.name} and {old.name} have no answered row in common"
    elif missing:
        reason = f"{format_count(missing)} of {asked} rows of {old.name} are missing in {new.name}"
    elif unanswered:
        reason = f"{format_count(unanswered)} answers of {new.name} are missing or failed"
    elif lacking:
        reason = f"{format_count(lacking)} answers of {old.name} are missing or failed"
    else:
        return GateResult(
            is_no_worse(difference, margin),
            _describe_fall(difference, margin),
            *(new.name, old.name, margin, difference, len(shared.both), 0, 0),
        )
    return GateResult(
        False, reason, new.name, old.name, margin, difference, len(shared.both), missing, unanswered
    )


def is_no_worse(comparison: Comparison, margin: float) -> bool:
    """Whether a fall by ``margin`` or more is ruled out: the interval lies above it.

    With an interval at 90% (``alpha=0.1``) this is the one-sided test of non-inferiority at 5%.
    """
    return comparison.low > -margin


def _describe_fall(comparison: Comparison, margin: float) -> str:
    allowed = f"{format_points(margin).lstrip('+')} points"
    seen = (
        f"{format_points(comparison.difference)} {format_interval(comparison.low, comparison.high)}"
    )
    if is_no_worse(comparison, margin):
        return f"no worse by {allowed} or more: {seen}"
    least = count_rows_to_pass(margin)
    if comparison.n_groups < least:
        unit = "groups" if comparison.n_groups < comparison.n_items else "rows"
        return (
            f"{format_count(comparison.n_groups)} {unit} cannot rule out a fall by {allowed}, "
            f"which takes {format_count(least)} even if no answer changes: {seen}"
        )
    if comparison.high < 0:
        return f"it is worse: {seen}, and a fall by {allowed} is not allowed"
    return f"a fall by {allowed} is not ruled out: {seen}"


def count_rows_to_pass(margin: float) -> int:
    """Rows from which a run whose answers are all as before passes.

    Without a changed answer the lower end of Tango's interval is -z² / (n + z²).
    """
    square = z(1 - ALPHA) ** 2
    return math.floor(square * (1 - margin) / margin) + 1
