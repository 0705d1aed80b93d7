"""One cause for each wrong answer, told by what was given to it, or presumed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from whatworks.data.task import Document, Example
from whatworks.metrics.abstention import is_abstention
from whatworks.metrics.normalise import normalise
from whatworks.metrics.score import Score

Cause = Literal[
    "does not know the fact",
    "knows it, was not asked right",
    "passage not found",
    "found, not read",
    "told, not read",
    "misled by another passage",
    "right content, wrong form",
    "cut",
    "refused",
    "label confused",
    "made up",
]


@dataclass(frozen=True)
class Trial:
    """A wrong answer, and what became of it when something was given.

    Attributes:
        example: The row.
        answer: The answer.
        score: Its score.
        metric: Name of the metric.
        finish: How it ended, as ``Generation.finish`` says.
        passages: What its prompt showed; None where its prompt shows no passages.
        evidence: Ids of those of them that hold the answer.
        memory: Whether the answer must be known: nothing in the prompt says it.
        with_form: The score with the form given; None where that was not asked.
        with_facts: The score with the facts given.
        with_both: The score with both.
    """

    example: Example
    answer: str
    score: Score
    metric: str = ""
    finish: str = "stop"
    passages: Sequence[Document] | None = None
    evidence: frozenset[str] = frozenset()
    memory: bool = False
    with_form: Score | None = None
    with_facts: Score | None = None
    with_both: Score | None = None


@dataclass(frozen=True)
class RowDiagnosis:
    """Why one answer is wrong.

    Attributes:
        row: Id of the row.
        cause: The cause.
        evidence: What says so, in words.
        told: Whether it was measured; else it is presumed.
        group: The group of the row.
        score: The score of the answer.
        finish: How the answer ended.
        with_form: The score with the form given; None where that was not asked.
        with_facts: The score with the facts given.
    """

    row: str
    cause: Cause
    evidence: str
    told: bool
    group: str = ""
    score: float = 0.0
    finish: str = ""
    with_form: float | None = None
    with_facts: float | None = None


def diagnose_row(trial: Trial) -> RowDiagnosis | None:
    """Why an answer is wrong; None where it is right.

    What the answer itself shows comes first (cut, made up), then what mended it. Form mends before
    facts do: what came right without the fact was known.
    """
    if trial.score.counted >= 1.0:
        return None
    for judge in (_judge_end, _judge_claim, _judge_form, _judge_facts):
        if judged := judge(trial):
            return _note(trial, *judged)
    return _note(trial, *_presume(trial), False)


def has_answer(example: Example) -> bool:
    """Whether something is to be said: facts can be given to such a row alone."""
    return example.meta.get("answerable") is not False and not is_abstention(example.target)


def _note(trial: Trial, cause: Cause, evidence: str, told: bool) -> RowDiagnosis:
    return RowDiagnosis(
        trial.example.id,
        cause,
        evidence,
        told,
        group=trial.example.group or trial.example.id,
        score=trial.score.counted,
        finish=trial.finish,
        with_form=trial.with_form.counted if trial.with_form else None,
        with_facts=trial.with_facts.counted if trial.with_facts else None,
    )


_Found = tuple[Cause, str, bool] | None


def _judge_end(trial: Trial) -> _Found:
    if trial.finish == "overflow":
        return "cut", "the prompt was too long to be asked", True
    if trial.finish == "length":
        return "cut", "the answer ended at its most tokens", True
    return None


def _judge_claim(trial: Trial) -> _Found:
    """Answers where there is none, and none where there is one."""
    unknown = not has_answer(trial.example)
    abstains = trial.score.kind == "abstained" or is_abstention(trial.answer)
    if unknown and not abstains:
        return "made up", "there is no answer to this row, and it gives one", True
    mended = _is_mended(trial.with_facts) or _is_mended(trial.with_both)
    if abstains and not mended and (trial.with_facts is not None or _holds_evidence(trial)):
        evidence = "with the facts given, too" if trial.with_facts else "with the answer before it"
        return "refused", f"it declines, {evidence}", trial.with_facts is not None
    return None


def _judge_form(trial: Trial) -> _Found:
    mended = _is_mended(trial.with_form)
    if trial.score.forgiving >= 1.0:
        evidence = (
            "the right content; with the form given it is right" if mended else "right content"
        )
        return "right content, wrong form", evidence, mended
    if mended and trial.score.kind == "malformed":
        return "right content, wrong form", "with the form given it is right", True
    if mended:
        return "knows it, was not asked right", "right with the form given, no fact beside it", True
    if trial.metric == "category" and trial.score.kind == "wrong":
        evidence = f"{trial.example.target} taken for {trial.answer.strip()}"
        return "label confused", evidence, trial.with_form is not None
    return None


def _judge_facts(trial: Trial) -> _Found:
    if trial.with_facts is None:
        return None
    mended = _is_mended(trial.with_facts) or _is_mended(trial.with_both)
    evidence = "right with the facts given" if mended else "wrong with the facts given, too"
    if trial.passages is not None and not _holds_evidence(trial):
        return "passage not found", f"no passage held the answer; {evidence}", True
    if not mended:
        return "told, not read" if trial.passages is None else "found, not read", evidence, True
    if trial.passages is not None:
        return "misled by another passage", "right with nothing but the evidence", True
    if trial.memory:
        return "does not know the fact", evidence, True
    return "told, not read", "right where the content is told beside the input", True


def _presume(trial: Trial) -> tuple[Cause, str]:
    """The likeliest cause where nothing was given."""
    if trial.score.kind == "abstained" and trial.passages is None:
        return "refused", "it declines"
    if trial.score.kind == "malformed":
        return "right content, wrong form", "not in the wanted form"
    if trial.passages is None:
        if trial.memory:
            return "does not know the fact", "nothing in the prompt says it"
        return "told, not read", "the input says it"
    if not _holds_evidence(trial):
        return "passage not found", "no passage held the answer"
    answer = normalise(trial.answer)
    others = (p.passage for p in trial.passages if p.id not in trial.evidence)
    if answer and any(answer in normalise(text) for text in others):
        return "misled by another passage", "its answer stands in another passage"
    return "found, not read", "a passage held the answer"


def _holds_evidence(trial: Trial) -> bool:
    return bool(trial.evidence)


def _is_mended(score: Score | None) -> bool:
    return score is not None and score.counted >= 1.0
