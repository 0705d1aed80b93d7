"""What train rows buy the choice: how far the arm chosen falls short of the best.

Ten arms, some of them trained with three seeds, on 60 dev rows; the others are asked train rows too
(``choose_on: dev+train``). Made-up studies (``verdict_world``); two reference columns that no study
can have: dev alone with as many rows, and every arm on all rows.

    python benchmarks/choice.py [--studies 1000]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from verdict_world import Design, draw

from whatworks.analysis.wider_choice import widen_scores

DEV = 60
ARMS = 10


@dataclass(frozen=True)
class Regret:
    """Mean shortfall in points, and the share of studies within one point of the best."""

    points: float
    near: float

    def __str__(self) -> str:
        return f"{self.points:6.2f}{100 * self.near:5.0f}%"


def measure(
    low: float, high: float, trained: int, train: int, studies: int, seed: int = 0
) -> dict[str, Regret]:
    """Regret of the choice, by what it looks at.

    Args:
        low: Least true rate of an arm.
        high: Largest.
        trained: Arms that are trained and so asked dev alone.
        train: Train rows.
        studies: How many.
        seed: Seed of the draws.
    """
    design = Design(rows=DEV + train, arms=ARMS, seeds=3, base=low, dev=0)
    lost: dict[str, list[float]] = {"dev": [], "dev+train": [], "all rows": []}
    for number in range(studies):
        rng = np.random.default_rng([seed, number])
        rates = rng.uniform(low, high, ARMS)
        study = draw(design, [rate - low for rate in rates], rng)
        means = {
            name: {
                f"r{i}": fmean(own[s, f"r{i}"] for s in range(3 if at < trained else 1))
                for i in range(design.rows)
            }
            for at, (name, own) in enumerate(study.arms.items())
        }
        dev = {name: _cut(own, 0, DEV) for name, own in means.items()}
        further = {n: _cut(o, DEV, design.rows) for n, o in [*means.items()][trained:]}
        for how, scores in (
            ("dev", {name: fmean(own.values()) for name, own in dev.items()}),
            ("dev+train", widen_scores(dev, further)),
            ("all rows", {name: fmean(own.values()) for name, own in means.items()}),
        ):
            best = max(scores, key=lambda name: scores[name])
            lost[how].append(100 * (rates.max() - low - study.truth[best]))
    return {
        how: Regret(fmean(points), fmean(one <= 1 for one in points))
        for how, points in lost.items()
    }


def _cut(own: Mapping[str, float], first: int, last: int) -> dict[str, float]:
    return {row: value for row, value in own.items() if first <= int(row[1:]) < last}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    args = parser.parse_args()
    print(f"{'rates':<12}{'trained':>8}{'train':>7}   dev          dev+train    all rows")
    for low, high in ((0.6, 0.85), (0.7, 0.75), (0.05, 0.95)):
        for trained, train in ((4, 200), (4, 500), (8, 200)):
            found = measure(low, high, trained, train, args.studies)
            figures = "  ".join(map(str, found.values()))
            print(f"{low:.2f} to {high:.2f}{trained:8}{train:7}{figures}", flush=True)


if __name__ == "__main__":
    main()
