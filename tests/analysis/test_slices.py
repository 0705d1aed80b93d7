"""Parts of the test rows: which rows, what is told of them, and how rarely by chance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.analysis.slices import LEAST, MOST, judge_slices, slice_rows
from whatworks.data.task import Example

Scores = dict[tuple[int, str], float]


def make_rows(count: int, **columns: list[str]) -> list[Example]:
    return [
        Example(
            id=f"r{i}",
            inputs={"text": "word " * (1 + i % 9)},
            meta={name: values[i % len(values)] for name, values in columns.items()},
        )
        for i in range(count)
    ]


def test_rows_are_taken_by_value_and_lists_count_for_each() -> None:
    rows = make_rows(6, language=["de", "en", "en"])
    assert slice_rows(rows, "language") == {"en": ["r1", "r2", "r4", "r5"], "de": ["r0", "r3"]}
    assert slice_rows(rows, "customer") == {}
    tagged = [Example(id="a", meta={"tag": ["x", "y"]}), Example(id="b", meta={"tag": ["y"]})]
    assert slice_rows(tagged, "tag") == {"y": ["a", "b"], "x": ["a"]}


@given(st.lists(st.integers(1, 200), min_size=1, max_size=60))
def test_length_divides_all_rows_once(words: list[int]) -> None:
    rows = [Example(id=str(i), inputs={"t": "w " * n}) for i, n in enumerate(words)]
    parts = slice_rows(rows, "length")
    assert sorted(i for part in parts.values() for i in part) == sorted(r.id for r in rows)
    assert len(parts) <= 3


def test_a_column_called_length_goes_before_words() -> None:
    assert set(slice_rows(make_rows(4, length=["long", "short"]), "length")) == {"long", "short"}


def test_an_arm_that_loses_for_some_is_shown() -> None:
    rows = make_rows(120, language=["de", "en", "en"])
    language = {row.id: row.meta["language"] for row in rows}
    base: Scores = {(0, row.id): float(i % 2) for i, row in enumerate(rows)}
    arm: Scores = {(0, r.id): float(language[r.id] == "en") for r in rows}
    members = {"language": slice_rows(rows, "language")}
    found = judge_slices({"base": base, "arm": arm}, "base", members, {})
    labels = {one.value: one.arms[0].verdict.label for one in found.slices}
    assert labels == {"en": "works", "de": "does not work"}
    assert found.worse == ["arm where language is de"]
    assert [one.rows for one in found.slices] == [80, 40]
    for one in found.slices:
        (arm_there,) = one.arms
        own = [arm[0, i] for i in members["language"][one.value]]
        assert arm_there.score.value == pytest.approx(sum(own) / len(own))


def test_what_is_left_out_is_counted() -> None:
    rows = make_rows(LEAST * (MOST + 3) + 4, customer=[f"c{i}" for i in range(MOST + 3)])
    rows += [Example(id=f"few{i}", meta={"customer": "few"}) for i in range(LEAST - 1)]
    scores: Scores = {(0, row.id): 1.0 for row in rows}
    members = {"customer": slice_rows(rows, "customer"), "none": slice_rows(rows, "none")}
    found = judge_slices({"base": scores, "arm": scores}, "base", members, {})
    assert len(found.slices) == MOST
    assert found.notes == (
        f"customer: 1 value with fewer than {LEAST} rows left out",
        "customer: 3 smaller values left out",
        "no test row has the column 'none'",
    )


def test_without_a_baseline_nothing_is_said() -> None:
    rows = make_rows(40, language=["de", "en"])
    scores: Scores = {(0, row.id): 1.0 for row in rows}
    members = {"language": slice_rows(rows, "language")}
    found = judge_slices({"base": {}, "arm": scores}, "base", members, {})
    assert found.slices == () and "baseline" in found.notes[-1]


def test_chance_is_rarely_told_as_a_difference_in_any_slice() -> None:
    """Nothing differs: some slice of some arm is told apart in 5% of the studies at most."""
    rng = random.Random(4)
    rows = make_rows(100, language=["de", "en", "fr", "es"], customer=["a", "b", "c"])
    members = {name: slice_rows(rows, name) for name in ("language", "customer")}
    studies, alarms = 120, 0
    for _ in range(studies):
        hard = {row.id: rng.random() for row in rows}
        scores: dict[str, Scores] = {
            name: {(0, i): float(rng.random() < 0.3 + 0.4 * hard[i]) for i in hard}
            for name in ("base", "one", "two")
        }
        found = judge_slices(scores, "base", members, {})
        told = [
            arm for one in found.slices for arm in one.arms
            if arm.difference.low > 0 or arm.difference.high < 0
        ]  # fmt: skip
        alarms += bool(told)
    assert alarms <= 13  # 5% of 120 are 6, and 13 or more come by chance once in 150
