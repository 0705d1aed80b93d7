"""Splits with even targets."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.data.splitting import mix_evenly, split
from whatworks.data.task import Example


def make_rows(counts: dict[str, int], group: int = 1) -> list[Example]:
    targets = [label for label, count in counts.items() for _ in range(count)]
    return [
        Example(id=f"r{i}", inputs={"text": f"row {i}"}, target=label, group=f"{label}{i // group}")
        for i, label in enumerate(targets)
    ]


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 40), min_size=1), st.randoms())
def test_every_beginning_holds_each_stratum_by_its_share(
    counts: dict[str, int], draw: random.Random
) -> None:
    names = [(label, i) for label, count in counts.items() for i in range(count)]
    draw.shuffle(names)
    order = mix_evenly({f"{label}{i}": label for label, i in names})
    assert len(order) == len(set(order)) == len(names)
    total = len(names)
    for end in range(total + 1):
        seen = Counter(name[0] for name in order[:end])
        for label, count in counts.items():
            # Each label alone is off by half a row at most; together they shift the place a little.
            assert abs(seen[label] - count * end / total) <= 0.5 + len(counts) * count / total / 2


@pytest.mark.parametrize("seed", range(5))
def test_a_split_by_strata_is_even_and_reproducible(seed: int) -> None:
    rows = make_rows({"a": 60, "b": 30, "c": 10})
    cut = split(rows, dev=20, test=20, seed=seed, stratify=True)
    for part in (cut.dev, cut.test):
        counts = Counter(row.target for row in part)
        assert (
            abs(counts["a"] - 12) <= 1 and abs(counts["b"] - 6) <= 1 and abs(counts["c"] - 2) <= 1
        )
    again = split(rows[::-1], dev=20, test=20, seed=seed, stratify=True)
    assert {row.id for row in again.test} == {row.id for row in cut.test}
    other = split(rows, dev=20, test=20, seed=seed + 1, stratify=True)
    assert {row.id for row in other.test} != {row.id for row in cut.test}


def test_groups_stay_together_by_strata_too() -> None:
    cut = split(make_rows({"a": 60, "b": 60}, group=5), dev=20, test=20, stratify=True)
    parts = [{row.group for row in part} for part in (cut.train, cut.dev, cut.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert Counter(row.target for row in cut.test) == {"a": 10, "b": 10}


def test_without_strata_nothing_changes() -> None:
    rows = make_rows({"a": 60, "b": 40})
    plain = split(rows, dev=20, test=20)
    assert plain == split(rows, dev=20, test=20, stratify=False)
    distinct = [row.replace(target=row.id) for row in rows]
    assert [row.id for row in split(distinct, dev=20, test=20, stratify=True).test] == [
        row.id for row in plain.test
    ]
