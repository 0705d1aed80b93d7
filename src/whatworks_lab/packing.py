"""Documents packed into rows of one length, each keeping to itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whatworks_lab import tokens


@dataclass(frozen=True)
class PackedRows:
    """Packed rows: ids, loss weights of predicting them, document numbers and positions."""

    ids: np.ndarray
    weights: np.ndarray
    docs: np.ndarray
    positions: np.ndarray


def pack(encoded: tokens.Encoded, context: int, rng: np.random.Generator, pad: int) -> PackedRows:
    """First-fit packing of whole documents into rows of `context`; longer documents are cut."""
    starts = np.concatenate([[0], encoded.ends[:-1]])
    order = rng.permutation(len(starts))
    rows: list[list[tuple[int, int]]] = []
    room: list[int] = []
    open_from = 0
    for i in order:
        start, end = int(starts[i]), int(encoded.ends[i])
        end = min(end, start + context)
        size = end - start
        for j in range(max(open_from, len(rows) - 48), len(rows)):
            if room[j] >= size:
                rows[j].append((start, end))
                room[j] -= size
                break
        else:
            rows.append([(start, end)])
            room.append(context - size)
    shape = (len(rows), context)
    ids, weights = np.full(shape, pad, np.int64), np.zeros(shape, np.float32)
    docs, positions = np.full(shape, -1, np.int32), np.zeros(shape, np.int64)
    for r, members in enumerate(rows):
        at = 0
        for number, (start, end) in enumerate(members):
            size = end - start
            ids[r, at : at + size] = encoded.ids[start:end]
            weights[r, at : at + size] = encoded.weights[start:end]
            weights[r, at] = 0.0
            docs[r, at : at + size] = number
            positions[r, at : at + size] = np.arange(size)
            at += size
    order = rng.permutation(len(rows))
    return PackedRows(ids[order], weights[order], docs[order], positions[order])
