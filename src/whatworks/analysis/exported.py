"""What is shipped, judged by itself: an export takes the seed that did best on dev. Pure.

An arm's verdict is about the mean over its seeds: will training again work. The adapter that exists
is one of them, fixed before test was opened, and its test needs nothing of the seeds' spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from whatworks.analysis.comparison import Comparison, compare_all
from whatworks.analysis.score_table import Scores
from whatworks.analysis.verdict import MIN_EFFECT, Verdict, judge, show_decided
from whatworks.base.phrasing import format_interval, format_points


@dataclass(frozen=True)
class Exported:
    """The seed of an arm that an export takes, against the baseline.

    Attributes:
        seed: The seed.
        verdict: What the test says about it, as one of all arms' exports.
        difference: Its comparison.
    """

    seed: int
    verdict: Verdict
    difference: Comparison


def choose_seed(dev_scores: Mapping[int, float | None]) -> int | None:
    """The seed with the highest dev score, the first among equals; None where none has a score."""
    scored = {seed: score for seed, score in dev_scores.items() if score is not None}
    return max(scored, key=lambda seed: (scored[seed], -seed), default=None)


def judge_exported(
    arms: Mapping[str, Scores],
    seeds: Mapping[str, int],
    baseline: Scores,
    groups: Mapping[str, str] | None = None,
    *,
    min_effect: float = MIN_EFFECT,
    first: str = "",
    look: int = 1,
) -> dict[str, Exported]:
    """The exports of the arms with several seeds.

    All arms are corrected for together, those with one seed too: whichever is chosen is shipped.

    Args:
        arms: Name to scores.
        seeds: The seed that is exported, of arms with several.
        baseline: The baseline's scores.
        groups: Example id to group.
        min_effect: Smallest difference that matters.
        first: The arm that was chosen before test was opened.
        look: How often results were looked at.
    """
    if not seeds:
        return {}
    shipped = {
        name: {key: v for key, v in own.items() if name not in seeds or key[0] == seeds[name]}
        for name, own in arms.items()
    }
    comparisons = compare_all(shipped, baseline, groups, first=first, look=look)
    verdicts = judge(comparisons, min_effect=min_effect)
    return {
        name: Exported(seed, verdicts[name], show_decided(comparisons[name], min_effect=min_effect))
        for name, seed in seeds.items()
    }


def describe_export(exported: Exported, again: Verdict, mean: Comparison) -> tuple[str, str]:
    """Two lines: whether this adapter works, and whether training again will.

    Args:
        exported: The export.
        again: The verdict on the mean over seeds.
        mean: Its comparison.
    """
    seed, own = f"seed {exported.seed}, best on dev", _format_gain(exported.difference)
    match exported.verdict.label:
        case "works":
            this = f"This adapter works: {seed} and the one that is exported, {own}."
        case "does not work":
            this = f"This adapter does not work: {seed}, {own}."
        case _:
            this = f"Whether this adapter works cannot be told: {seed}, {own}."
    over = f"{_format_gain(mean)} on average over {mean.n_seeds} seeds"
    match again.label:
        case "works":
            return this, f"Training again will work: {over}."
        case "does not work":
            return this, f"Training again will not work: {over}."
        case _:
            more = f"; it takes {again.more}" if again.more else ""
            return this, f"Whether training again will work cannot be told: {over}{more}."


def _format_gain(comparison: Comparison) -> str:
    interval = format_interval(comparison.low, comparison.high)
    return f"{format_points(comparison.difference)} points {interval}"
