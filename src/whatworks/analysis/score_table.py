"""Scores as tables: (seed, example id) to values, as (seeds, N) arrays and group numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Array = Any  # numpy is imported where it is used
Scores = Mapping[tuple[int, str], float]


def list_seeds(scores: Scores) -> list[int]:
    """The seeds that there are, in order."""
    return sorted({seed for seed, _ in scores})


def list_items(scores: Scores, seeds: Sequence[int]) -> list[str]:
    """Examples that every seed answered, sorted."""
    return sorted(i for i in {i for _, i in scores} if all((s, i) in scores for s in seeds))


def fill_table(scores: Scores, seeds: Sequence[int], items: Sequence[str]) -> Array:
    """The scores as (seeds, N).

    Raises:
        ValueError: If a value lies outside [0, 1].
    """
    import numpy as np

    table = np.array([[scores[s, i] for i in items] for s in seeds], dtype=float)
    if not bool(((table >= 0) & (table <= 1)).all()):
        raise ValueError("scores must lie between 0 and 1")
    return table


def list_group_keys(
    items: Sequence[str], groups: Mapping[str, str] | None
) -> list[tuple[bool, str]]:
    """Group of each item; one that ``groups`` does not name is a group of its own."""
    named = groups or {}
    return [(i in named, named.get(i, i)) for i in items]


def number_groups(keys: Sequence[tuple[bool, str]]) -> Array:
    """Group number of each item, numbered in order of first appearance."""
    import numpy as np

    numbers: dict[tuple[bool, str], int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys])


def label_items(items: Sequence[str], groups: Mapping[str, str] | None) -> Array:
    """Group number of each item, those that ``groups`` does not name being groups of their own."""
    return number_groups(list_group_keys(items, groups))
