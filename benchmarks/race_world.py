"""What a race saves and what it costs where the truth is known: ten arms, five of them trained.

Studies are drawn from ``verdict_world``: rows of shared difficulty, 60 of dev and 100 of test, ten
arms, five of which train with three seeds. Each is run exhaustively and as races by several rules
that differ in when an arm leaves; all else (seeds, choice, who is opened on test) is the same:

- ``race``: what a study does: out without hope of ending within 2 points of the leader;
- ``bet``: out when a bet has made 20 of 1 (betting confidence sequences, a mixture e-value);
- ``z 2.5``: a paired z above 2.5 after each block, which is not made for looking often;
- ``posterior``: a chance below 2.5% to be the better one (Bayesian stopping);
- ``rejects``: successive rejects on shared rows (Audibert, Bubeck and Munos 2010; on paired rows
  Lyu et al. 2026, arXiv 2606.07726): after each block the worst leave, by a schedule;
- ``finalists``: nobody leaves, but only the finalists are opened on test.

Shown for each: answers of dev and test in percent of the exhaustive ones, trainings, points by
which the choice falls short of the best arm beyond what the exhaustive choice does (*regret*, with
its standard error), and how often an arm is dropped whose true rate is the best.

    python benchmarks/race_world.py --studies 1000
    python benchmarks/race_world.py --null --studies 1000     # false alarms and coverage
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from verdict_world import Design, Draw, draw

from whatworks.analysis.comparison import compare_all
from whatworks.analysis.paired_tests import ALPHA
from whatworks.analysis.race import rules
from whatworks.analysis.race.board import SEED_SPREAD, Board, Drop, Entry, order_rows
from whatworks.analysis.verdict import Option, choose, show_decided

DEV, TEST = 60, 100
BASE = 0.5
SHAPE = Design(rows=DEV + TEST, arms=10, seeds=3, base=BASE, single=5, dev=0)
WORLDS: dict[str, list[float]] = {
    "spread .05 to .95": list(np.linspace(0.05, 0.95, 10)),
    "most fail, three do well": [0.03] * 7 + [0.70, 0.75, 0.80],
    ".60 to .85": list(np.linspace(0.60, 0.85, 10)),
    ".70 to .75": list(np.linspace(0.70, 0.75, 10)),
}
SPREADS = {"SD 0": 0.0, "SD 7": 0.07}


@dataclass(frozen=True)
class Outcome:
    """What a policy made of a study."""

    choice: str
    answers: int
    trainings: int
    board: Board | None = None
    opened: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    """A study whose dev and test answers are all known."""

    study: Draw
    entries: tuple[Entry, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]

    def runs(self, name: str) -> int:
        """Seeds of an arm."""
        return next(entry.seeds for entry in self.entries if entry.name == name)

    def score(self, name: str, rows: Sequence[str], seeds: Sequence[int]) -> float:
        """Mean over rows and seeds."""
        own = self.study.arms[name]
        return float(np.mean([own[seed, row] for seed in seeds for row in rows]))


def make_world(levels: Sequence[float], design: Design, rng: np.random.Generator) -> World:
    """A study of arms at these levels, in random order; the first is the baseline."""
    effects = [float(level) - design.base for level in rng.permutation(levels)]
    study = draw(design, effects, rng)
    entries = tuple(
        Entry(f"arm{i}", 1, bar=i == 0)
        if i < design.single
        else Entry(f"arm{i}", design.seeds, late=True)
        for i in range(design.arms)
    )
    names = [f"r{i}" for i in range(design.rows)]
    return World(study, entries, tuple(names[:DEV]), tuple(names[DEV:]))


def run_exhaustively(world: World) -> Outcome:
    """Every arm, every seed, every row."""
    scores = {e.name: world.score(e.name, world.dev, range(e.seeds)) for e in world.entries}
    runs = sum(entry.seeds for entry in world.entries)
    answers = runs * (len(world.dev) + len(world.test))
    return Outcome(_choose(world, scores), answers, sum(e.seeds for e in world.entries if e.late))


def _choose(world: World, scores: Mapping[str, float]) -> str:
    late = {entry.name for entry in world.entries if entry.late}
    options = [Option(name, score, trained=name in late) for name, score in scores.items()]
    return choose(options) or world.entries[0].name


def race(world: World, leaves: rules.Leaves | None = None) -> Outcome:
    """A race by the rules that a study goes by."""
    groups = world.study.groups
    board = Board(world.entries, order_rows(world.dev, groups), groups)
    asked = 0
    while (move := rules.decide(board, leaves)) is not None:
        if isinstance(move, Drop):
            board = board.drop(move)
            continue
        own = world.study.arms[move.arm]
        asked += len(move.rows)
        board = board.tell(move.arm, move.seed, {row: own[move.seed, row] for row in move.rows})
    return _finish(world, board, asked)


def _finish(world: World, board: Board, asked: int) -> Outcome:
    scores = {entry.name: board.lane(entry.name).score for entry in board.running}
    choice = _choose(world, scores)
    opened = {world.entries[0].name, *rules.find_finalists(board, choice)}
    tested = sum(len(board.lane(name).scores) for name in opened) * len(world.test)
    late = [entry.name for entry in world.entries if entry.late]
    trainings = sum(len(board.lane(name).scores) for name in late)
    return Outcome(choice, asked + tested, trainings, board, tuple(sorted(opened)))


def is_behind_by_bet(board: Board, leader: str, arm: str) -> bool:
    """A bet that made 20 of 1; with one seed of several, by more than a seed may move it."""
    margin = SEED_SPREAD if len(board.lane(arm).scores) < board.entry(arm).seeds else 0.0
    return board.gap(leader, arm).bet(margin) >= 20


def is_behind_by_z(board: Board, leader: str, arm: str) -> bool:
    """A paired z above 2.5."""
    gap = board.gap(leader, arm)
    return gap.mean > 2.5 * gap.variance**0.5


def is_unlikely(board: Board, leader: str, arm: str) -> bool:
    """A posterior chance below 2.5% to be the better one."""
    extra = rules.measure_extra(board, leader, arm)
    return board.gap(leader, arm).doubt(0.0, extra) < 0.025


def is_rejected(board: Board, leader: str, arm: str) -> bool:
    """The worst of those that run leave, so that after each block a sixth fewer are there."""
    done = min(len(board.lane(e.name).means) for e in board.running if board.lane(e.name).means)
    blocks = len(board.rows) // board.block
    late = next(e.late for e in board.entries if e.name == arm)
    own = [e for e in board.running if e.late == late]
    entered = sum(e.late == late for e in board.entries)
    allowed = max(1, round(entered * (1 - done // board.block / blocks)))
    worst = min(own, key=lambda e: board.lane(e.name).score)
    del leader
    return len(own) > allowed and worst.name == arm


def never(board: Board, leader: str, arm: str) -> bool:
    """Nobody leaves."""
    del board, leader, arm
    return False


POLICIES: dict[str, Callable[[World], Outcome]] = {
    "race": race,
    "bet": partial(race, leaves=is_behind_by_bet),
    "z 2.5": partial(race, leaves=is_behind_by_z),
    "posterior": partial(race, leaves=is_unlikely),
    "rejects": partial(race, leaves=is_rejected),
    "finalists": partial(race, leaves=never),
}


def compare_policies(
    case: tuple[str, str], studies: int, policies: Sequence[str], seed: int = 0
) -> list[str]:
    """The lines of a world's table."""
    name, spread = case
    design = replace(SHAPE, spread=SPREADS[spread])
    lost: dict[str, list[float]] = {policy: [] for policy in policies}
    cost: dict[str, list[tuple[float, float, float, float]]] = {policy: [] for policy in policies}
    whole: list[float] = []
    for number in range(studies):
        world = make_world(WORLDS[name], design, np.random.default_rng([seed, number]))
        truth = world.study.truth
        best = max(truth.values())
        all_of_it = run_exhaustively(world)
        whole.append(100 * (best - truth[all_of_it.choice]))
        for policy in policies:
            found = POLICIES[policy](world)
            lost[policy].append(100 * (best - truth[found.choice]) - whole[-1])
            assert found.board is not None
            gone = any(truth[arm] == best for arm in found.board.drops)
            share = 100 * found.answers / all_of_it.answers
            cost[policy].append((share, found.trainings, len(found.opened), 100.0 * gone))
    lines = [f"{name}, seeds' {spread}: exhaustive falls short by {np.mean(whole):.2f} points"]
    for policy in policies:
        share, trainings, opened, gone = np.mean(cost[policy], axis=0)
        most = max(one[0] for one in cost[policy])
        extra, error = np.mean(lost[policy]), np.std(lost[policy]) / studies**0.5
        lines.append(
            f"  {policy:<11}{share:8.1f}{most:8.1f}{trainings:11.1f}{opened:8.1f}"
            f"{extra:+9.2f} ± {error:.2f}{gone:8.1f}"
        )
    return lines


