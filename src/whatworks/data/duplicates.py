"""Exact and near duplicates among many rows, in memory that hardly more than signatures take.

Near-duplicates are what ``near_duplicates.is_same_input`` says. Comparing all pairs is out of the
question, so pairs are proposed by MinHash signatures in bands (Broder 1997; Leskovec et al.,
"Mining of Massive Datasets", ch. 3) over the same character 5-grams, and each proposed pair is then
compared itself. A signature is 128 bytes, one per hash function (b-bit minwise hashing, Li and
König 2010); its 16 bands of 8 bytes find a pair at the threshold of .85 with a probability of 99%,
nearly all above it. Only where more than 32 rows share most of a long text is a row not compared
with all of them.

The rows are read several times (``rows`` is a function) and never held together. What grows with
them is 136 bytes a row, signature and key, and the 8 bytes of one band while it is sorted; all
else grows with the rows that have a duplicate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whatworks.base.union_find import Joining
from whatworks.data.near_duplicates import (
    NEAR_DUPLICATE,
    forget_texts,
    is_same_input,
    normalise_text,
)
from whatworks.data.task import Example, Pair

SHINGLE = 5
HASHES = 128
BATCH = 2_000
"""Rows whose shingles are hashed together: as many as the processor's cache holds."""
HELD = 20_000
"""Rows that are in memory at once when pairs are compared."""
FORGET = 500
"""Pairs after which what comparing keeps of each text is given back."""
CROWD, NEIGHBOURS = 32, 8
"""In buckets above the first size, a row is compared with so many neighbours and the first one."""
MARGIN = 0.12
"""By how much an estimate may fall short of the threshold (four standard errors)."""

Rows = Callable[[], Iterable[Example]]
Bytes = NDArray[np.uint8]
Longs = NDArray[np.int64]


@dataclass(frozen=True)
class Duplicates:
    """Groups of positions, each in order; a group has at least two members.

    Attributes:
        rows: Number of rows looked at.
        exact: Rows with the same input up to case and spacing.
        near: Rows with nearly the same input; of rows that are exactly the same, the first.
        compared: Pairs that the signatures proposed and that were compared.
    """

    rows: int
    exact: tuple[tuple[int, ...], ...]
    near: tuple[tuple[int, ...], ...]
    compared: int


def find(rows: Rows, tick: Callable[[int], None] | None = None) -> Duplicates:
    """The duplicates among rows.

    Args:
        rows: Gives the rows from the beginning, each time that it is called.
        tick: Called with the number of rows just read for the first time.
    """
    exact, pairs, count = _propose_pairs(rows, tick)
    return Duplicates(count, exact, _connect_duplicates(rows, pairs), len(pairs))


def _propose_pairs(
    rows: Rows, tick: Callable[[int], None] | None
) -> tuple[tuple[tuple[int, ...], ...], Longs, int]:
    """Groups of exact duplicates, pairs of rows to compare, and the number of rows."""
    keys, signatures = _read(rows, tick)
    shared, place = _find_repeated_values(keys)
    order = np.lexsort([shared, place])
    exact = tuple(sorted(_group_positions(place[order], shared[order])))
    alone = np.ones(len(keys), dtype=bool)
    del keys
    alone[[copy for group in exact for copy in group[1:]]] = False
    pairs = _find_likely_pairs(_gather_rows(signatures, alone))
    return exact, np.flatnonzero(alone)[pairs], len(alone)


def _read(rows: Rows, tick: Callable[[int], None] | None) -> tuple[NDArray[np.uint64], Bytes]:
    """A key of each row's text, and the signatures, one row each."""
    # A buffer that grows in place: blocks to be joined at the end would take the memory twice.
    keys, signatures = bytearray(), bytearray()
    source = iter(rows())
    while batch := [normalise_text(row.text) for row in islice(source, BATCH)]:
        for text in batch:
            data = text.encode("utf-8", "surrogatepass")
            keys += blake2b(data, digest_size=8).digest()
        signatures += compute_signatures(batch).data
        if tick is not None:
            tick(len(batch))
    table = np.frombuffer(signatures, dtype=np.uint8).reshape(-1, HASHES)
    return np.frombuffer(keys, dtype=np.uint64), table


