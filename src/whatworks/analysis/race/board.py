"""The board of a race: who runs, on which rows, and what was answered so far. Pure.

A board never changes: ``tell`` and ``drop`` make another one. What is decided from it
(``rules.decide``) depends on it alone, so a race that is replayed from the same answers is decided
in the same way.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from whatworks.analysis.race.gaps import Gap, measure_gap
from whatworks.base.phrasing import format_points

SEED_SPREAD = 0.05
"""Standard deviation of seeds' true scores before any have been seen."""
PRIOR_SEEDS = 4.0
"""Degrees of freedom that this guess counts for."""


@dataclass(frozen=True)
class Entry:
    """An arm that enters.

    Attributes:
        name: The arm.
        seeds: Seeds that it may be run with; it begins with one.
        late: It begins when the others have answered: it trains.
        bar: It answers all rows of dev: what the others are compared with in the end.
        keep: Pinned: all rows with all seeds, and test.
        shown: All rows with one seed, and test: a point of a curve, or one that is no alternative.
    """

    name: str
    seeds: int = 1
    late: bool = False
    bar: bool = False
    keep: bool = False
    shown: bool = False

    @property
    def stays(self) -> bool:
        """Whether it answers all rows whatever they say."""
        return self.bar or self.keep or self.shown


@dataclass(frozen=True)
class Drop:
    """An arm that left, and what it was dropped on.

    Attributes:
        arm: The arm.
        rows: Rows of dev that it and the leader had answered.
        of: Rows that there are.
        behind: The leader at that time.
        gap: How far it was behind, on the rows that both had answered.
        low: Lower end of an interval that holds however often one looked.
        high: Its upper end.
        seeds: Seeds that it was run with.
        planned: Seeds that it might have had.
        spent: Whether it left because the limit of the race was reached.
        dearer: Whether it would have been opened if it did not take more than the leader.
    """

    arm: str
    rows: int
    of: int
    behind: str
    gap: float
    low: float
    high: float
    seeds: int = 1
    planned: int = 1
    spent: bool = False
    dearer: bool = False

    @property
    def words(self) -> str:
        """``out after 30 of 60 dev rows, behind knn by 41 [28, 52]``."""
        if not self.rows:
            return "not begun: the limit of the race was reached"
        gap, low, high = (format_points(v, 0).lstrip("+") for v in (self.gap, self.low, self.high))
        part = f"out after {self.rows} of {self.of}"
        after = part if self.rows < self.of else f"after all {self.of}"
        seeds = f" with {self.seeds} of {self.planned} seeds" if self.seeds < self.planned else ""
        limit = ", as the limit of the race was reached" if self.spent else ""
        dearer = ", and dearer" if self.dearer and self.rows == self.of else ""
        return (
            f"{after} dev rows{seeds}{limit}, behind {self.behind} by {gap} [{low}, {high}]{dearer}"
        )


@dataclass(frozen=True)
class Lane:
    """What an arm has answered.

    Attributes:
        scores: Seed to row to score.
        oracle: Whether it knows what only a measurement knows.
        tokens: Mean prompt and completion tokens of a request so far; None where prices do not
            decide.
    """

    scores: Mapping[int, Mapping[str, float]] = field(
        default_factory=dict[int, Mapping[str, float]]
    )
    oracle: bool = False
    tokens: float | None = None

    @cached_property
    def means(self) -> Mapping[str, float]:
        """Each row's mean over the seeds that answered it."""
        if len(self.scores) == 1:
            return next(iter(self.scores.values()))
        rows: dict[str, list[float]] = {}
        for own in self.scores.values():
            for row, value in own.items():
                rows.setdefault(row, []).append(value)
        return {row: sum(values) / len(values) for row, values in rows.items()}

    @cached_property
    def score(self) -> float:
        """Mean over its rows; 0 without any."""
        return sum(self.means.values()) / len(self.means) if self.means else 0.0


@dataclass(frozen=True)
class Board:
    """A race as it stands.

    Attributes:
        entries: The arms, in the study's order.
        rows: Rows of dev in the order in which they are asked.
        groups: Row to group.
        block: Rows asked at a time.
        min_effect: Smallest difference that matters.
        lanes: What each arm has answered.
        drops: Those that left.
    """

    entries: Sequence[Entry]
    rows: Sequence[str]
    groups: Mapping[str, str]
    block: int = 10
    min_effect: float = 0.02
    lanes: Mapping[str, Lane] = field(default_factory=dict[str, Lane])
    drops: Mapping[str, Drop] = field(default_factory=dict[str, Drop])

    @cached_property
    def largest(self) -> int:
        """Rows of the largest group."""
        sizes: dict[str, int] = {}
        for row in self.rows:
            group = self.groups.get(row, f"\0{row}")
            sizes[group] = sizes.get(group, 0) + 1
        return max(sizes.values(), default=1)

    @property
    def running(self) -> list[Entry]:
        """The arms that have not left."""
        return [entry for entry in self.entries if entry.name not in self.drops]

    @cached_property
    def seed_variance(self) -> float:
        """Variance of a seed's true score: of all arms together, with what was thought before.

        An inverse chi-square prior (Gelman et al. 2013, Bayesian Data Analysis, section 3.3); the
        variance that rows alone make is taken off, as in ``analysis.seed_spread``.
        """
        square, df = PRIOR_SEEDS * SEED_SPREAD**2, PRIOR_SEEDS
        for lane in self.lanes.values():
            if len(lane.scores) < 2:
                continue
            tables = [list(s.values()) for s in lane.scores.values() if len(s) == len(self.rows)]
            if len(tables) < 2:
                continue
            means = [sum(values) / len(values) for values in tables]
            centre, more = sum(means) / len(means), len(means) - 1
            chance = _measure_chance_of_rows(lane) * more
            square += max(0.0, sum((mean - centre) ** 2 for mean in means) - chance)
            df += more
        return square / df

    def entry(self, name: str) -> Entry:
        """An arm by its name."""
        return next(entry for entry in self.entries if entry.name == name)

    def lane(self, name: str) -> Lane:
        """What an arm has answered."""
        return self.lanes.get(name) or Lane()

    def is_dearer(self, arm: str, other: str) -> bool:
        """Whether the choice takes the other one of two that tie: fewer tokens, then no training.

        False where prices are not known.
        """
        mine, theirs = self.lane(arm).tokens, self.lane(other).tokens
        if mine is None or theirs is None:
            return False
        return (round(mine), self.entry(arm).late) > (round(theirs), self.entry(other).late)

    def tell(
        self,
        arm: str,
        seed: int,
        scores: Mapping[str, float],
        *,
        oracle: bool = False,
        tokens: float | None = None,
    ) -> Board:
        """The board with further answers; an ``oracle`` never leads."""
        lane = self.lane(arm)
        own = {**lane.scores.get(seed, {}), **scores}
        tokens = lane.tokens if tokens is None else tokens
        lane = Lane({**lane.scores, seed: own}, lane.oracle or oracle, tokens)
        return replace(self, lanes={**self.lanes, arm: lane})

    def drop(self, drop: Drop) -> Board:
        """The board without an arm."""
        return replace(self, drops={**self.drops, drop.arm: drop})

    def gap(self, first: str, second: str) -> Gap:
        """How far the second arm is behind the first."""
        ahead, behind = self.lane(first).means, self.lane(second).means
        return measure_gap(ahead, behind, self.groups, self.largest)


def _measure_chance_of_rows(lane: Lane) -> float:
    """Variance of a seed's mean that rows alone make: that of answers around each row's mean."""
    count, square = len(lane.scores), 0.0
    for row, mean in lane.means.items():
        square += sum((own[row] - mean) ** 2 for own in lane.scores.values() if row in own)
    return square / (count - 1) / len(lane.means) ** 2


def order_rows(rows: Sequence[str], groups: Mapping[str, str]) -> list[str]:
    """Rows in the order of a race: shuffled, always alike, a group's rows one after the other."""
    by_group: dict[str, list[str]] = {}
    for row in rows:
        by_group.setdefault(groups.get(row, f"\0{row}"), []).append(row)
    names = sorted(by_group)
    random.Random(f"race {len(rows)}").shuffle(names)
    return [row for name in names for row in by_group[name]]
