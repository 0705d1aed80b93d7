"""What a race loses on recorded studies, and what it takes: replayed from scores in seconds.

``regret_runs.jsonl`` holds exhaustive studies as scores alone (``regret_record.py``). Each is raced
with its dev rows in many orders, by the rules that a study goes by, and against it stand:

- ``exhaustive``: every arm, every seed, every row of dev and test;
- ``race``: as a study does it, the finalists opened on test;
- ``successive halving`` (Jamieson and Talwalkar 2016): one seed of each arm on a quarter of dev,
  the better half on half of it, and so on; those left on all of it;
- ``sequential halving`` (Karnin, Koren and Somekh 2013): halves, with what the race took on dev;
- ``random order``: arms in random order, all seeds on all of dev, for what the race took on dev.

All of them choose by the rule of a study (the cheapest within the smallest effect that matters),
and the last three open the baseline and their choice with one seed each. Answers are all that a
model gives: while an arm is made (prompt searches, checkpoints on dev), on dev and on test. What
was asked of dev in making an arm is not asked again.

Answers are shown in percent of the exhaustive ones: the mean over tasks, the most of one race, and
of all tasks together. *Regret* is how far the choice is behind the best arm on test, in points,
with all seeds. The best on test is best by luck, too: compare with the exhaustive choice.

    python benchmarks/regret.py               # the table over all tasks
    python benchmarks/regret.py --tasks       # each task: the example studies are among them
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from whatworks.analysis.race.board import Board, Drop, Entry, order_rows
from whatworks.analysis.race.rules import decide, find_finalists
from whatworks.analysis.verdict import Option, choose

RUNS = Path(__file__).parent / "regret_runs.jsonl"
WRITTEN = ("zero-shot", "prompt", "long-prompt")
"""Arms that are hand-written prompts: the best of them on dev is the baseline."""
SHOTS = ("few-shot", "balanced", "searched", "knn", "one-shot")
"""Arms of demonstrations alone: the best of them is opened where a study draws a curve."""
BLOCKS = 8


@dataclass(frozen=True)
class Run:
    """One arm with one seed: its scores by row (None where it failed), and what it took."""

    dev: tuple[float, ...] | None
    test: tuple[float, ...] | None
    adapting: int
    known: bool
    samples: int
    tokens: float
    oracle: bool


@dataclass(frozen=True)
class Recorded:
    """A recorded study."""

    name: str
    source: str
    arms: Mapping[str, Sequence[Run]]
    trained: frozenset[str]
    groups: Mapping[str, str]
    curve: frozenset[str]
    min_effect: float
    tests: int

    @property
    def rows(self) -> list[str]:
        """Dev rows."""
        return list(self.groups)

    @cached_property
    def truth(self) -> dict[str, float]:
        """Mean on test over all seeds of the arms that can be used; a failed seed counts 0."""
        return {
            name: float(np.mean([np.mean(run.test) if run.test else 0.0 for run in runs]))
            for name, runs in self.arms.items()
            if not any(run.oracle for run in runs)
        }

    @property
    def apart(self) -> bool:
        """Whether the best is at least 3 points ahead on test."""
        best, second = sorted(self.truth.values(), reverse=True)[:2]
        return best - second >= 0.03

    def scores(self, arm: str, seed: int) -> dict[str, float]:
        """An arm's scores on dev; all wrong where the seed failed."""
        own = self.arms[arm][seed].dev
        return dict(zip(self.rows, own or [0.0] * len(self.rows), strict=True))


