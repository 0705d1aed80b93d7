"""The next arms of a study: what its diagnosis calls for, with what each is expected to bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from whatworks.analysis.diagnosis.arm_diagnosis import ArmDiagnosis
from whatworks.analysis.next_step.gain import predict_gain
from whatworks.analysis.next_step.predictions import Prediction
from whatworks.base.errors import InputError
from whatworks.methods.bench.examiner import mean
from whatworks.models.metering import Budget, Ledger, Meter
from whatworks.models.weights import Weights
from whatworks.studies.arm_entries import Arm, read_arm
from whatworks.studies.decisions import ArmRun
from whatworks.studies.next_step.arm_entry import ArmEntry, read_entry
from whatworks.studies.next_step.like_steps import list_like_remedies
from whatworks.studies.next_step.remedies import Diagnosed, Remedy, list_remedies
from whatworks.studies.rounds import Entry, Proposal
from whatworks.studies.study import Study

MOST = 3
"""Arms that are proposed at a time, at most."""


def propose_arms(
    study: Study,
    runs: Sequence[ArmRun],
    diagnoses: Sequence[ArmDiagnosis],
    entries: Sequence[Entry],
    forms: Sequence[str],
) -> list[Proposal]:
    """One to three further arms, the most promising first; none where nothing is worth trying.

    An arm is worth trying where it is expected to bring something, and where it may be better than
    the best so far by the smallest effect that matters.

    Args:
        study: The study.
        runs: What ran on dev.
        diagnoses: Why arms fail there.
        entries: The arms of the study file.
        forms: Methods that could mend the form of answers, the most direct first.
    """
    own = {entry.name: entry for entry in map(read_entry, entries)}
    scores = {
        arm.name: mean([r.dev_score or 0.0 for r in runs if r.arm == arm.name])
        for arm in study.arms
        if any(run.arm == arm.name and run.dev_score is not None for run in runs)
    }
    best, times = max(scores.values(), default=0.0), study.folder.times()
    tried, taken = [_describe_chain(arm) for arm in study.arms], list(own)
    found: list[tuple[float, Proposal]] = []
    for diagnosis in diagnoses:
        run = next((r for r in runs if r.arm == diagnosis.arm and r.candidate is not None), None)
        if run is None or run.candidate is None or diagnosis.arm not in own or not diagnosis.rows:
            continue
        arm = Diagnosed(own[diagnosis.arm], run.candidate, run.dev, diagnosis, forms)
        likes = list_like_remedies(study.arms, runs, own, arm)  # what was measured comes first
        for remedy in (*likes, *list_remedies(study, arm)):
            entry = _name(arm.entry, remedy, taken)
            changed = _read(entry, study.start_of(diagnosis.arm).weights)
            if changed is None or _describe_chain(changed) in tried:
                continue
            gain = predict_gain(remedy.known, len(run.dev))
            start = scores[diagnosis.arm]
            if gain.value <= 0 or start + gain.high < best + study.rule.min_effect:
                continue
            tried.append(_describe_chain(changed))
            taken.append(entry.name)
            seconds = _expect_seconds(study, changed, diagnosis.arm, times)
            prediction = Prediction(
                entry.name,
                diagnosis.arm,
                remedy.why,
                gain,
                seconds,
                _expect_usd(study, changed, run),
            )
            found.append((start + gain.value, Proposal(entry.write(), prediction)))
    found.sort(key=lambda one: -one[0])
    return [proposal for _, proposal in found[:MOST]]


def _name(own: ArmEntry, remedy: Remedy, taken: Sequence[str]) -> ArmEntry:
    """The changed arm, under a name that no other arm has."""
    own = replace(own, other={**own.other, **remedy.other})
    changed = own.change(remedy.steps, remedy.settings)
    number = 2
    while changed.name in taken:
        changed = own.change(remedy.steps, remedy.settings, f"-{number}")
        number += 1
    return changed


def _read(entry: ArmEntry, weights: Weights) -> Arm | None:
    """The arm, None where its steps cannot follow one another."""
    try:
        arm = read_arm(entry.write())
        arm.chain.plan(weights)
    except InputError:
        return None
    return arm


def _describe_chain(arm: Arm) -> tuple[object, ...]:
    """What makes two arms the same."""
    steps = tuple((step.name, step.key) for step in arm.chain.steps if step.owns)
    return steps, arm.rows, arm.model, repr(arm.decoding)


def _expect_seconds(study: Study, arm: Arm, start: str, times: Mapping[str, float]) -> float | None:
    """What the arm takes, from what its start and others with the added steps took.

    None where a step was added that trains and no arm of the study has it.
    """
    before = next(one for one in study.arms if one.name == start)
    had = {step.name for step in before.chain.steps}
    seconds = times.get(start)
    for step in arm.chain.steps:
        if step.name in had or not step.owns:
            continue
        others = [one.name for one in study.arms if step.name in one.chain.name.split("+")]
        known = [times[name] for name in others if name in times]
        if known and seconds is not None:
            seconds += min(known)
        elif step.trains:
            return None
    return seconds


def _expect_usd(study: Study, arm: Arm, run: ArmRun) -> float:
    """What the arm costs with its seeds, by what its start cost to make and to ask on dev."""
    splits = study.task.splits
    asked = Ledger()  # of its dev rows alone: the diagnosis is in ``run.total``
    price = study.examiner_of(run.arm).engine.price
    Meter(Budget(), asked, price).charge([answer.generation for answer in run.dev])
    rows = len(splits.dev) + len(splits.test)
    return len(study.seeds_of(arm)) * (run.ledger.all_usd + asked.all_usd / len(run.dev) * rows)
