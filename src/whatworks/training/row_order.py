"""The order in which a training reads its rows. Imported by the worker only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.trainer_pt_utils import get_length_grouped_indices

APART = 1_000_003
"""Between the generator's seeds of two neighbouring seeds of a study."""


class RowOrder(torch.utils.data.Dataset[Any]):
    """Rows in an order that depends on the seed and the epoch alone, for a sequential sampler.

    Every epoch is shuffled, but for the longest row, which comes first and so shows at once whether
    memory is enough. Where the rows of a step are read in several parts, they are sorted by length
    within the step: neighbours are padded less, and the step teaches what it would have taught.
    Sorting further than a step would make batches of one kind, which teach less: 300 rows of the
    study ``json`` ended in twice the loss; see ``docs/methods/sft.md``.

    Args:
        rows: What the trainer reads, by position.
        lengths: Tokens of each row.
        seed: The job's.
        step: Rows of an optimiser step, over all processes.
        part: Rows of it that are read at once.
    """

    def __init__(
        self, rows: Sequence[Any], lengths: Sequence[int], *, seed: int, step: int, part: int
    ) -> None:
        self._rows, self._lengths = rows, lengths
        self._seed, self._step, self._part = seed, step, part
        self.set_epoch(0)

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, at: int) -> Any:
        """The row that comes at this place of the epoch."""
        return self._rows[self.order[at]]

    def set_epoch(self, epoch: int) -> None:
        """Shuffle for an epoch, counted from 0; the trainer says when it begins."""
        draw = torch.Generator().manual_seed(self._seed * APART + epoch)
        torch.empty((), dtype=torch.int64).random_(generator=draw)  # as torch's loader does
        longest = self._lengths.index(max(self._lengths))
        kinds = [int(row == longest) for row in range(len(self._lengths))]
        order = get_length_grouped_indices(kinds, self._step, generator=draw)
        if self._part < self._step:
            steps = [order[at : at + self._step] for at in range(0, len(order), self._step)]
            for rows in steps:
                rows.sort(key=self._lengths.__getitem__, reverse=True)
            order = [row for rows in steps for row in rows]
        self.order: list[int] = order
