"""The rules of a race: who leaves, who is asked next, and who is opened on test. Pure.

The race has three parts. First the arms that train nothing answer block after block of dev, all the
same rows, and leave when they are behind. Then those that train enter with one seed each, against
the same answers. What is left has answered all of dev with one seed; further seeds are run only for
the arms that may still be the best, those first whose comparison with the leader is worth most,
until none of them lacks any, or the limit of the race is reached.

An arm leaves when the chance is below 2% that it ends within the smallest effect that matters of
the leader, when all of dev is answered with all seeds (``Gap.foresee``). It is shown with how far
it was behind, and an interval that holds however often one looked (``Gap.bound``).

That rule was chosen among several (betting alone, a paired z, the posterior, successive rejects):
``benchmarks/race_world.py`` says what each of them costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from whatworks.analysis.race.board import Board, Drop, Entry

HOPELESS = 0.02
"""Chance of ending within the smallest effect that matters below which an arm leaves."""
CONTENDER = 0.25
"""Chance of being the one to take from which dev can't tell an arm from the leader."""
LEVEL = 0.025
"""Level of the interval that an arm is dropped with. It is to hold in 95%; half of the rest is for
the leader, who was picked as the best and so looks better than he is."""


@dataclass(frozen=True)
class Ask:
    """Ask an arm some rows of dev with a seed; adapt it first where it is not yet."""

    arm: str
    seed: int
    rows: tuple[str, ...]


Leaves = Callable[[Board, str, str], bool]
"""Whether an arm leaves: (board, leader, arm)."""


def decide(board: Board, leaves: Leaves | None = None, *, spent: bool = False) -> Ask | Drop | None:
    """What is next: ask, or let an arm go; None where the race is over.

    Args:
        board: The race so far.
        leaves: When an arm leaves; ``is_hopeless`` by default.
        spent: Whether the limit of the race is reached. The leader and what stays in any case
            answer the rest of dev then; other arms that have not answered all of it leave.
    """
    if spent:
        return _let_rest_go(board) or _run_first_seeds(board, leaves or is_hopeless)
    return _run_first_seeds(board, leaves or is_hopeless) or _ask_further_seed(board)


