"""The rules of a race: who leaves, who is asked next, who is opened; and what it is worth."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from whatworks.analysis.race.board import Board, Drop, Entry, order_rows
from whatworks.analysis.race.gaps import Gap, measure_gap
from whatworks.analysis.race.rules import (
    Ask,
    decide,
    describe_drop,
    find_contenders,
    find_finalists,
    find_leader,
    is_hopeless,
    measure_seed_variance,
)

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import race_world as world
import regret

ROWS = [f"r{i}" for i in range(60)]


def gap_of(differences: list[float], size: int = 1) -> Gap:
    """A gap of groups of one row each that differ by these."""
    return Gap(np.array(differences) * size, np.full(len(differences), size), size)


def run(board: Board, answers: Mapping[tuple[str, int], str]) -> tuple[Board, list[Ask | Drop]]:
    """Race with known answers, a digit a row in the order of the race."""
    moves: list[Ask | Drop] = []
    while (move := decide(board)) is not None:
        moves.append(move)
        if isinstance(move, Drop):
            board = board.drop(move)
        else:
            own = dict(zip(board.rows, answers[move.arm, move.seed], strict=True))
            scores = {row: float(own[row]) for row in move.rows}
            board = board.tell(move.arm, move.seed, scores)
    return board, moves


def test_a_limit_that_is_reached_leaves_the_leader_and_what_stays() -> None:
    entries = [Entry("base", bar=True), Entry("good"), Entry("near"), Entry("tuned", 3, late=True)]
    board = Board(entries, ROWS, {}, 10)
    half = {"base": "0" * 30, "good": "1" * 29 + "0", "near": "1" * 28 + "00"}
    for arm, digits in half.items():
        scores = zip(ROWS, map(float, digits), strict=False)
        board = board.tell(arm, 0, dict(scores))
    drops: list[Drop] = []
    while isinstance(move := decide(board, spent=True), Drop):
        drops.append(move)
        board = board.drop(move)
    assert [drop.arm for drop in drops] == ["near", "tuned"]
    assert "30 of 60 dev rows, as the limit of the race was reached, behind good" in drops[0].words
    assert drops[1].words == "not begun: the limit of the race was reached"
    asked: list[Ask] = []
    while isinstance(move := decide(board, spent=True), Ask):
        asked.append(move)
        board = board.tell(move.arm, move.seed, dict.fromkeys(move.rows, 1.0))
    assert {one.arm for one in asked} == {"base", "good"}
    assert sum(len(one.rows) for one in asked) == 60 and decide(board, spent=True) is None


def test_what_knowing_a_gap_is_worth() -> None:
    """The mean of max(0, -gap) over its posterior, drawn."""
    gap = gap_of([1.0] * 12 + [-1.0] * 8 + [0.0] * 20)
    rng = np.random.default_rng(0)
    spread = float(np.sqrt(gap.variance + 0.01))
    drawn = np.maximum(0.0, -rng.normal(gap.mean, spread, 200_000)).mean()
    assert gap.expect_gain(0.01) == pytest.approx(float(drawn), rel=0.02)
    assert gap.expect_gain(0.01) > gap.expect_gain()


def test_an_arm_that_is_dearer_has_to_be_better_by_what_matters() -> None:
    """Equal to the leader on 60 rows: opened where it is as cheap, not where it takes more."""
    entries = [Entry("base", bar=True), Entry("leads"), Entry("equal")]

    def find(tokens: float | None, digits: str = "1" * 55 + "0" * 5) -> tuple[list[str], Board]:
        board = Board(entries, ROWS, {}, 10)
        for arm, own in (("base", "0" * 60), ("leads", digits), ("equal", digits)):
            scores = dict(zip(ROWS, map(float, own), strict=True))
            cost = tokens if arm == "equal" else 80.0 if tokens is not None else None
            board = board.tell(arm, 0, scores, tokens=cost)
        return find_contenders(board, "leads"), board

    assert find(None)[0] == find(80.2)[0] == find(40.0)[0] == ["equal"]
    contenders, board = find(300.0)
    assert contenders == [] and "equal" not in find_finalists(board, "leads")
    assert describe_drop(board, "leads", "equal").words.endswith("and dearer")
    assert "dearer" not in describe_drop(board, "leads", "base").words
    assert "equal" in find(300.0, "0" * 60)[0], "where nothing is right, prices say nothing"


# -- evidence -----------------------------------------------------------------------------------


def test_a_bet_is_the_mixture_of_the_sign_test() -> None:
    """Over wins and losses alone it is a known integral: that of (1 + s)^8 (1 - s)^2 over s."""
    gap = gap_of([1.0] * 8 + [-1.0] * 2 + [0.0] * 20)
    shares = np.linspace(0, 1, 100_001)
    exact = float(np.mean((1 + shares) ** 8 * (1 - shares) ** 2))
    assert gap.bet(0.0) == pytest.approx(exact, rel=0.05)
    assert gap_of([0.0] * 30).bet(0.0) == pytest.approx(1.0)
    assert gap.bet(0.3) < gap.bet(0.0) < gap.bet(-0.3)


def test_looking_after_every_row_costs_nothing() -> None:
    """Of bets where nothing differs at most one in twenty ever makes 20 of 1."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(400):
        drawn = rng.choice([-1.0, 0.0, 1.0], 60)
        hits += any(gap_of(list(drawn[:n])).bet(0.0) >= 20 for n in range(1, 61))
    assert 0 < hits <= 20


