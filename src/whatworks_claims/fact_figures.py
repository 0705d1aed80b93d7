"""What a model knows, refuses and makes up, with intervals. Pure.

Every figure is a ratio of two sums over answers, so one bootstrap serves all: whole groups are
drawn again, and with several seeds the seeds as well (Efron and Tibshirani 1993; Field and Welsh
2007 for clusters). Intervals hold 95% of the draws.
The figures are those of ``whatworks.metrics.fact_counts``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from whatworks.analysis.comparison import Estimate
from whatworks.analysis.result_rows import ResultRow
from whatworks.data.task import Example
from whatworks.metrics.fact_counts import FIGURES, Pair, is_answerable

DRAWS = 2000
FEW = 5


@dataclass(frozen=True)
class Figure:
    """A figure with its interval and the number of answers that it rests on."""

    estimate: Estimate
    answers: int


def _find_bounds(name: str) -> tuple[float, float]:
    """The least and the most that a figure can be."""
    level = name.removeprefix("score_at_")
    return (-int(level) / (100 - int(level)) if level != name else 0.0, 1.0)


def compute_figures(
    rows: Sequence[ResultRow], examples: Sequence[Example], names: Sequence[str] = tuple(FIGURES)
) -> dict[str, Figure]:
    """Figures of one arm's answers over all its seeds; those without answers are left out.

    Args:
        rows: Scored rows of one arm.
        examples: The examples that they answer; rows of others are left out.
        names: Which figures.
    """
    by_id = {example.id: example for example in examples}
    mine = [row for row in rows if row.status == "scored" and row.example in by_id]
    by_name: dict[str, Figure] = {}
    for name in names:
        pairs = [(row, FIGURES[name](row, is_answerable(by_id[row.example]))) for row in mine]
        counted = [(row, pair) for row, pair in pairs if pair is not None]
        if counted:
            by_name[name] = Figure(estimate_ratio(counted, within=_find_bounds(name)), len(counted))
    return by_name


def estimate_ratio(
    counted: Sequence[tuple[ResultRow, Pair]],
    *,
    within: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
) -> Estimate:
    """Sum of numerators over sum of denominators, with the bootstrap's interval.

    What no answer has shown can't be drawn again. So where fewer than ``FEW`` groups differ from
    the rest the interval reaches at least as far as the rule of three: 3 / n of the groups could
    be unseen and lie at either end of what is possible.

    Args:
        counted: Answers with what each adds to the two sums.
        within: The least and the most that the ratio can be.
        seed: Of the draws.
    """
    import numpy as np

    groups = {name: i for i, name in enumerate(dict.fromkeys(row.group for row, _ in counted))}
    seeds = {number: i for i, number in enumerate(dict.fromkeys(row.seed for row, _ in counted))}
    top, bottom = (np.zeros((len(seeds), len(groups))) for _ in range(2))
    for row, (one, other) in counted:
        top[seeds[row.seed], groups[row.group]] += one
        bottom[seeds[row.seed], groups[row.group]] += other
    value = float(top.sum() / bottom.sum())
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(groups), [1 / len(groups)] * len(groups), DRAWS)
    drawn: Any = rng.multinomial(len(seeds), [1 / len(seeds)] * len(seeds), DRAWS)
    above = np.einsum("ds,sg,dg->d", drawn, top, weights, optimize=True)
    below = np.einsum("ds,sg,dg->d", drawn, bottom, weights, optimize=True)
    ratios = above[below > 0] / below[below > 0]
    low, high = (float(np.quantile(ratios, share)) for share in (0.025, 0.975))
    shares = top.sum(axis=0) / np.maximum(bottom.sum(axis=0), 1e-12)
    _, alike = np.unique(np.round(shares, 9), return_counts=True)
    if len(groups) - int(alike.max()) < FEW:
        unseen, (least, most) = min(1.0, 3 / len(groups)), within
        low = min(low, value - unseen * (value - least))
        high = max(high, value + unseen * (most - value))
    return Estimate(value, min(low, value), max(high, value))
