"""Evidence where the rows name none: documents in which the target stands, word by word. Pure.

It is a guess: a document may hold the words and say something else, and an answer that is said in
other words is not found. Whoever reports by it says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whatworks.data.task import Document, Example
from whatworks.prompts.retrieval.recall import get_document_id
from whatworks.prompts.retrieval.words import split_words

LONGEST = 12
"""Words of a target that is looked for: longer ones are seldom repeated word by word."""
MOST = 3
"""Documents that may hold a target; one that more of them hold says little of where it is from."""


def find_evidence(
    rows: Sequence[Example], passages: Sequence[Document]
) -> Mapping[str, tuple[str, ...]]:
    """Ids of the documents that hold a row's target, by the row's id; rows without any are left
    out."""
    texts = [(get_document_id(one.id), _space(split_words(one.passage))) for one in passages]
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        words = split_words(row.target)
        if not 0 < len(words) <= LONGEST:
            continue
        phrase = _space(words)
        names = tuple(dict.fromkeys(name for name, text in texts if phrase in text))
        if 0 < len(names) <= MOST:
            found[row.id] = names
    return found


def _space(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "
