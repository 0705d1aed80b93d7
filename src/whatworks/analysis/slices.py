"""Verdicts for parts of the test rows: by customer, language, length, or any column of ``meta``.

An arm that wins on the whole may lose for some. Each arm is compared with the baseline within each
slice; all of these comparisons, over all columns, are corrected for together, since whoever looks
into twenty slices finds one that is lucky. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from whatworks.analysis.comparison import (
    Comparison,
    Estimate,
    compare_pairs,
    estimate_mean,
    pair_scores,
)
from whatworks.analysis.score_table import Scores
from whatworks.analysis.tied_set import take_joint
from whatworks.analysis.verdict import MIN_EFFECT, Verdict, judge
from whatworks.data.task import Example

LENGTH = "length"
"""A column that every row has: its input, by thirds of the words."""
LEAST = 10
"""Rows that a slice has at least; smaller ones are left out and counted."""
MOST = 12
"""Slices of a column; of more, the largest are taken."""


@dataclass(frozen=True)
class SliceArm:
    """An arm within a slice.

    Attributes:
        name: The arm.
        score: Its mean there, with an interval.
        difference: To the baseline there; the interval holds together with all others.
        verdict: What test says of it there.
    """

    name: str
    score: Estimate
    difference: Comparison
    verdict: Verdict


@dataclass(frozen=True)
class Slice:
    """The test rows with one value of a column.

    Attributes:
        column: The column.
        value: Its value as text.
        rows: How many rows.
        baseline: The baseline's score there.
        arms: The others.
    """

    column: str
    value: str
    rows: int
    baseline: Estimate
    arms: tuple[SliceArm, ...] = ()


@dataclass(frozen=True)
class Slices:
    """What came out by slice.

    Attributes:
        slices: In the order of the columns, the largest first.
        notes: What was left out, in sentences.
    """

    slices: tuple[Slice, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def worse(self) -> list[str]:
        """Where an arm is shown to be worse than the baseline: "knn where language is de"."""
        return [
            f"{arm.name} where {one.column} is {one.value}"
            for one in self.slices
            for arm in one.arms
            if arm.difference.high < 0
        ]


def slice_rows(examples: Sequence[Example], column: str) -> dict[str, list[str]]:
    """The rows of each value of a column of ``meta``, the largest first.

    ``length`` is there without a column of that name: short, middle and long inputs, by thirds of
    their words. A list is a row of each of its values.

    Args:
        examples: The test rows.
        column: Name of the column.

    Returns:
        Value as text to ids; empty where no row has the column.
    """
    members: dict[str, list[str]] = {}
    if column == LENGTH and not any(LENGTH in example.meta for example in examples):
        words = sorted(len(example.text.split()) for example in examples)
        third, two_thirds = words[len(words) // 3], words[2 * len(words) // 3]
        for example in examples:
            count = len(example.text.split())
            value = (
                f"under {third} words" if count < third
                else f"{third} to {two_thirds} words" if count <= two_thirds
                else f"over {two_thirds} words"
            )  # fmt: skip
            members.setdefault(value, []).append(example.id)
    else:
        for example in examples:
            if column not in example.meta:
                continue
            values = example.meta[column]
            for value in values if isinstance(values, list | tuple) else [values]:  # pyright: ignore
                members.setdefault(str(value), []).append(example.id)  # pyright: ignore
    return dict(sorted(members.items(), key=lambda item: -len(item[1])))


def judge_slices(
    scores: Mapping[str, Scores],
    baseline: str,
    members: Mapping[str, Mapping[str, Sequence[str]]],
    groups: Mapping[str, str],
    *,
    min_effect: float = MIN_EFFECT,
    failed: Sequence[str] = (),
    look: int = 1,
) -> Slices:
    """Every arm within every slice, corrected for all of them together.

    Args:
        scores: Arm to its scores on test; those without any are left out.
        baseline: The arm that the others are compared with.
        members: Column to value to rows (``slice_rows``).
        groups: Row to its group.
        min_effect: Smallest difference that matters.
        failed: Arms of which a seed failed.
        look: How often there were results to look at.
    """
    kept, notes = _choose_slices(members)
    arms = [name for name, own in scores.items() if own and name != baseline]
    if not arms or not scores.get(baseline):
        return Slices((), (*notes, "no arm can be compared with the baseline"))
    cut = {
        (column, value): {name: _restrict(scores[name], rows) for name in (baseline, *arms)}
        for column, value, rows in kept
    }
    pairs = {
        _name(column, value, name): pair_scores(own[name], own[baseline], groups)
        for (column, value), own in cut.items()
        for name in arms
    }
    lost = [key for key in pairs if any(key.endswith(f"\0{name}") for name in failed)]
    comparisons = compare_pairs(pairs, failed=lost, look=look)
    verdicts = judge(comparisons, min_effect=min_effect)

    def describe(column: str, value: str, name: str) -> SliceArm:
        key = _name(column, value, name)
        joint = take_joint(comparisons[key])
        comparison = replace(comparisons[key], low=joint.low, high=joint.high, alpha=joint.level)
        own = estimate_mean(cut[column, value][name], groups)
        return SliceArm(name, own, comparison, verdicts[key])

    slices = tuple(
        Slice(
            column,
            value,
            len(rows),
            estimate_mean(cut[column, value][baseline], groups),
            tuple(describe(column, value, name) for name in arms),
        )
        for column, value, rows in kept
    )
    return Slices(slices, notes)


def _choose_slices(
    members: Mapping[str, Mapping[str, Sequence[str]]],
) -> tuple[list[tuple[str, str, Sequence[str]]], tuple[str, ...]]:
    """Slices that are large enough, and what is said of the others."""
    kept: list[tuple[str, str, Sequence[str]]] = []
    notes: list[str] = []
    for column, values in members.items():
        if not values:
            notes.append(f"no test row has the column {column!r}")
            continue
        large = [(value, rows) for value, rows in values.items() if len(rows) >= LEAST]
        kept += [(column, value, rows) for value, rows in large[:MOST]]
        if small := len(values) - len(large):
            few = f"{small} value{'s' * (small > 1)} with fewer than {LEAST} rows left out"
            notes.append(f"{column}: {few}")
        if len(large) > MOST:
            notes.append(f"{column}: {len(large) - MOST} smaller values left out")
    return kept, tuple(notes)


def _name(column: str, value: str, arm: str) -> str:
    return f"{column}\0{value}\0{arm}"


def _restrict(scores: Scores, rows: Sequence[str]) -> Scores:
    wanted = frozenset(rows)
    return {(seed, row): value for (seed, row), value in scores.items() if row in wanted}
