"""A run: one arm with one seed, what came of it, and which arm the runs recommend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from whatworks.analysis.method_outcomes import MethodOutcome
from whatworks.analysis.result_rows import CONSTANT, ResultRow
from whatworks.analysis.verdict import Option, choose
from whatworks.base.errors import ArmFailure
from whatworks.base.frozen import hash_content
from whatworks.data.task import Example
from whatworks.methods.bench.examiner import Answer, mean
from whatworks.metrics.score import Score
from whatworks.models.metering import Ledger
from whatworks.prompts.candidate import Candidate


@dataclass
class ArmRun:
    """One arm with one seed: what came of it."""

    arm: str
    seed: int
    candidate: Candidate | None = None
    dev_score: float | None = None
    dev_content: float = 0.0
    dev_tokens: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)
    total: Ledger = field(default_factory=Ledger)
    """``ledger`` is what adapting took; ``total`` has the dev and test rows as well."""
    outcomes: list[MethodOutcome] = field(default_factory=list[MethodOutcome])
    failure: ArmFailure | None = None


@dataclass(frozen=True)
class Decision:
    """What was decided of a run on dev, as ``decisions.json`` has it.

    Attributes:
        candidate: Its content key; None when the run failed.
        dev_score: Mean score on dev, of the kind that counts.
        oracle: Whether it is shown what only a measurement knows, such as gold passages.
        dev_content: Mean lenient score on dev.
    """

    arm: str
    seed: int
    candidate: str | None
    dev_score: float | None
    dev_tokens: float
    trained: bool
    oracle: bool
    dev_content: float = 0.0


def make_decision(run: ArmRun) -> Decision:
    """What is written down of a run before test is opened."""
    candidate = run.candidate
    return Decision(
        run.arm,
        run.seed,
        candidate.key if candidate else None,
        run.dev_score,
        run.dev_tokens,
        trained=bool(candidate and candidate.weights.stages),
        oracle=bool(candidate and candidate.prompt.oracle),
        dev_content=run.dev_content,
    )


def choose_winner(decisions: Sequence[Decision], *, min_effect: float) -> str | None:
    """The arm to recommend, by dev alone: ``verdict.choose`` over the runs that did not fail.

    A seed that failed counts as 0. Arms that are shown what only a measurement knows can't be used.
    """
    by_arm: dict[str, list[Decision]] = {}
    for one in decisions:
        by_arm.setdefault(one.arm, []).append(one)
    options: list[Option] = []
    for arm, mine in by_arm.items():
        if any(one.oracle for one in mine):
            continue
        scores = [one.dev_score for one in mine if one.dev_score is not None]
        options.append(
            Option(
                name=arm,
                dev_score=sum(scores) / len(mine) if scores else None,
                tokens=mean([one.dev_tokens for one in mine if one.dev_score is not None]),
                trained=any(one.trained for one in mine),
                dev_content=mean([one.dev_content for one in mine if one.dev_score is not None]),
            )
        )
    return choose(options, min_effect=min_effect)


def choose_best_prompt(
    decisions: Sequence[Decision], written: Sequence[str]
) -> tuple[str | None, dict[str, float]]:
    """The baseline of a study: the hand-written prompt that is best on dev, the first among equals.

    Args:
        decisions: What was decided on dev.
        written: Names of the arms with hand-written prompts and nothing else.

    Returns:
        The arm, None where none of them has a score, and their scores.
    """
    scores: dict[str, float] = {}
    content: dict[str, float] = {}
    for name in written:
        mine = [one for one in decisions if one.arm == name and one.dev_score is not None]
        if mine:
            scores[name] = mean([one.dev_score or 0.0 for one in mine])
            content[name] = mean([one.dev_content for one in mine])
    best = max(scores, key=lambda name: (scores[name], content[name]), default=None)
    return best, scores


def make_constant_row(example: Example, answer: str, score: Score) -> ResultRow:
    """The best constant answer to one example; no model was asked."""
    return ResultRow(
        arm=CONSTANT,
        seed=0,
        status="scored",
        example=example.id,
        group=example.group or example.id,
        output=answer,
        value=score.value,
        lenient=score.forgiving,
        kind=score.kind,
        feedback=score.feedback,
        candidate=hash_content([CONSTANT, answer]),
        parts=dict(score.parts),
    )


def make_row(run: ArmRun, candidate: Candidate, answer: Answer) -> ResultRow:
    """One answer of a run, as it is written down."""
    example, generation, score = answer.example, answer.generation, answer.score
    return ResultRow(
        arm=run.arm,
        seed=run.seed,
        status="scored",
        example=example.id,
        group=example.group or example.id,
        output=generation.text,
        value=score.value,
        lenient=score.forgiving,
        kind=score.kind,
        feedback=score.feedback,
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.completion_tokens,
        seconds=generation.seconds,
        logprob=generation.logprob,
        candidate=candidate.key,
        parts=dict(score.parts),
        finish=generation.finish,
        reasoning=generation.reasoning,
        reasoning_tokens=generation.reasoning_tokens,
    )