# -- false alarms -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alarms:
    """Of null studies: whether any arm works, intervals that hold 0, and how many there are."""

    works: float
    test: float
    dev: float


def measure_alarms(
    rate: float, seeds: int, group: int, studies: int, spread: float = 0.03, seed: int = 0
) -> Alarms:
    """Races in which no arm differs: alarms on test, and coverage on test and dev."""
    design = replace(SHAPE, base=rate, seeds=seeds, group=group, spread=spread * (seeds > 1))
    works: list[bool] = []
    test: list[bool] = []
    dev: list[bool] = []
    for number in range(studies):
        world = make_world([rate] * design.arms, design, np.random.default_rng([seed, 9, number]))
        found = race(world)
        assert found.board is not None
        dev += [drop.low <= 0 <= drop.high for drop in found.board.drops.values()]
        base, *others = found.opened  # arm0 is the baseline
        keep = set(world.test)
        scores = {
            name: {
                (s, row): world.study.arms[name][s, row]
                for s in found.board.lane(name).scores
                for row in keep
            }
            for name in found.opened
        }
        arms = {name: scores[name] for name in others}
        first = found.choice if found.choice in arms else ""
        said = compare_all(arms, scores[base], world.study.groups, first=first)
        joint = [(one.difference, one.joint) for one in said.values()]
        works.append(any(gain > 0 and own is not None and own.p < ALPHA for gain, own in joint))
        shown = [show_decided(one) for one in said.values()]
        test += [one.low <= 0 <= one.high for one in shown]
    return Alarms(float(np.mean(works)), _mean(test), _mean(dev))


