"""Lessons: what a data step hands to the training step after it.

``augment``, ``corpus``, ``distill`` and ``refusal`` train nothing. They write rows, or pairs, into
the candidate, and the next trainer that can read them learns from them beside the task's own rows,
or instead. No answer depends on lessons: they are no part of what is asked, exported or served.
"""

from __future__ import annotations

from typing import Literal

from whatworks.base.frozen import Frozen
from whatworks.data.task import Example, Pair

Lesson = Literal["rows", "pairs"]
Place = Literal["beside", "instead"]


class Lessons(Frozen):
    """Rows and pairs to learn from.

    A row bears the id of the row that it was made from, if any: so that one is never shown in its
    prompt, neither as a demonstration nor as a passage.

    Attributes:
        rows: For trainers that learn an answer; one without any input is plain text. None where
            the step makes no rows, or where they have been learned.
        pairs: For trainers that learn a preference; None as with rows. Empty is another thing: the
            step should have made some.
        place: ``beside`` the task's own rows and pairs, or ``instead`` of them.
    """

    rows: tuple[Example, ...] | None = None
    pairs: tuple[Pair, ...] | None = None
    place: Place = "instead"

    def rows_with(self, train: tuple[Example, ...]) -> tuple[Example, ...]:
        """What a trainer of answers learns, where the task has these rows."""
        if self.rows is None:
            return train
        return (*train, *self.rows) if self.place == "beside" else self.rows

    def pairs_with(self, own: tuple[Pair, ...]) -> tuple[Pair, ...]:
        """What a trainer of preferences learns, where the task has these pairs."""
        if self.pairs is None:
            return own
        return (*own, *self.pairs) if self.place == "beside" else self.pairs
