"""Why arms fail: some of their wrong answers on dev are asked for again, with something given.

Each experiment is an ordinary candidate, asked through the examiner, its answers kept: the form
given (the constraint of the metric, demonstrations of other rows), the facts given (the
passages of the evidence, else the target's content in a note), and both. Test is never looked at.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from whatworks.analysis.diagnosis.arm_diagnosis import ArmDiagnosis
from whatworks.analysis.diagnosis.causes import RowDiagnosis, Trial, diagnose_row, has_answer
from whatworks.analysis.diagnosis.parts import ChainShares, measure_parts
from whatworks.analysis.diagnosis.probes import Probe
from whatworks.analysis.diagnosis.shares import Cells, measure_shares
from whatworks.base.errors import ArmFailure, arm_failures
from whatworks.base.progress import Phase, Watcher
from whatworks.data.task import Document, Example, Task
from whatworks.methods.bench.examiner import Answer, Examiner
from whatworks.methods.method import Method
from whatworks.metrics.score import Score
from whatworks.models.metering import Budget, Meter
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context, Demos
from whatworks.prompts.retrieval import chunk
from whatworks.studies.answer_sample import draw_answers
from whatworks.studies.arm_entries import Arm
from whatworks.studies.decisions import ArmRun
from whatworks.studies.probes import probe_arm
from whatworks.studies.shown_passages import find_evidence, read_passages
from whatworks.studies.study import Study

SHARE = 5
"""One answer of the diagnosis for so many of the study, at most."""

LEAST = 6
"""Fewer answers than this show nothing at 95%: the sign-flip test needs six that agree."""

PROBED = 4
"""One of so many of these answers is for changing one thing of the chosen arm,"""
PROBES = 24
"""where it comes to so many: two changes on the fewest rows."""

MOST = 60
"""Wrong answers of an arm that are asked for again, at most."""

SHOTS = 3
"""Demonstrations that show the form."""

_PASSAGE_WORDS = 120


@dataclass(frozen=True)
class Intervention:
    """Something given: the candidate that gives it, and the rows as it is asked them."""

    candidate: Candidate
    rows: tuple[Example, ...]


def diagnose_study(
    study: Study, runs: Sequence[ArmRun], names: Sequence[str], watcher: Watcher
) -> list[ArmDiagnosis]:
    """Why some arms of a study fail on dev, for at most a fifth of the study's answers.

    Args:
        study: The study, after its run.
        runs: Its runs.
        names: The arms, the first before the others where there are too few answers for all.
        watcher: Shows progress.
    """
    chosen = [run for name in dict.fromkeys(names) if (run := _find_run(runs, name))]
    subjects = [run for run in chosen if any(a.score.counted < 1 for a in run.dev)]
    left = count_answers(study, runs) // SHARE
    kept = left // PROBED if left >= PROBED * PROBES else 0  # for the probes of the last one
    left -= kept
    diagnoses: list[ArmDiagnosis] = []
    for n, run in enumerate(subjects):
        wrong = sum(answer.score.counted < 1 for answer in run.dev)
        share = left // (len(subjects) - n)
        if share < 3 * min(LEAST, wrong):
            share = left  # better one arm well than two not at all
        own = diagnose_arm(study, run, min(share, 3 * MOST), watcher)
        diagnoses.append(own)
        left -= own.taken
    if chosen and (probes := probe_arm(study, chosen[-1], left + kept, watcher)):
        diagnoses = _add_probes(diagnoses, chosen[-1], probes)
    return diagnoses


def _add_probes(
    diagnoses: Sequence[ArmDiagnosis], run: ArmRun, probes: tuple[Probe, ...]
) -> list[ArmDiagnosis]:
    """The diagnoses with the probes of an arm; it may have none where all its answers are right."""
    there = [one for one in diagnoses if one.arm == run.arm]
    own = replace(there[0] if there else ArmDiagnosis(run.arm, len(run.dev)), probes=probes)
    return [*(one for one in diagnoses if one.arm != run.arm), own]


def measure_chains(study: Study, runs: Sequence[ArmRun]) -> list[ChainShares]:
    """What each part of the study's chains brings on dev, from the subsets of parts that ran.

    A subset is an arm of the same steps with the same settings. Nothing is asked for.
    """
    groups = {row.id: row.group or row.id for row in study.task.splits.dev}
    arms = {arm.name: _list_parts(arm) for arm in study.arms if arm.rows is None}
    scores = {name: _collect_scores(runs, name) for name in arms}
    chains: list[ChainShares] = []
    for name, whole in arms.items():
        if len(whole) < 2 or not scores[name]:
            continue
        subsets = {
            "+".join(step.name for step in own) or "zero-shot": scores[other]
            for other, own in arms.items()
            if own == [step for step in whole if step in own]
        }
        chain = "+".join(step.name for step in whole)
        if shares := measure_parts(chain, {**subsets, chain: scores[name]}, groups):
            chains.append(shares)
    return chains


def _list_parts(arm: Arm) -> list[Method]:
    return [step for step in arm.chain.steps if step.owns]


def _collect_scores(runs: Sequence[ArmRun], name: str) -> dict[tuple[int, str], float]:
    return {
        (run.seed, answer.example.id): answer.score.counted
        for run in runs
        if run.arm == name and run.candidate is not None
        for answer in run.dev
    }


def count_answers(study: Study, runs: Sequence[ArmRun]) -> int:
    """How many answers a study asks its model for, on dev and on test."""
    test = len(study.task.splits.test)
    left = {one.arm for one in study.folder.decisions() if one.left}
    asked = [run for run in runs if run.candidate is not None]
    return sum(len(run.dev) + (0 if run.arm in left else test) for run in asked)


def give_form(
    candidate: Candidate, examiner: Examiner, train: Sequence[Example]
) -> Candidate | None:
    """The candidate with the form of answers given; None where it has it already."""
    form, variant = examiner.metric.form, candidate
    if form is not None and candidate.decoding.constraint is None:
        variant = variant.with_decoding(constraint=form)
    # Rows with labels would show what the labels mean as well.
    labels = form is not None and form.kind == "choices"
    if candidate.prompt.demos is None and train and not labels:
        pool = random.Random("form").sample(list(train), min(4 * SHOTS, len(train)))
        variant = variant.with_prompt(demos=Demos(pool=tuple(pool), k=SHOTS))
    return None if variant == candidate else variant


def give_facts(candidate: Candidate, rows: Sequence[Example], task: Task) -> Intervention:
    """The candidate with nothing but the evidence before each input.

    Where a row does not say which documents hold its answer, a note tells its content, not in the
    form that is wanted.
    """
    context = candidate.prompt.context
    if context is None and task.documents:
        context = Context(chunks=chunk(task.documents, size=_PASSAGE_WORDS), k=1)
    held = {row.id: len(_list_evidence(context, row)) if context else 0 for row in rows}
    told = [row for row in rows if not held[row.id]]
    notes = tuple(Document(id=f"told-{row.id}", text=tell_content(row.target)) for row in told)
    if context is None or len(told) == len(rows):
        shown = Context(chunks=notes, k=1, search="lexical", passages="gold")
    else:
        shown = context.replace(
            chunks=(*context.chunks, *notes),
            passages="gold",
            k=max(held.values()),
            search="lexical",
            store="",
            rerank="",
            cite=False,
        )
    given = [row if held[row.id] else row.replace(evidence=(f"told-{row.id}",)) for row in rows]
    return Intervention(candidate.with_prompt(context=shown), tuple(given))


def tell_content(target: str) -> str:
    """What a target says, as a note in words: ``The item is paddle. The wish is answer.``."""
    try:
        fields = json.loads(target)
    except ValueError:
        return f"What is right here: {target}"
    if not isinstance(fields, dict):
        return f"What is right here: {target}"
    return " ".join(f"The {name} is {value}." for name, value in fields.items())


def diagnose_arm(study: Study, run: ArmRun, most: int, watcher: Watcher) -> ArmDiagnosis:
    """Why one arm fails on dev, for at most so many answers.

    Args:
        study: The study.
        run: A run of the arm, with a candidate and answers on dev.
        most: Answers that may be asked for.
        watcher: Shows progress.
    """
    wrong = [answer for answer in run.dev if answer.score.counted < 1.0]
    candidate, examiner = run.candidate, study.examiner_of(run.arm)
    assert candidate is not None
    passages = read_passages(candidate, wrong)
    memory = bool(study.task.documents) or examiner.metric.name == "facts"
    trials = {
        answer.example.id: Trial(
            answer.example,
            answer.generation.text,
            answer.score,
            metric=examiner.metric.name,
            finish=answer.generation.finish,
            passages=passages.get(answer.example.id),
            evidence=find_evidence(answer.example, passages.get(answer.example.id, ())),
            memory=memory and candidate.prompt.context is None,
        )
        for answer in wrong
    }
    form = give_form(candidate, examiner, study.task.splits.train)
    cells = 3 if form is not None else 1
    askable = [answer for answer in wrong if has_answer(answer.example)]
    n = min(len(askable), most // cells)
    skipped, shares, taken = "", None, 0
    if n < LEAST:
        skipped = (
            f"{len(askable)} wrong answers on dev, {LEAST} are needed"
            if len(askable) < LEAST
            else f"{cells * LEAST} further answers are needed, {most} are left of a fifth of all"
        )
    else:
        sample = draw_answers(askable, n)
        try:
            with arm_failures():
                scores = _experiment(study, run, sample, form, watcher)
        except ArmFailure as failure:
            skipped = failure.in_words
        else:
            taken = cells * n
            trials |= _add_scores(trials, scores)
            shares = measure_shares(
                {row: _make_cells(trials[row]) for row in scores},
                {a.example.id: a.example.group or a.example.id for a in sample},
            )
    diagnosed = (diagnose_row(trial) for trial in trials.values())
    rows: tuple[RowDiagnosis, ...] = tuple(one for one in diagnosed if one is not None)
    facts = "the right passages" if candidate.prompt.context else "the facts"
    facts = facts if memory else "the content"
    return ArmDiagnosis(run.arm, len(run.dev), rows, shares, skipped, facts, taken)


@dataclass(frozen=True)
class _Given:
    """The scores of one row with form, facts and both given."""

    form: Score | None
    facts: Score
    both: Score | None


def _experiment(
    study: Study,
    run: ArmRun,
    sample: Sequence[Answer],
    form: Candidate | None,
    watcher: Watcher,
) -> dict[str, _Given]:
    """Ask for some answers again, with form, facts and both given."""
    assert run.candidate is not None
    rows = [answer.example for answer in sample]
    facts = give_facts(run.candidate, rows, study.task)
    asked = {"facts": facts}
    if form is not None:
        asked["form"] = Intervention(form, tuple(rows))
        asked["both"] = give_facts(form, rows, study.task)
    tick = Phase(watcher, f"why {run.arm}", "asking again", len(rows) * len(asked))
    examiner = study.examiner_of(run.arm)
    meter = Meter(Budget(usd=study.budget.usd), run.total, examiner.engine.price)
    scores = {
        name: [
            answer.score for answer in examiner.ask(one.candidate, one.rows, meter=meter, tick=tick)
        ]
        for name, one in asked.items()
    }
    watcher.done(f"why {run.arm}")
    return {
        row.id: _Given(
            scores["form"][i] if form else None,
            scores["facts"][i],
            scores["both"][i] if form else None,
        )
        for i, row in enumerate(rows)
    }


def _add_scores(trials: Mapping[str, Trial], variants: Mapping[str, _Given]) -> dict[str, Trial]:
    return {
        row: replace(trials[row], with_form=own.form, with_facts=own.facts, with_both=own.both)
        for row, own in variants.items()
    }


def _make_cells(trial: Trial) -> Cells:
    """The four scores of a row; a form that it has already changes nothing."""
    neither = trial.score.counted
    assert trial.with_facts is not None
    facts = trial.with_facts.counted
    form = trial.with_form.counted if trial.with_form else neither
    both = trial.with_both.counted if trial.with_both else facts
    return Cells(neither, form, facts, both)


def _find_run(runs: Sequence[ArmRun], name: str) -> ArmRun | None:
    """The first run of an arm that came to something and was asked on dev."""
    own = (run for run in runs if run.arm == name and run.candidate is not None and run.dev)
    # What answers in the place of a model cannot be given anything.
    return next((run for run in own if run.candidate and run.candidate.answerer is None), None)


def _list_evidence(context: Context, row: Example) -> list[int]:
    return [i for name in row.evidence for i in context.by_name.get(name, ())]