def read_tasks(path: Path = RUNS) -> list[Recorded]:
    """The recorded studies."""
    return [_read(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def _read(record: Mapping[str, Any]) -> Recorded:
    arms = {name: [_read_run(run) for run in runs] for name, runs in record["arms"].items()}
    groups = {f"r{i}": group for i, group in enumerate(record["groups"]["dev"])}
    trained = frozenset(n for n, runs in record["arms"].items() if any(r["trained"] for r in runs))
    return Recorded(
        record["task"],
        record["source"],
        arms,
        trained,
        groups,
        frozenset(record["curve"]),
        record["min_effect"],
        len(record["groups"]["test"]),
    )


def _read_run(run: Mapping[str, Any]) -> Run:
    dev, test = (tuple(map(float, run[part])) if part in run else None for part in ("dev", "test"))
    fresh, samples = run["fresh"] > 0, run.get("samples", 1)
    return Run(
        dev,
        test,
        run["adapting"],
        not fresh,
        samples,
        run.get("tokens", 0),
        run.get("oracle", False),
    )


# -- policies -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spent:
    """What a policy chose, and the answers it took on dev (making arms included) and in all."""

    choice: str
    dev: int
    answers: int
    trainings: int
    opened: tuple[str, ...] = ()


class Till:
    """Counts answers; what is known is not paid for."""

    def __init__(self, task: Recorded) -> None:
        self.task, self.answers = task, 0
        self._made: set[tuple[str, int]] = set()

    def make(self, arm: str, seed: int) -> None:
        """Adapt an arm, once."""
        if (arm, seed) not in self._made:
            self._made.add((arm, seed))
            self.answers += self.task.arms[arm][seed].adapting

    def ask(self, arm: str, seed: int, rows: int) -> None:
        """Ask rows of dev."""
        self.make(arm, seed)
        run = self.task.arms[arm][seed]
        self.answers += 0 if run.known or run.dev is None else rows * run.samples

    def open(self, runs: Sequence[tuple[str, int]]) -> int:
        """All answers, with those to test of these runs."""
        asked = [self.task.arms[arm][seed] for arm, seed in runs]
        return self.answers + sum(r.samples * self.task.tests for r in asked if r.test is not None)

    @property
    def trainings(self) -> int:
        """Runs that trained."""
        return sum(arm in self.task.trained for arm, _ in self._made)


def run_exhaustively(task: Recorded, rng: random.Random) -> Spent:
    """Every arm, every seed, every row."""
    del rng
    till = Till(task)
    runs = [(arm, seed) for arm, own in task.arms.items() for seed in range(len(own))]
    for arm, seed in runs:
        till.ask(arm, seed, len(task.rows))
    scores = {arm: _score_dev(task, arm, range(len(own))) for arm, own in task.arms.items()}
    choice = _choose(task, scores)
    return Spent(choice, till.answers, till.open(runs), till.trainings, tuple(task.arms))


def _score_dev(task: Recorded, arm: str, seeds: Sequence[int], rows: int | None = None) -> float:
    return float(np.mean([[*task.scores(arm, seed).values()][:rows] for seed in seeds]))


def _choose(task: Recorded, scores: Mapping[str, float]) -> str:
    options = [
        Option(arm, score, tokens=task.arms[arm][0].tokens, trained=arm in task.trained)
        for arm, score in scores.items()
        if arm in task.truth and any(run.dev for run in task.arms[arm])
    ]
    return choose(options, min_effect=task.min_effect) or next(iter(task.arms))


def race(task: Recorded, rng: random.Random) -> Spent:
    """A race, as a study does it, its dev rows in another order each time."""
    till, groups = Till(task), task.groups
    rows = task.rows
    rng.shuffle(rows)
    order = [rows[int(name[1:])] for name in order_rows([f"r{i}" for i in range(len(rows))], {})]
    order = _keep_groups(order, groups)
    written = [arm for arm in task.arms if arm in WRITTEN] or [next(iter(task.arms))]
    entries = [
        Entry(arm, len(own), arm in task.trained, bar=arm in written, shown=arm in task.curve)
        for arm, own in task.arms.items()
    ]
    block = max(10, -(-len(rows) // BLOCKS))
    board = Board(entries, order, groups, block, task.min_effect)
    while (move := decide(board)) is not None:
        if isinstance(move, Drop):
            board = board.drop(move)
            continue
        run, scores = task.arms[move.arm][move.seed], task.scores(move.arm, move.seed)
        till.ask(move.arm, move.seed, len(move.rows))
        if not (run.known or run.dev is None):
            scores = {row: scores[row] for row in move.rows}
        board = board.tell(move.arm, move.seed, scores, oracle=run.oracle, tokens=run.tokens)
    choice = _choose(task, {entry.name: board.lane(entry.name).score for entry in board.running})
    base = max(written, key=lambda arm: board.lane(arm).score)
    opened = {base, *find_finalists(board, choice)}
    if task.curve:
        shots = [arm for arm in task.arms if arm.partition("@")[0] in SHOTS]
        opened.add(max(shots, key=lambda n: (len(board.lane(n).means), board.lane(n).score)))
    runs = [(arm, seed) for arm in opened for seed in board.lane(arm).scores]
    return Spent(choice, till.answers, till.open(runs), till.trainings, tuple(opened))


def _keep_groups(order: Sequence[str], groups: Mapping[str, str]) -> list[str]:
    """The same order with the rows of a group one after the other."""
    by_group: dict[str, list[str]] = {}
    for row in order:
        by_group.setdefault(groups[row], []).append(row)
    return [row for own in by_group.values() for row in own]


def halve_successively(task: Recorded, rng: random.Random) -> Spent:
    """One seed each, twice the rows for the better half."""
    till, arms = Till(task), list(task.truth)
    order = rng.sample(range(len(task.rows)), len(task.rows))
    rows, done = max(1, len(task.rows) // 4), 0
    while True:
        for arm in arms:
            till.ask(arm, 0, rows - done)
        scores = {arm: _score_some(task, arm, 0, order[:rows]) for arm in arms}
        if rows >= len(task.rows) or len(arms) == 1:
            return _settle(task, till, scores)
        arms = sorted(arms, key=lambda arm: -scores[arm])[: math.ceil(len(arms) / 2)]
        done, rows = rows, min(2 * rows, len(task.rows))


def halve_sequentially(task: Recorded, rng: random.Random, budget: int) -> Spent:
    """Halves with the same number of answers for each round, further seeds when dev is used up."""
    till, arms = Till(task), list(task.truth)
    order = rng.sample(range(len(task.rows)), len(task.rows))
    for arm in arms:
        till.make(arm, 0)
    rounds = max(1, math.ceil(math.log2(len(arms))))
    each, rows = max(0, budget - till.answers) // rounds, 0
    scores = dict.fromkeys(arms, 0.0)
    for _ in range(rounds):
        more = max(1, each // sum(task.arms[arm][0].samples for arm in arms))
        more = min(more, len(task.rows) - rows)
        for arm in arms:
            till.ask(arm, 0, more)
        rows += more
        scores = {arm: _score_some(task, arm, 0, order[:rows]) for arm in arms}
        arms = sorted(arms, key=lambda arm: -scores[arm])[: math.ceil(len(arms) / 2)]
    return _settle(task, till, {arm: scores[arm] for arm in arms})


def run_in_random_order(task: Recorded, rng: random.Random, budget: int) -> Spent:
    """Arm by arm with all seeds on all of dev, until the budget is used up."""
    till, scores = Till(task), dict[str, float]()
    for arm in rng.sample(list(task.truth), len(task.truth)):
        if till.answers >= budget and scores:
            break
        for seed in range(len(task.arms[arm])):
            till.ask(arm, seed, len(task.rows))
        scores[arm] = _score_dev(task, arm, range(len(task.arms[arm])))
    return _settle(task, till, scores)


def _score_some(task: Recorded, arm: str, seed: int, rows: Sequence[int]) -> float:
    own = [*task.scores(arm, seed).values()]
    return float(np.mean([own[row] for row in rows]))


def _settle(task: Recorded, till: Till, scores: Mapping[str, float]) -> Spent:
    choice = _choose(task, scores)
    base = next((arm for arm in task.arms if arm in WRITTEN), next(iter(task.arms)))
    opened = tuple({base, choice})
    answers = till.open([(arm, 0) for arm in opened])
    return Spent(choice, till.answers, answers, till.trainings, opened)


# -- figures ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """Of one task and policy, means over orders: regret in points, answers, shares of 1."""

    regret: float
    near: float
    same: float
    share: float
    most: float
    trainings: float
    answers: float


def measure(task: Recorded, orders: int, seed: int = 0) -> dict[str, Figures]:
    """Every policy on a task."""
    found: dict[str, list[Spent]] = {}
    for number in range(orders):
        raced = race(task, random.Random(f"{seed} {number}"))
        budget = raced.dev
        policies: dict[str, Callable[[random.Random], Spent]] = {
            "exhaustive": lambda rng: run_exhaustively(task, rng),
            "race": lambda _, raced=raced: raced,
            "successive halving": lambda rng: halve_successively(task, rng),
            "sequential halving": lambda rng, b=budget: halve_sequentially(task, rng, b),
            "random order": lambda rng, b=budget: run_in_random_order(task, rng, b),
        }
        for name, policy in policies.items():
            found.setdefault(name, []).append(policy(random.Random(f"{seed} {number} {name}")))
    whole = found["exhaustive"][0]
    best = max(task.truth.values())
    figures: dict[str, Figures] = {}
    for name, spent in found.items():
        regrets = [100 * (best - task.truth[one.choice]) for one in spent]
        shares = [one.answers / whole.answers for one in spent]
        figures[name] = Figures(
            float(np.mean(regrets)),
            float(np.mean([regret <= 1 + 1e-9 for regret in regrets])),
            float(np.mean([one.choice == whole.choice for one in spent])),
            float(np.mean(shares)),
            max(shares),
            float(np.mean([one.trainings for one in spent])),
            float(np.mean([one.answers for one in spent])),
        )
    return figures


def average(figures: Sequence[Figures]) -> Figures:
    """The mean over tasks; ``most`` is the most."""
    names = ("regret", "near", "same", "share", "trainings", "answers")
    means = {name: float(np.mean([getattr(one, name) for one in figures])) for name in names}
    return replace(figures[0], **means, most=max(one.most for one in figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--orders", type=int, default=20, help="orders of dev, each a race")
    parser.add_argument("--tasks", action="store_true", help="a line for each task")
    parser.add_argument("--only", default="", help="tasks whose name holds this")
    args = parser.parse_args()
    began = time.monotonic()
    tasks = [task for task in read_tasks() if args.only in task.name]
    measured = {task.name: measure(task, args.orders) for task in tasks}
    if args.tasks:
        print(f"{'':<24}{'answers':>8}{'most':>7}{'same':>6}{'trainings':>14}{'regret':>14}")
        for task in tasks:
            own, whole = measured[task.name]["race"], measured[task.name]["exhaustive"]
            shares = f"{100 * own.share:8.1f}{100 * own.most:7.1f}{100 * own.same:6.0f}"
            trainings = f"{whole.trainings:8.0f} →{own.trainings:4.1f}"
            print(f"{task.name:<24}{shares}{trainings}{whole.regret:8.1f} →{own.regret:4.1f}")
    sets = {
        "all": tasks,
        "best 3 points ahead": [task for task in tasks if task.apart],
        "made up": [task for task in tasks if task.source == "made up"],
        "examples": [task for task in tasks if task.source == "example"],
        "SmolLM2": [task for task in tasks if task.source == "smollm2"],
    }
    heads = ("answers", "most", "together", "regret", "within 1", "same")
    print(f"{'':<22}" + "".join(f"{head:>10}" for head in heads))
    for title, some in sets.items():
        if not some:
            continue
        print(f"{title}: {len(some)} tasks")
        for policy in measured[some[0].name]:
            one = average([measured[task.name][policy] for task in some])
            whole = average([measured[task.name]["exhaustive"] for task in some])
            shares = (one.share, one.most, one.answers / whole.answers)
            print(
                f"  {policy:<20}{''.join(f'{100 * share:10.1f}' for share in shares)}"
                f"{one.regret:10.2f}{100 * one.near:10.1f}{100 * one.same:10.1f}"
            )
    print(f"{args.orders} orders each, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
