"""The race of a study: arms on shared blocks of dev, those without hope leaving early.

What is decided is in ``analysis.race``; here the study's arms enter, are adapted and asked. All
answers are kept under their content, so a race that was killed is decided in the same way again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from whatworks.analysis.race.board import Board, Drop, Entry, order_rows
from whatworks.analysis.race.rules import Ask, decide, describe_drop, find_favourite, find_finalists
from whatworks.base.progress import Watcher
from whatworks.data.task import Example
from whatworks.methods.bench.examiner import Answer
from whatworks.models.metering import Budget, Ledger
from whatworks.studies.arm_entries import Arm
from whatworks.studies.baseline import choose_baseline, list_written
from whatworks.studies.decisions import ArmRun, Decision
from whatworks.studies.study_file import StudyFile

BLOCK = 10
"""Rows asked at a time, at least."""
LOOKS = 8
"""Blocks that dev is cut into at most."""


@dataclass(frozen=True)
class RacePlan:
    """How a study races.

    Attributes:
        arms: What enters, in the study's order.
        baseline: The arm that the study file compares with; None where dev decides.
        keep: Arms that are run to the end and opened on test, whatever dev says.
        shown: Points of a learning curve: run to the end with one seed, and opened.
        shots: Arms among which the curve's k-shot is chosen: the best of them is opened.
        limit: What all arms together may take until test is opened; checked after each step.
        by_tokens: Whether the choice takes the arm of fewer tokens among those that tie; otherwise
            it weighs prices by the requests of a month, which a race does not foresee.
    """

    arms: tuple[Arm, ...]
    baseline: str | None = None
    keep: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    shots: frozenset[str] = frozenset()
    limit: Budget | None = None
    by_tokens: bool = True

    @property
    def bars(self) -> list[str]:
        """The arms one of which becomes the baseline."""
        if self.baseline in {arm.name for arm in self.arms}:
            return [self.baseline or ""]
        return list_written(self.arms) or [self.arms[0].name]


def plan_race(file: StudyFile, arms: Sequence[Arm]) -> RacePlan:
    """How a study file's arms race."""
    curve = file.curve
    shots = [arm.name for arm in arms if arm.chain.owns == frozenset({"prompt.demos"})]
    return RacePlan(
        tuple(arms),
        file.baseline,
        frozenset(file.keep),
        frozenset(curve.names) if curve else frozenset(),
        frozenset(shots if curve else ()),
        file.race if isinstance(file.race, Budget) else None,
        by_tokens=file.requests_per_month is None,
    )


class Raced(Protocol):
    """What a race asks of a study."""

    def adapt(self, arm: Arm, seed: int, watcher: Watcher) -> ArmRun:
        """Make an arm's candidate; a failure is noted in the run."""
        ...

    def ask_dev(self, run: ArmRun, rows: Sequence[Example], watcher: Watcher) -> list[Answer]:
        """Ask rows of dev, or all of it where it was asked before; a failure is noted."""
        ...

    def seeds_of(self, arm: Arm) -> range:
        """The seeds that an arm may be run with."""
        ...


@dataclass
class Race:
    """A race that runs, or has ended.

    Attributes:
        plan: How.
        board: As it stands.
        runs: What was run so far, by arm and seed.
    """

    plan: RacePlan
    board: Board
    runs: dict[tuple[str, int], ArmRun] = field(default_factory=dict[tuple[str, int], ArmRun])

    @property
    def spent(self) -> bool:
        """Whether its limit is reached."""
        if self.plan.limit is None:
            return False
        ledger = Ledger()
        for run in self.runs.values():
            ledger.add(run.total)
        return ledger.share(self.plan.limit) >= 1.0

    def left(self, arm: str) -> str:
        """What an arm left on, in words; "" where it is still in."""
        drop = self.board.drops.get(arm)
        return drop.words if drop else ""

    def open(self, decided: Sequence[Decision], choice: str | None) -> dict[str, str]:
        """What each arm that is not opened on test left on.

        Args:
            decided: What was decided on dev.
            choice: The arm that is recommended.
        """
        baseline, _ = choose_baseline(self.plan.baseline, self.plan.arms, decided)
        opened = {baseline, *find_finalists(self.board, choice), *self._find_best_shot()}
        best = find_favourite(self.board)
        left: dict[str, str] = {}
        for arm in self.plan.arms:
            if arm.name in opened or self._has_failed(arm.name):
                continue  # one that failed has a row that says so
            drop = self.board.drops.get(arm.name)
            if drop is not None:
                left[arm.name] = drop.words
            elif best is not None:
                left[arm.name] = describe_drop(self.board, best, arm.name).words
        return left

    def _has_failed(self, arm: str) -> bool:
        """Whether no seed of an arm finished."""
        return all(run.failure for (name, _), run in self.runs.items() if name == arm)

    def _find_best_shot(self) -> list[str]:
        """The k-shot that is furthest and best on dev."""
        lanes = {name: self.board.lane(name) for name in self.plan.shots}
        best = max(lanes, key=lambda n: (len(lanes[n].means), lanes[n].score), default=None)
        return [best] if best else []


def run_race(
    study: Raced, plan: RacePlan, dev: Sequence[Example], min_effect: float, watcher: Watcher
) -> Race:
    """Race the arms of a study on dev."""
    groups = {row.id: row.group or row.id for row in dev}
    order = order_rows([row.id for row in dev], groups)
    entries = [_enter(arm, plan, len(study.seeds_of(arm))) for arm in plan.arms]
    block = max(BLOCK, -(-len(dev) // LOOKS))
    race = Race(plan, Board(entries, order, groups, block, min_effect))
    arms, rows = {arm.name: arm for arm in plan.arms}, {row.id: row for row in dev}
    while (move := decide(race.board, spent=race.spent)) is not None:
        if isinstance(move, Drop):
            race.board = race.board.drop(move)
            watcher.done(move.arm, note=move.words)
        else:
            _follow(study, race, move, arms[move.arm], [rows[row] for row in move.rows], watcher)
    return race


def _enter(arm: Arm, plan: RacePlan, seeds: int) -> Entry:
    return Entry(
        arm.name,
        seeds,
        late=bool(arm.chain.trains),
        bar=arm.name in plan.bars,
        keep=arm.name in plan.keep,
        shown=arm.name in plan.shown,
    )


def _follow(
    study: Raced, race: Race, ask: Ask, arm: Arm, rows: Sequence[Example], watcher: Watcher
) -> None:
    """Ask what is to be asked, and tell the board."""
    run = race.runs.get((ask.arm, ask.seed))
    if run is None:
        run = race.runs[ask.arm, ask.seed] = study.adapt(arm, ask.seed, watcher)
    answers = study.ask_dev(run, rows, watcher) if run.failure is None else []
    scores = {answer.example.id: answer.score.counted for answer in answers}
    if run.failure is not None:  # a seed that fails is wrong everywhere
        scores = dict.fromkeys(race.board.rows, 0.0)
    oracle = run.candidate is not None and run.candidate.prompt.oracle
    tokens = run.dev_tokens if race.plan.by_tokens and run.failure is None else None
    race.board = race.board.tell(ask.arm, ask.seed, scores, oracle=oracle, tokens=tokens)
