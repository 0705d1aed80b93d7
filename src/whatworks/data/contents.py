"""What a data file holds: examples, preference pairs, documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from whatworks.data.task import Document, Example, Pair


@dataclass(frozen=True)
class Data:
    """What a file holds.

    Attributes:
        examples: One per row, in order. Of preference data: the better answers.
        pairs: Preferences; a pair with an empty side is a labelled answer without a partner (KTO).
        format: Name of the format that the rows were read as.
        columns: Role to column(s), as shown to the user.
        notes: What was left out or guessed, one line each.
        documents: Passages that stand in the rows; the examples name them as evidence.
    """

    examples: tuple[Example, ...]
    pairs: tuple[Pair, ...]
    format: str
    columns: Mapping[str, str]
    notes: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()
