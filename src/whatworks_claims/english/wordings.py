"""Rows drawn from wordings that are filled with names, things and numbers. Pure.

Where a task is what is asked in whatever words (categories), test has wordings of its own. Where it
is what stands in the text (orders, queries, styles), all splits share the wordings, and what they
are filled with is new: a few wordings held out would be too few to tell anything from.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import cycle, islice, zip_longest

from whatworks.data.task import Example, Splits

Sizes = tuple[int, int, int]
"""Rows of train, dev and test."""

TRIES = 200
"""Fillings of a wording that are tried until one is new."""
Write = Callable[[random.Random, int], Example]
"""An example in a wording, given by its number."""


def part_wordings(count: int) -> tuple[list[int], list[int], list[int]]:
    """Numbers of the wordings of train, dev and test: of six, three, one and two."""
    train, dev, test = list[int](), list[int](), list[int]()
    for i in range(count):
        (test if i % 3 == 2 else dev if i % 6 == 4 else train).append(i)
    return train, dev, test


def draw_shared(rng: random.Random, sizes: Sizes, count: int, write: Write) -> Splits:
    """Splits that share ``count`` wordings, which take turns; no text comes twice.

    Raises:
        ValueError: If wordings can't be filled in enough ways.
    """
    numbers, seen = list(range(count)), set[str]()
    rng.shuffle(numbers)
    parts = [_fill(rng, numbers, size, write, seen) for size in sizes]
    bare = [tuple(row.replace(group=None) for row in part) for part in parts]
    return Splits(train=bare[0], dev=bare[1], test=bare[2])


def draw_apart(rng: random.Random, sizes: Sizes, counts: Sequence[int], write: Write) -> Splits:
    """Splits that share no wording; no text comes twice.

    Kinds take turns, and so do the wordings of a kind: each comes as often. Rows of one wording
    are one group: they are not independent.

    Args:
        rng: Draws what wordings are filled with.
        sizes: Rows of train, dev and test.
        counts: How many wordings there are of each kind, the kinds in order; the numbers that
            ``write`` is given count through all of them. At least five of each.
        write: Fills a wording.

    Raises:
        ValueError: If wordings can't be filled in enough ways.
    """
    of_split: tuple[list[list[int]], ...] = ([], [], [])
    at = 0
    for count in counts:
        for kinds, part in zip(of_split, part_wordings(count), strict=True):
            numbers = [at + i for i in part]
            rng.shuffle(numbers)
            kinds.append(numbers)
        at += count
    seen = set[str]()
    rows: list[tuple[Example, ...]] = []
    for kinds, size in zip(of_split, sizes, strict=True):
        turns = [n for turn in zip_longest(*kinds) for n in turn if n is not None]
        rows.append(_fill(rng, turns, size, write, seen))
    return Splits(train=rows[0], dev=rows[1], test=rows[2])


def _fill(
    rng: random.Random, numbers: Sequence[int], count: int, write: Write, seen: set[str]
) -> tuple[Example, ...]:
    rows: list[Example] = []
    for number in islice(cycle(numbers), count):
        texts = (write(rng, number) for _ in range(TRIES))
        row = next((row for row in texts if row.text not in seen), None)
        if row is None:
            raise ValueError(f"wording {number} cannot be filled in another way")
        seen.add(row.text)
        rows.append(row.replace(id=f"{row.id}-{len(seen)}", group=f"wording-{number}"))
    return tuple(rows)
