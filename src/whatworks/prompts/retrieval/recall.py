"""How much of the evidence was retrieved."""

from __future__ import annotations

import math
from collections.abc import Sequence


def measure_recall(passages: Sequence[Sequence[str]], evidence: Sequence[Sequence[str]]) -> float:
    """Share of the evidence that was found, averaged over the queries that have evidence.

    Args:
        passages: Per query, the ids of the ``k`` passages shown. A chunk ``doc#n`` counts for its
            document ``doc`` as well as for itself.
        evidence: Per query, the ids of the documents that hold the answer.

    Returns:
        A value in [0, 1]; ``nan`` when no query has evidence.

    Raises:
        ValueError: If the two differ in length.
    """
    shares: list[float] = []
    for shown, documents in zip(passages, evidence, strict=True):
        if documents:
            names = set(shown) | {get_document_id(name) for name in shown}
            shares.append(len(names & set(documents)) / len(set(documents)))
    return sum(shares) / len(shares) if shares else math.nan


def get_document_id(chunk_id: str) -> str:
    """The document that a chunk ``doc#n`` was cut from; any other id stands for itself."""
    document, mark, number = chunk_id.rpartition("#")
    return document if mark and number.isdecimal() else chunk_id