def test_a_bound_holds_what_it_should() -> None:
    low, high = gap_of([1.0] * 30 + [0.0] * 30).bound(0.05)
    assert -1 < low < 0.5 < high < 1
    other = gap_of([-1.0] * 30 + [0.0] * 30).bound(0.05)
    assert other == (pytest.approx(-high), pytest.approx(-low))
    assert gap_of([]).bound(0.05) == (-1.0, 1.0)


def test_a_group_counts_once() -> None:
    alone = gap_of([1.0, 0.0, 1.0, 0.0])
    together = gap_of([1.0, 0.0, 1.0, 0.0], size=5)
    assert (alone.rows, together.rows) == (4, 20)
    assert alone.mean == together.mean and alone.bet(0) == pytest.approx(together.bet(0))
    assert alone.variance == pytest.approx(together.variance)
    first = {"a": 1.0, "b": 1.0, "c": 0.0, "d": 1.0}
    second = dict.fromkeys("abcde", 0.0)
    gap = measure_gap(first, second, {"a": "g", "b": "g"})
    assert sorted(gap.totals) == [0.0, 1.0, 2.0] and gap.rows == 4, "e was not answered by both"


def test_what_is_foreseen_is_sure_when_all_is_answered() -> None:
    gap = gap_of([1.0] * 6 + [0.0] * 54)
    assert gap.foresee(60, 0.02) == 0.0 and gap.foresee(60, 0.2) == 1.0
    early = gap_of([1.0] * 2 + [0.0] * 18)
    assert 0.05 < early.foresee(60, 0.02) < 0.5


# -- rules --------------------------------------------------------------------------------------


def board_of(*entries: Entry) -> Board:
    return Board(entries, order_rows(ROWS, {}), {})


def test_an_arm_without_hope_leaves_and_says_on_what() -> None:
    start = board_of(Entry("good"), Entry("bad"), Entry("near"))
    answers = {("good", 0): "1" * 60, ("bad", 0): "0" * 60, ("near", 0): "1" * 54 + "0" * 6}
    board, moves = run(start, answers)
    (drop,) = board.drops.values()
    assert (drop.arm, drop.rows, drop.of, drop.behind, drop.gap) == ("bad", 10, 60, "good", 1.0)
    assert (
        drop.words == f"out after 10 of 60 dev rows, behind good by 100 [{drop.low * 100:.0f}, 100]"
    )
    asked = {arm: sum(len(m.rows) for m in moves if isinstance(m, Ask) and m.arm == arm)
             for arm in ("good", "bad", "near")}  # fmt: skip
    assert asked == {"good": 60, "bad": 10, "near": 60}


def test_all_are_asked_the_same_rows_and_none_twice() -> None:
    start = board_of(Entry("one"), Entry("two"), Entry("three"))
    answers = {(name, 0): "10" * 30 for name in ("one", "two", "three")}
    board, moves = run(start, answers)
    assert not board.drops
    rows = {e.name: [r for m in moves if isinstance(m, Ask) and m.arm == e.name for r in m.rows]
            for e in start.entries}  # fmt: skip
    assert rows["one"] == rows["two"] == rows["three"] == list(start.rows)


def test_arms_that_train_enter_last_with_one_seed_and_the_rest_if_they_may_win() -> None:
    start = board_of(Entry("poor", 3, late=True), Entry("tuned", 3, late=True), Entry("plain"))
    answers = {("plain", 0): "10" * 30}
    answers |= {("poor", seed): "0" * 60 for seed in range(3)}
    answers |= {("tuned", seed): "1" * 50 + "0" * 10 for seed in range(3)}
    board, moves = run(start, answers)
    asks = [move for move in moves if isinstance(move, Ask)]
    assert [move.arm for move in asks[:6]] == ["plain"] * 6
    assert {move.seed for move in asks if move.arm == "poor"} == {0}
    assert {move.seed for move in asks if move.arm == "tuned"} == {0, 1, 2}
    assert "with 1 of 3 seeds" in board.drops["poor"].words


def test_pinned_arms_run_to_the_end_and_are_opened() -> None:
    start = board_of(
        Entry("good"),
        Entry("kept", 2, keep=True),
        Entry("point", 2, shown=True),
        Entry("bar", bar=True),
        Entry("bad"),
    )
    answers = {("good", 0): "1" * 60, ("bar", 0): "0" * 60, ("bad", 0): "0" * 60}
    answers |= {(name, seed): "0" * 60 for name in ("kept", "point") for seed in (0, 1)}
    board, _ = run(start, answers)
    assert [*board.drops] == ["bad"]
    assert set(board.lane("kept").scores) == {0, 1} and set(board.lane("point").scores) == {0}
    assert len(board.lane("bar").means) == 60
    assert find_finalists(board, "good") == ["good", "kept", "point"]


