"""The passages that prompts show, and those of them that hold the answer. No model is asked."""

from __future__ import annotations

from collections.abc import Sequence

from whatworks.data.task import Document, Example
from whatworks.methods.bench.examiner import Answer
from whatworks.metrics.normalise import normalise
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.render import is_evidence, render_each


def read_passages(
    candidate: Candidate, answers: Sequence[Answer]
) -> dict[str, tuple[Document, ...]]:
    """Row to the passages that its prompt showed; {} where prompts show none."""
    if candidate.prompt.context is None:
        return {}
    requests = render_each(candidate.prompt, [answer.example for answer in answers])
    return {request.example.id: request.passages for request in requests}


def find_evidence(row: Example, passages: Sequence[Document]) -> frozenset[str]:
    """Those passages that hold a row's answer: by its evidence, else by its target's words."""
    if row.evidence:
        return frozenset(p.id for p in passages if is_evidence(p, row))
    wanted = normalise(row.target)
    return frozenset(p.id for p in passages if wanted and wanted in normalise(p.passage))
