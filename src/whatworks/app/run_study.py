"""The main job: from a study file to a table and a report."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import time
from collections.abc import Sequence
from pathlib import Path

from whatworks.analysis.exported import choose_seed
from whatworks.analysis.figures import ArmInfo, StudyInfo, Summary
from whatworks.analysis.forgetting import Forgetting
from whatworks.analysis.summarise import summarise
from whatworks.app.report.html import write_html
from whatworks.app.report.progress import RichWatcher
from whatworks.base.phrasing import format_percent, join_names
from whatworks.base.progress import Watcher
from whatworks.data.task import format_transcript
from whatworks.methods.bench.examiner import mean
from whatworks.models.files import describe_origin
from whatworks.prompts.render import outline, render
from whatworks.studies.decisions import ArmRun, Decision, choose_best_prompt, choose_winner
from whatworks.studies.open_study import Opened, open_study
from whatworks.studies.plan import compare_plan, read_plan
from whatworks.studies.retention import measure_forgetting, read_prompts
from whatworks.studies.study import Study
from whatworks.studies.study_file import Arm, StudyFile, read_arms
from whatworks.studies.study_folder import StudyFolder
from whatworks.version import __version__

WRITTEN = frozenset({"zero-shot", "prompt"})
"""Methods whose arms are hand-written prompts and nothing else."""


def run_study(
    path: Path,
    *,
    model: str | None = None,
    only: Sequence[str] = (),
    out: Path | None = None,
    watcher: Watcher | None = None,
) -> tuple[Summary, Path]:
    """Run a study file and write ``report.html``; again on the same folder, it resumes.

    Args:
        path: The study file.
        model: Instead of the study's model.
        only: Names of the arms to run; all by default.
        out: Folder of the results; ``runs/NAME-MODEL`` by default.
        watcher: Shows progress; bars in the terminal by default.

    Returns:
        The summary and the path of the report.

    Raises:
        InputError: If the study, its data or the model cannot be used, or another process holds the
            folder; nothing was written then.
    """
    opened = open_study(path, model=model, only=only, out=out)
    prompts = read_prompts(opened.file.retention, opened.path.parent)
    folder = StudyFolder(opened.out)
    with folder.hold() as takeover:
        _run(opened, prompts, watcher, takeover)
        opened.close()
        return _report(folder)


def _run(opened: Opened, prompts: Sequence[str], watcher: Watcher | None, takeover: str) -> None:
    """Run a study whose folder is held, to its ``summary.json``."""
    file, study = opened.file, opened.study()
    folder = study.folder
    folder.write_task(opened.task)
    began = time.monotonic()
    with RichWatcher() if watcher is None else contextlib.nullcontext(watcher) as bars:
        if takeover:
            bars.say(takeover)
        if opened.task.documents_fault:
            bars.say(f"the documents cannot be used: {opened.task.documents_fault}")
        for note in opened.task.notes:
            bars.say(note)
        runs = study.run(bars)
        forgotten = measure_forgetting(study, runs, prompts, bars)
    for run in runs:
        if run.candidate is not None:
            folder.write_prompt(run.arm, run.seed, outline(run.candidate.prompt))
    seconds = time.monotonic() - began
    # Arms that an earlier run of this study finished stay on the board.
    infos = {info.name: info for info in (folder.finished().arms if folder.has_run else ())}
    infos |= {
        arm.name: _make_arm_info(study, arm, runs, forgotten.get(arm.name)) for arm in study.arms
    }
    order = [arm.name for arm in read_arms(file) if arm.name in infos]
    info = _make_study_info(file, study, order, seconds)
    info = dataclasses.replace(info, command=f"whatworks run {opened.path} --model {file.model}")
    folder.write_summary(info, [infos[name] for name in order])


def report_study(folder: Path) -> tuple[Summary, Path]:
    """Compute the summary of a finished study anew from its rows, and write its report.

    Raises:
        InputError: If the folder holds no finished study, or a run holds it.
    """
    own = StudyFolder(folder)
    with own.settle():
        return _report(own)


def _report(folder: StudyFolder) -> tuple[Summary, Path]:
    finished = folder.finished()
    rows = finished.rows()
    info = finished.study
    if plan := read_plan(folder):
        times = folder.times(since=plan.at)
        outcome = compare_plan(plan, times, [arm.name for arm in finished.arms])
        info = dataclasses.replace(info, plan=outcome)
    examples = finished.task.splits.test
    summary = summarise(
        rows, arms=finished.arms, study=info, examples=examples, constant=finished.constant()
    )
    write_html(summary, rows, examples, folder.report)
    return summary, folder.report


def _make_study_info(
    file: StudyFile, study: Study, names: Sequence[str], seconds: float
) -> StudyInfo:
    """Of the arms on the board, whichever were run now."""
    decided = [one for one in study.folder.decisions() if one.arm in names]
    baseline, why = _choose_baseline(file, names, decided)
    known = {one.arm for one in decided} == set(names)
    return StudyInfo(
        name=study.task.name,
        model=file.model,
        metric=study.task.metric.name,
        counts=study.task.splits.counts(),
        baseline=baseline,
        min_effect=file.min_effect,
        openings=study.folder.openings,
        looks=study.folder.looks,
        winner=(choose_winner(decided, min_effect=file.min_effect) if known else None) or "",
        seconds=seconds,
        machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        version=__version__,
        versions=_read_versions(),
        origin=describe_origin(study.start.weights.base),
        decisions=[why] if why else [],
        score=file.score,
        form_methods=_list_form_methods(study),
        content_methods=["rag"] if study.task.documents else [],
        constant=study.constant or "",
        curve=[arm.name for arm in file.curve.arms] if file.curve else (),
        curve_arm=file.curve.arm_name if file.curve else "",
        shots=[a.name for a in read_arms(file) if a.chain.owns == frozenset({"prompt.demos"})],
    )


def _choose_baseline(
    file: StudyFile, names: Sequence[str], decided: Sequence[Decision]
) -> tuple[str, str]:
    """The arm that the others are compared with, and why it is that one; "" where the file says so.

    Without a baseline in the file it is the best hand-written prompt on dev: what a practitioner
    would have without any of the other methods.
    """
    if file.baseline and file.baseline in names:
        return file.baseline, ""
    written = [
        arm.name
        for arm in read_arms(file)
        if arm.name in names and arm.rows is None and set(arm.chain.name.split("+")) <= WRITTEN
    ]
    best, scores = choose_best_prompt(decided, written)
    if best is None:
        return names[0], ""
    if len(scores) == 1:
        return best, ""
    shown = join_names([f"{name} {format_percent(score)}" for name, score in scores.items()])
    return best, f"The baseline is {best}, the best hand-written prompt on dev: {shown}."


def _list_form_methods(study: Study) -> list[str]:
    """What could mend the form of answers: a constraint, tuning, or another prompt."""
    constrained = study.examiner.metric.form is not None
    trains = not study.start.weights.base.startswith(("http://", "https://", "fake"))
    return ["constrained"] * constrained + ["sft"] * trains + ["prompt"]


def _make_arm_info(
    study: Study, arm: Arm, runs: Sequence[ArmRun], forgotten: Forgetting | None
) -> ArmInfo:
    mine = [run for run in runs if run.arm == arm.name]
    adapted = [run for run in mine if run.candidate is not None]
    scores = [run.dev_score for run in adapted if run.dev_score is not None]
    prompt = ""
    if adapted and adapted[0].candidate is not None and study.task.splits.test:
        row = study.task.splits.test[0]
        prompt = format_transcript(render(adapted[0].candidate.prompt, row, exclude=[row]).messages)
    context = adapted[0].candidate.prompt.context if adapted and adapted[0].candidate else None
    return ArmInfo(
        name=arm.name,
        chain=arm.chain.name,
        dev_score=sum(scores) / len(mine) if scores else None,  # a failed seed counts as 0
        training_seconds=mean([run.ledger.training_seconds for run in adapted]),
        usd=mean([run.total.all_usd for run in mine]),  # one that failed has to be paid as well
        seeds=len(mine),
        prompt=prompt,
        settings={step.name: step.model_dump(mode="json") for step in arm.chain.steps},
        outcomes=[run.outcomes for run in mine],
        passages=context.passages if context else "",
        oracle=any(run.candidate and run.candidate.prompt.oracle for run in adapted),
        forgetting=forgotten,
        rows=arm.rows or len(study.task.splits.train),
        dev_content=mean([run.dev_content for run in adapted]),
        exported=choose_seed({run.seed: run.dev_score for run in adapted}),
    )


def _read_versions() -> dict[str, str]:
    """Versions of the libraries that decide the results, as far as they are installed."""
    from importlib.metadata import PackageNotFoundError, version

    versions: dict[str, str] = {}
    for name in ("torch", "transformers", "peft", "trl"):
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
