"""A run: one arm with one seed, what came of it, and which arm the runs recommend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from whatworks.budget import Ledger
from whatworks.candidate import Candidate
from whatworks.errors import ArmFailure
from whatworks.examiner import Answer, mean
from whatworks.results import Row
from whatworks.verdict import Option, choose


@dataclass
class Run:
    """One arm with one seed: what came of it."""

    arm: str
    seed: int
    candidate: Candidate | None = None
    dev_score: float | None = None
    dev_tokens: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)
    total: Ledger = field(default_factory=Ledger)
    """``ledger`` is what adapting took; ``total`` has the dev and test rows as well."""
    notes: dict[str, Any] = field(default_factory=dict[str, Any])
    failure: ArmFailure | None = None


def winner(runs: Sequence[Run], *, min_effect: float) -> str | None:
    """The arm to recommend, by dev alone: ``verdict.choose`` over the runs that did not fail.

    Arms that are shown what only a measurement knows, such as gold passages, can't be used.
    """
    by_arm: dict[str, list[Run]] = {}
    for run in runs:
        by_arm.setdefault(run.arm, []).append(run)
    options: list[Option] = []
    for arm, mine in by_arm.items():
        if any(run.candidate and run.candidate.prompt.oracle for run in mine):
            continue
        scores = [run.dev_score for run in mine if run.dev_score is not None]
        options.append(
            Option(
                name=arm,
                dev_score=mean(scores) if scores else None,
                tokens=mean([run.dev_tokens for run in mine if run.dev_score is not None]),
                trained=any(run.candidate and run.candidate.weights.stages for run in mine),
            )
        )
    return choose(options, min_effect=min_effect)


def row(run: Run, candidate: Candidate, answer: Answer) -> Row:
    """One answer of a run, as it is written down."""
    example, generation, score = answer.example, answer.generation, answer.score
    return Row(
        arm=run.arm,
        seed=run.seed,
        status="scored",
        example=example.id,
        group=example.group or example.id,
        output=generation.text,
        value=score.value,
        lenient=score.value if score.lenient is None else score.lenient,
        kind=score.kind,
        feedback=score.feedback,
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.completion_tokens,
        seconds=generation.seconds,
        logprob=generation.logprob,
        candidate=candidate.key,
        parts=dict(score.parts),
    )