def _run_first_seeds(board: Board, leaves: Leaves) -> Ask | Drop | None:
    """A block for the arm that has answered least, once nobody has to leave."""
    whole = len(board.rows)
    asked = {entry.name: len(board.lane(entry.name).means) for entry in board.running}
    late = {entry.name for entry in board.running if entry.late}
    own = [name for name in asked if name not in late]
    if all(asked[name] >= whole for name in own):
        own = [*late] or own
    least = min((asked[name] for name in own), default=whole)
    level = least > 0 and all(asked[name] in (least, whole) for name in own)
    if level and (drop := _find_leaver(board, leaves)) is not None:
        return drop
    if least >= whole:
        return None
    name = next(name for name in asked if name in own and asked[name] == least)
    upto = board.rows[: (least // board.block + 1) * board.block]
    known = board.lane(name).means
    return Ask(name, 0, tuple(row for row in upto if row not in known))


def _find_leaver(board: Board, leaves: Leaves) -> Drop | None:
    """The first that leaves; one that has answered all of dev saves nothing by it."""
    best = find_leader(board)
    if best is None:
        return None
    for entry in board.running:
        lane = board.lane(entry.name)
        if entry.stays or entry.name == best or lane.oracle:
            continue
        if not 0 < len(lane.means) < len(board.rows):
            continue
        if leaves(board, best, entry.name):
            return describe_drop(board, best, entry.name)
    return None


def _let_rest_go(board: Board) -> Drop | None:
    best = find_leader(board)
    for entry in board.running:
        lane = board.lane(entry.name)
        if best is None or entry.stays or entry.name == best or lane.oracle:
            continue
        if len(lane.means) < len(board.rows):
            return replace(describe_drop(board, best, entry.name), spent=True)
    return None


def find_leader(board: Board) -> str | None:
    """The best on the rows that all arms in question have answered, the earlier among equals."""
    lanes = {
        entry.name: board.lane(entry.name).means
        for entry in board.running
        if board.lane(entry.name).means and not board.lane(entry.name).oracle
    }
    if not lanes:
        return None
    shared = min(lanes.values(), key=len)
    rows = [row for row in shared if all(row in own for own in lanes.values())]
    return max(lanes, key=lambda name: sum(lanes[name][row] for row in rows))


def is_hopeless(board: Board, leader: str, arm: str) -> bool:
    """Whether an arm hardly ends within the smallest effect that matters."""
    extra = measure_extra(board, leader, arm)
    return board.gap(leader, arm).foresee(len(board.rows), board.min_effect, extra) < HOPELESS


def describe_drop(board: Board, leader: str, arm: str) -> Drop:
    """What an arm is dropped on."""
    gap, lane = board.gap(leader, arm), board.lane(arm)
    low, high = gap.bound(LEVEL)
    seeds, planned = len(lane.scores), board.entry(arm).seeds
    return Drop(
        arm,
        gap.rows,
        len(board.rows),
        leader,
        gap.mean,
        low,
        high,
        seeds,
        planned,
        dearer=board.is_dearer(arm, leader) and _is_near(board, leader, arm),
    )


# -- further seeds ------------------------------------------------------------------------------


def _ask_further_seed(board: Board) -> Ask | None:
    """The next seed of the arm for which it is worth most."""
    for entry in board.running:
        if entry.keep and (ask := _next_seed(board, entry)):
            return ask
    leader = find_favourite(board)
    if leader is None:
        return None
    entries = {entry.name: entry for entry in board.running}
    for name in [leader, *find_contenders(board, leader)]:
        if ask := _next_seed(board, entries[name]):
            return ask
    return None


def _next_seed(board: Board, entry: Entry) -> Ask | None:
    done = board.lane(entry.name).scores
    seed = next(
        (seed for seed in range(entry.seeds) if len(done.get(seed, ())) < len(board.rows)), None
    )
    if seed is None:
        return None
    known = done.get(seed, {})
    return Ask(entry.name, seed, tuple(row for row in board.rows if row not in known))


def find_favourite(board: Board) -> str | None:
    """The best of those that have answered all of dev, oracles apart."""
    scores = {
        entry.name: board.lane(entry.name).score
        for entry in board.running
        if len(board.lane(entry.name).means) == len(board.rows)
        and not board.lane(entry.name).oracle
    }
    return max(scores, key=lambda name: scores[name], default=None)


def find_contenders(board: Board, leader: str) -> list[str]:
    """The arms that may be the one to take in the leader's place, by what knowing it is worth.

    One that is dearer than the leader has to be better by the smallest effect that matters; of the
    others, those within that effect are among them, since the choice takes the cheaper one. Where
    nothing is right, prices say nothing.
    """
    priced = board.lane(leader).score > 0
    worth: dict[str, float] = {}
    for entry in board.running:
        lane = board.lane(entry.name)
        if entry.name == leader or lane.oracle or not lane.means:
            continue
        gap = board.gap(leader, entry.name)
        extra = measure_extra(board, leader, entry.name)
        if priced and board.is_dearer(entry.name, leader):
            near = gap.doubt(-board.min_effect, extra) >= CONTENDER
        else:
            near = _is_near(board, leader, entry.name)
        if near:
            worth[entry.name] = gap.expect_gain(extra)
    return sorted(worth, key=lambda name: -worth[name])


def _is_near(board: Board, leader: str, arm: str) -> bool:
    """Whether dev can't tell an arm from the leader, prices left out."""
    gap, extra = board.gap(leader, arm), measure_extra(board, leader, arm)
    return gap.doubt(0.0, extra) >= CONTENDER or gap.mean < board.min_effect


def find_finalists(board: Board, choice: str | None) -> list[str]:
    """The arms that are opened on test: the choice, those that dev can't tell from the best, those
    that are pinned, and what is shown in any case. The baseline is for whoever knows it.
    """
    best = find_favourite(board)
    near = [best, *find_contenders(board, best)] if best is not None else []
    return [
        entry.name
        for entry in board.running
        if entry.name in (choice, *near)
        or entry.keep
        or entry.shown
        or board.lane(entry.name).oracle
    ]


def measure_extra(board: Board, first: str, second: str) -> float:
    """What the choice of seeds adds to the variance of the gap between two arms."""
    return measure_seed_variance(board, first) + measure_seed_variance(board, second)


def measure_seed_variance(board: Board, arm: str) -> float:
    """What the choice of seeds adds to the variance of an arm's score: 0 where it has one seed."""
    if board.entry(arm).seeds == 1:
        return 0.0
    return board.seed_variance / max(1, len(board.lane(arm).scores))