def test_an_oracle_never_leads_and_never_leaves() -> None:
    board = board_of(Entry("gold"), Entry("real"), Entry("bad"))
    for name, score in (("gold", 1.0), ("real", 0.8), ("bad", 0.0)):
        own = {row: float(i < score * 10) for i, row in enumerate(board.rows[:10])}
        board = board.tell(name, 0, own, oracle=name == "gold")
    assert find_leader(board) == "real"
    move = decide(board)
    assert isinstance(move, Drop) and (move.arm, move.behind) == ("bad", "real")
    answers = {("gold", 0): "1" * 60, ("real", 0): "0" * 60}
    board, _ = run(board.drop(move), answers)
    assert [*board.drops] == ["bad"], "gold is far ahead of real, and real does not leave"
    assert find_finalists(board, "real") == ["gold", "real"]


def test_seeds_that_differ_keep_an_arm_in() -> None:
    """Behind by 15 points with one seed of three is no hopeless case where seeds differ by 25."""
    entries = (Entry("calm"), Entry("wild", 3), Entry("other", 3))
    board = board_of(*entries)
    board = board.tell("calm", 0, {row: float(i < 45) for i, row in enumerate(ROWS)})
    board = board.tell("wild", 0, {row: float(i < 36) for i, row in enumerate(ROWS)})
    assert is_hopeless(board, "calm", "wild")
    for seed, right in ((0, 15), (1, 30), (2, 45)):
        own = {row: float(i < right) for i, row in enumerate(ROWS)}
        board = board.tell("other", seed, own)
    assert measure_seed_variance(board, "wild") > 0.05**2 > measure_seed_variance(board, "calm")
    assert not is_hopeless(board, "calm", "wild")
    assert find_contenders(board, "calm") == [], "a chance of 1% is not that of a contender"
    close = board.tell("wild", 0, {row: float(i < 42) for i, row in enumerate(ROWS)})
    assert find_contenders(close, "calm") == ["wild"]


def test_the_same_answers_are_decided_in_the_same_way() -> None:
    start = board_of(Entry("one"), Entry("two", 2, late=True), Entry("three"))
    rng = np.random.default_rng(3)
    answers = {
        (name, seed): "".join(str(int(v)) for v in rng.random(60) < rate)
        for name, rate in (("one", 0.4), ("two", 0.7), ("three", 0.1))
        for seed in (0, 1)
    }
    assert run(start, answers)[1] == run(start, answers)[1]
    whole = replace(start, entries=start.entries[:1])
    assert [type(move) for move in run(whole, answers)[1]] == [Ask] * 6


# -- what it is worth: a short form of benchmarks/race_world.py --------------------------------


@pytest.mark.parametrize(
    ("name", "most", "trainings"),
    [("spread .05 to .95", 30, 9), ("most fail, three do well", 30, 9), (".60 to .85", 50, 12)],
)
def test_a_race_saves_answers_and_loses_nothing(name: str, most: float, trainings: float) -> None:
    shares, trained, lost = [], [], []
    for number in range(25):
        rng, design = np.random.default_rng([1, number]), replace(world.SHAPE, spread=0.03)
        study = world.make_world(world.WORLDS[name], design, rng)
        whole, found = world.run_exhaustively(study), world.race(study)
        assert found.answers <= whole.answers
        shares.append(100 * found.answers / whole.answers)
        trained.append(found.trainings)
        lost.append(study.study.truth[whole.choice] - study.study.truth[found.choice])
    assert np.mean(shares) <= most
    assert np.mean(trained) <= trainings
    assert 100 * np.mean(lost) <= 0.5


def test_a_race_raises_no_false_alarms_and_its_intervals_hold() -> None:
    """Over 200 studies in which no arm differs; benchmarks/race_world.py --null runs thousands."""
    cases = [(rate, s, g) for rate in (0.02, 0.3, 0.9) for s in (1, 3) for g in (1, 4)]
    found = [world.measure_alarms(*case, 17) for case in cases]
    assert 100 * np.mean([one.works for one in found]) <= 5
    assert 100 * np.mean([one.test for one in found]) >= 93, "intervals on test"
    assert 100 * np.mean([one.dev for one in found]) >= 93, "what arms were dropped with"


def test_a_race_over_recorded_studies_chooses_as_well_and_never_asks_more() -> None:
    """A short form of benchmarks/regret.py."""
    tasks = regret.read_tasks()
    found = [regret.measure(task, 2) for task in tasks]
    assert len(tasks) >= 20
    assert max(one["race"].most for one in found) <= 1
    lost = [one["race"].regret - one["exhaustive"].regret for one in found]
    assert np.mean(lost) <= 0.2
    apart = [one for task, one in zip(tasks, found, strict=True) if task.apart]
    near = [[one[name].near for one in apart] for name in ("race", "exhaustive")]
    assert np.mean(near[0]) >= max(0.9, np.mean(near[1]) - 0.01)
    worse = [one["random order"].regret - one["exhaustive"].regret for one in found]
    assert np.mean(worse) > 1, "to choose at random would be seen"