def _mean(values: Sequence[bool]) -> float:
    return float(np.mean(values)) if values else 1.0


def _name_null(case: tuple[float, int, int]) -> str:
    rate, seeds, group = case
    return f"rate {rate}, {seeds} seed{'s' * (seeds > 1)}, groups of {group}"


def _alarm_line(case: tuple[float, int, int], studies: int) -> str:
    found, name = measure_alarms(*case, studies), _name_null(case)
    return f"{name:<34}{100 * found.works:8.1f}{100 * found.test:8.1f}{100 * found.dev:8.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--policies", nargs="*", default=list(POLICIES))
    parser.add_argument("--only", default="", help="worlds whose name holds this")
    parser.add_argument("--null", action="store_true", help="studies in which no arm differs")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    began = time.monotonic()
    with ProcessPoolExecutor(args.processes) as pool:
        if args.null:
            print(f"{'':<34}{'alarm':>8}{'test':>8}{'dev':>8}")
            nulls = [(rate, s, g) for rate in (0.02, 0.3, 0.9) for s in (1, 3) for g in (1, 4)]
            nulls = [case for case in nulls if args.only in _name_null(case)]
            for line in pool.map(partial(_alarm_line, studies=args.studies), nulls):
                print(line, flush=True)
        else:
            heads = ("answers", "most", "trainings", "opened", "regret", "lost")
            print(f"{'':<13}" + "".join(f"{head:>9}" for head in heads))
            cases = [(w, s) for w in WORLDS for s in SPREADS if args.only in f"{w}, {s}"]
            work = partial(compare_policies, studies=args.studies, policies=args.policies)
            for lines in pool.map(work, cases):
                print(*lines, sep="\n", flush=True)
    print(f"{args.studies} studies of each kind, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
