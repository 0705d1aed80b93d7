"""A made-up world in which what a verdict should say is known. Pure.

Every answer is right or wrong by a probit: an arm's level, the row's difficulty (shared by all
arms), how well the arm suits the row (shared by its seeds), and chance; rows of one group share
half of the second and third. A seed moves its arm's level by a normal draw whose size is such that
the seeds' true rates have the standard deviation asked for; the mean rate over seeds stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np

Scores = dict[tuple[int, str], float]
Rng = np.random.Generator
Array = Any

SUITS = 0.7
"""How far arms differ on a row, against 1 for the rows' difficulty; chance is as large."""


@dataclass(frozen=True)
class Design:
    """What a study looks like.

    Attributes:
        rows: Test rows.
        arms: Arms beside the baseline.
        seeds: Seeds of each arm; the baseline has one.
        base: The baseline's true rate.
        spread: Standard deviation of the seeds' true rates; at most half that of an answer.
        group: Rows of a group.
        unstable: Spread of the last arm's seeds; None for that of the others.
        failing: Probability that a seed of an arm fails.
        dev: Dev rows, by which an arm is chosen before the test rows are seen.
        single: Arms, the first ones, that have one seed without a spread.
    """

    rows: int = 100
    arms: int = 8
    seeds: int = 1
    base: float = 0.3
    spread: float = 0.0
    group: int = 1
    unstable: float | None = None
    failing: float = 0.0
    dev: int = 60
    single: int = 0


@dataclass(frozen=True)
class Draw:
    """A study that was drawn: scores by arm, the baseline's, the groups, the true differences, and
    each arm's mean on dev."""

    arms: dict[str, Scores]
    base: Scores
    groups: dict[str, str]
    truth: dict[str, float]
    dev: dict[str, float]


def draw(design: Design, effects: Sequence[float], rng: Rng) -> Draw:
    """One study.

    Args:
        design: What it looks like.
        effects: True difference of each arm to the baseline.
        rng: Source of the draws.
    """
    rows = design.rows
    labels = np.arange(rows + design.dev) // design.group
    hard = _shared(1.0, labels, design, rng)
    names = [f"arm{i}" for i in range(design.arms)]
    arms: dict[str, Scores] = {}
    dev: dict[str, float] = {}
    for i, (name, effect) in enumerate(zip(names, effects, strict=True)):
        last = i == design.arms - 1 and design.unstable is not None
        spread = design.unstable if last and design.unstable is not None else design.spread
        seeds = 1 if i < design.single else design.seeds
        spread = 0.0 if i < design.single else spread
        right = _answers(design.base + effect, spread, seeds, hard, labels, design, rng)
        right *= rng.random((seeds, 1)) >= design.failing
        arms[name] = scores(right[:, :rows])
        dev[name] = float(right[:, rows:].mean()) if design.dev else 0.0
    base = scores(_answers(design.base, 0.0, 1, hard, labels, design, rng)[:, :rows])
    groups = {f"r{i}": f"g{label}" for i, label in enumerate(labels[:rows])}
    return Draw(arms, base, groups, dict(zip(names, effects, strict=True)), dev)


def begin(study: Draw, rows: int) -> Draw:
    """The study's first rows."""
    names = {f"r{i}" for i in range(rows)}

    def some(own: Scores) -> Scores:
        return {key: value for key, value in own.items() if key[1] in names}

    arms = {name: some(own) for name, own in study.arms.items()}
    return Draw(arms, some(study.base), study.groups, study.truth, study.dev)


def scores(table: Array) -> Scores:
    """A (seeds, rows) table as the package takes it."""
    return {
        (seed, f"r{i}"): value
        for seed, row in enumerate(table.tolist())
        for i, value in enumerate(row)
    }


def _answers(
    rate: float, spread: float, seeds: int, hard: Array, labels: Array, design: Design, rng: Rng
) -> Array:
    moved = _size(rate, spread)
    level = NormalDist().inv_cdf(rate) * math.sqrt(1 + 2 * SUITS**2 + moved**2)
    shift = moved * rng.standard_normal((seeds, 1))
    suits = _shared(SUITS, labels, design, rng)
    chance = SUITS * rng.standard_normal((seeds, len(labels)))
    return (level + shift + hard + suits + chance > 0).astype(float)


def _shared(size: float, labels: Array, design: Design, rng: Rng) -> Array:
    """Normal draws of the rows; those of a group have half the variance in common."""
    own = rng.standard_normal(len(labels))
    if design.group == 1:
        return size * own
    common = rng.standard_normal(int(labels[-1]) + 1)[labels]
    return size * math.sqrt(0.5) * (own + common)


@lru_cache
def _size(rate: float, spread: float) -> float:
    """How far a seed must move the level for its true rates to spread so far; by bisection."""
    if spread == 0:
        return 0.0
    goal = min(spread, 0.5 * math.sqrt(rate * (1 - rate)))
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    own = math.sqrt(1 + 2 * SUITS**2)
    normal = np.vectorize(NormalDist().cdf)
    low, high = 0.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        level = NormalDist().inv_cdf(rate) * math.sqrt(own**2 + middle**2)
        rates = normal((level + middle * points) / own)
        found = math.sqrt(float(weights @ (rates - rate) ** 2))
        low, high = (middle, high) if found < goal else (low, middle)
    return low