def _gather_rows(signatures: Bytes, wanted: NDArray[np.bool_]) -> Bytes:
    """The wanted rows, moved to the front of the same array."""
    filled = 0
    for start in range(0, len(signatures), BATCH):
        part = signatures[start : start + BATCH][wanted[start : start + BATCH]]
        signatures[filled : filled + len(part)] = part
        filled += len(part)
    return signatures[:filled]


def compute_signatures(texts: Sequence[str]) -> Bytes:
    """MinHash signatures of what ``normalise_text`` made, one row of ``HASHES`` bytes each."""
    padded = [text if len(text) >= SHINGLE else text.ljust(SHINGLE, "\0") for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    lengths = np.array([len(text) for text in padded])
    windows = len(codes) - SHINGLE + 1
    hashes = np.zeros(windows, dtype=np.uint32)
    for offset, factor in enumerate(_draw_odd_numbers(SHINGLE, seed=1)):
        code = codes[offset : offset + windows]
        hashes += (code ^ (code << np.uint32(7))) * factor
        hashes ^= hashes >> np.uint32(15)
    _mix(hashes)
    # Windows that begin in one text and end in the next are none of either.
    ends = np.cumsum(lengths)
    inside = np.ones(windows, dtype=bool)
    for back in range(1, SHINGLE):
        inside[ends[:-1] - back] = False
    hashes = hashes[inside]
    starts = np.concatenate([[0], np.cumsum(lengths - SHINGLE + 1)[:-1]])
    result = np.empty((len(texts), HASHES), dtype=np.uint8)
    product = np.empty_like(hashes)
    for number, factor in enumerate(_draw_odd_numbers(HASHES, seed=2)):
        np.multiply(hashes, factor, out=product)
        smallest = np.minimum.reduceat(product, starts)
        # The top bits of a minimum are nearly always 0; mixed, they say which shingle it was.
        _mix(smallest)
        result[:, number] = smallest >> np.uint32(24)
    return result


def _draw_odd_numbers(count: int, seed: int) -> NDArray[np.uint32]:
    return np.random.default_rng(seed).integers(0, 1 << 31, count).astype(np.uint32) * 2 + 1


def _mix(values: NDArray[np.uint32]) -> None:
    """Spread every bit over all others, in place (the finaliser of MurmurHash3)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        values ^= values >> np.uint32(shift)
        values *= np.uint32(factor)


def _find_likely_pairs(signatures: Bytes) -> Longs:
    """Pairs whose signatures agree enough, ``[n, 2]``, the earlier row first."""
    bands = signatures.view(np.uint64)
    pairs = np.empty((0, 2), np.int64)
    for number in range(bands.shape[1]):
        shared, place = _find_repeated_values(bands[:, number])
        if not len(shared):
            continue
        # Similar rows of one bucket become neighbours when sorted by a few further bands.
        further = [bands[shared, (number + more) % bands.shape[1]] for more in (3, 2, 1)]
        order = np.lexsort([shared, *further, place])
        shared, buckets = shared[order], place[order]
        sizes = np.bincount(buckets)[buckets]
        begins = np.flatnonzero(np.r_[True, buckets[1:] != buckets[:-1]])
        leaders = shared[np.repeat(begins, np.diff(np.r_[begins, len(shared)]))]
        crowded = sizes > CROWD
        parts = [pairs, _filter_agreeing_pairs(signatures, leaders[crowded], shared[crowded])]
        for back in range(1, min(CROWD, len(shared))):
            both = buckets[back:] == buckets[:-back]
            if back > NEIGHBOURS:
                both &= ~crowded[back:]
            parts.append(
                _filter_agreeing_pairs(signatures, shared[:-back][both], shared[back:][both])
            )
        pairs = np.unique(np.concatenate(parts), axis=0)
    return pairs


def _find_repeated_values(values: NDArray[np.uint64]) -> tuple[Longs, Longs]:
    """Positions of values that occur several times, and a number for each such value."""
    ordered = np.sort(values)
    several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    del ordered
    # Sorting the positions as well would take three more arrays of this size.
    shared: list[Longs] = [np.empty(0, np.int64)]
    places: list[Longs] = [np.empty(0, np.int64)]
    for start in range(0, len(values) if len(several) else 0, HELD):
        part = values[start : start + HELD]
        place = np.searchsorted(several, part)
        place[place == len(several)] = 0
        here = np.flatnonzero(several[place] == part)
        shared.append(here + start)
        places.append(place[here])
    return np.concatenate(shared), np.concatenate(places)


def _filter_agreeing_pairs(signatures: Bytes, one: Longs, other: Longs) -> Longs:
    """Those pairs whose estimated similarity is near the threshold or above."""
    near: list[Longs] = []
    for start in range(0, len(one), HELD):
        a, b = one[start : start + HELD], other[start : start + HELD]
        agree = (signatures[a] == signatures[b]).mean(axis=1)
        estimate = (agree - 1 / 256) / (1 - 1 / 256)  # two bytes also agree by chance
        close = (estimate >= NEAR_DUPLICATE - MARGIN) & (a != b)
        near.append(np.stack([np.minimum(a, b)[close], np.maximum(a, b)[close]], axis=1))
    return np.concatenate(near) if near else np.empty((0, 2), np.int64)


def _connect_duplicates(rows: Rows, pairs: Longs) -> tuple[tuple[int, ...], ...]:
    """Rows connected by near-duplicates among the pairs; the rows in question are read again."""
    joined = Joining[int]()
    for start in range(0, len(pairs), HELD // 2):
        part = pairs[start : start + HELD // 2]
        examples = _pick_rows(rows, set(part.ravel().tolist()))
        for number, (a, b) in enumerate(part.tolist()):
            if number % FORGET == 0:
                forget_texts()
            if joined.root(a) != joined.root(b) and is_same_input(examples[a], examples[b]):
                joined.join((a, b))
        forget_texts()
    return joined.groups()


def _pick_rows(rows: Rows, positions: set[int]) -> dict[int, Example]:
    """The rows at these positions; nothing is read beyond the last."""
    upto = islice(enumerate(rows()), max(positions) + 1)
    return {position: row for position, row in upto if position in positions}


def _group_positions(labels: NDArray[Any], positions: Longs) -> tuple[tuple[int, ...], ...]:
    """Positions by label, in order of the first one."""
    groups: dict[int, list[int]] = {}
    for label, position in zip(labels.tolist(), positions.tolist(), strict=True):
        groups.setdefault(label, []).append(position)
    return tuple(tuple(group) for group in groups.values())


def select_training_pairs(pairs: Sequence[Pair], held: Sequence[Example]) -> tuple[Pair, ...]:
    """The pairs that belong to train: those that repeat no held row.

    A pair repeats a row when its input is the same or nearly the same (``is_same_input``), or when
    both are of one group.

    Args:
        pairs: Pairs of a file of their own.
        held: Dev and test rows, and rows set aside.
    """

    rows = [*(pair.example for pair in pairs), *held]
    alike = Joining[int]()
    clusters = find(lambda: rows)
    for cluster in (*clusters.exact, *clusters.near):
        alike.join(cluster)
    taken = {alike.root(at) for at in range(len(pairs), len(rows))}
    groups = {row.group for row in held if row.group is not None}
    return tuple(
        pair
        for at, pair in enumerate(pairs)
        if alike.root(at) not in taken and pair.example.group not in groups
    )
