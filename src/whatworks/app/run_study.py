"""The main job: from a study file to a table and a report."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from whatworks.analysis.cost import Cost
from whatworks.analysis.diagnosis.arm_diagnosis import ArmDiagnosis
from whatworks.analysis.exported import choose_seed
from whatworks.analysis.figures import ArmInfo, StudyInfo, Summary
from whatworks.analysis.forgetting import Forgetting
from whatworks.analysis.next_step.predictions import Outcome, describe_outcomes, hold_against
from whatworks.analysis.summarise import summarise
from whatworks.app.report.html import write_html
from whatworks.app.report.progress import RichWatcher
from whatworks.app.trackers.tracked_study import track_study
from whatworks.base.phrasing import format_percent, join_names
from whatworks.base.progress import Watcher
from whatworks.data.task import format_transcript
from whatworks.methods.bench.examiner import mean
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.files import describe_origin
from whatworks.models.prices import FREE
from whatworks.prompts.render import outline, render
from whatworks.studies.baseline import choose_baseline
from whatworks.studies.decisions import ArmRun, Decision, choose_winner
from whatworks.studies.diagnosis import diagnose_study, measure_chains
from whatworks.studies.executors.choose import open_executor
from whatworks.studies.executors.order import Order
from whatworks.studies.live_log import LiveWatcher
from whatworks.studies.open_study import Opened, open_study
from whatworks.studies.plan import compare_plan, read_plan
from whatworks.studies.rate_fairness import describe_unsearched
from whatworks.studies.retention import measure_forgetting, read_prompts
from whatworks.studies.study import Study
from whatworks.studies.study_file import Arm, StudyFile, read_arms
from whatworks.studies.study_folder import StudyFolder
from whatworks.version import __version__


def run_study(
    path: Path,
    *,
    model: str | None = None,
    only: Sequence[str] = (),
    out: Path | None = None,
    jobs: int | None = None,
    watcher: Watcher | None = None,
) -> tuple[Summary, Path]:
    """Run a study file and write ``report.html``; again on the same folder, it resumes.

    Args:
        path: The study file.
        model: Instead of the study's model.
        only: Names of the arms to run; all by default.
        out: Folder of the results; ``runs/NAME-MODEL`` by default.
        jobs: Parts of the study made at once, for more than one in several processes; by default
            what the study file's ``executor`` does with the machine and the model.
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
        order = Order(path=opened.path, model=model, only=tuple(only), out=opened.out)
        study = opened.study()
        with open_executor(opened, order, jobs, folder.add_time) as study.ahead:
            _run(opened, study, prompts, watcher, takeover)
        opened.close()
        summary, page = _report(folder)
        if warnings := track_study(opened.file.track, folder, summary):
            _add_warnings(folder, warnings)
            return _report(folder)
        return summary, page


def _add_warnings(folder: StudyFolder, warnings: Sequence[str]) -> None:
    """Write down what went wrong after the study had run, for the report."""
    finished = folder.read_finished()
    lines = [*finished.study.decisions, *warnings]
    folder.write_summary(dataclasses.replace(finished.study, decisions=lines), finished.arms)


def _run(
    opened: Opened, study: Study, prompts: Sequence[str], watcher: Watcher | None, takeover: str
) -> None:
    """Run a study whose folder is held, to its ``summary.json``."""
    file = opened.file
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
        bars = LiveWatcher(bars, folder.live)
        folder.live.begin(_describe_beginning(study))
        tell_of_traffic(opened, bars)
        runs = study.run(bars)
        left = {one.arm: one.left for one in folder.decisions()}
        examined = [run for run in runs if not left.get(run.arm)]
        forgotten = measure_forgetting(study, examined, prompts, bars)
        diagnosis = _diagnose(file, study, runs, bars)
        for server in list_servers(opened):
            if server.traffic.summary:
                bars.say(server.traffic.summary)
    for run in runs:
        if run.candidate is not None:
            folder.write_prompt(run.arm, run.seed, outline(run.candidate.prompt))
    seconds = time.monotonic() - began
    # Arms that an earlier run of this study finished stay on the board.
    infos = {info.name: info for info in (folder.read_finished().arms if folder.has_run else ())}
    for arm in study.arms:
        info = _make_arm_info(study, arm, runs, forgotten.get(arm.name))
        infos[arm.name] = dataclasses.replace(info, left=left.get(arm.name, ""))
    order = [arm.name for arm in read_arms(file) if arm.name in infos]
    about = _make_study_info(file, study, order, seconds)
    about = dataclasses.replace(
        about,
        file=str(opened.path.absolute()),
        command=f"whatworks run {opened.path} --model {file.model}",
        diagnosis=diagnosis,
        parts=measure_chains(study, runs) if file.diagnose else (),
        findings=[line for one in diagnosis for line in one.sentences],
    )
    folder.write_summary(about, [infos[name] for name in order])
    folder.wishes.end()


def _diagnose(
    file: StudyFile, study: Study, runs: Sequence[ArmRun], watcher: Watcher
) -> list[ArmDiagnosis]:
    """Why the baseline and the chosen arm fail on dev; nothing where the study does not ask."""
    if not file.diagnose:
        return []
    return diagnose_study(study, runs, list_subjects(file, study.folder.decisions()), watcher)


def list_subjects(file: StudyFile, decided: Sequence[Decision]) -> list[str]:
    """The arms that are diagnosed: the baseline and the choice."""
    baseline, _ = choose_baseline(file.baseline, read_arms(file), decided)
    winner = choose_winner(decided, file.rule)
    return [baseline, *([winner] if winner else [])]


def list_servers(opened: Opened) -> list[EndpointEngine]:
    """The servers that a study asks, models and helper."""
    return [one for one in opened.engines if isinstance(one, EndpointEngine)]


def tell_of_traffic(opened: Opened, watcher: Watcher) -> None:
    """Have waits and retries of a study's servers told of while it runs."""
    for server in list_servers(opened):
        server.traffic.tell = watcher.say


def report_study(folder: Path) -> tuple[Summary, Path]:
    """Compute the summary of a finished study anew from its rows, and write its report.

    Raises:
        InputError: If the folder holds no finished study, or a run holds it.
    """
    own = StudyFolder(folder)
    with own.settle():
        return _report(own)


def _report(folder: StudyFolder) -> tuple[Summary, Path]:
    summary, finished = summarise_study(folder), folder.read_finished()
    write_html(summary, finished.rows(), finished.task.splits.test, folder.report)
    return summary, folder.report


def summarise_study(folder: StudyFolder, slices: Sequence[str] = ()) -> Summary:
    """The figures of a finished study from its rows; nothing is written.

    Args:
        folder: The study.
        slices: Columns to judge parts of the test rows by, in place of the study's own.

    Raises:
        InputError: If the folder holds none.
    """
    finished = folder.read_finished()
    info = finished.study
    if plan := read_plan(folder):
        times = folder.times(since=plan.at)
        outcome = compare_plan(plan, times, [arm.name for arm in finished.arms])
        info = dataclasses.replace(info, plan=outcome)
    if predicted := compare_predictions(folder):
        line = describe_outcomes(predicted)
        findings = [*info.findings, line] if line else info.findings
        info = dataclasses.replace(info, predicted=predicted, findings=findings)
    if ended := folder.rounds.read().ended:
        findings = [*info.findings, f"The rounds of further arms ended: {ended}."]
        info = dataclasses.replace(info, auto=ended, findings=findings)
    if slices:
        info = dataclasses.replace(info, slices=tuple(slices))
    return summarise(
        finished.rows(),
        arms=finished.arms,
        study=info,
        examples=finished.task.splits.test,
        constant=finished.constant(),
    )


def compare_predictions(folder: StudyFolder) -> tuple[Outcome, ...]:
    """What was expected of further arms, and what came on dev."""
    by_arm: dict[str, list[float]] = {}
    for one in folder.decisions():
        by_arm.setdefault(one.arm, []).append(one.dev_score or 0.0)
    scores = {arm: mean(own) for arm, own in by_arm.items()}
    return hold_against(folder.predictions(), scores, folder.times())


def _make_study_info(
    file: StudyFile, study: Study, names: Sequence[str], seconds: float
) -> StudyInfo:
    """Facts of the study for the report, over all arms on the board, also those of earlier runs."""
    decided = [one for one in study.folder.decisions() if one.arm in names]
    board = [arm for arm in read_arms(file) if arm.name in names]
    baseline, why = choose_baseline(file.baseline, board, decided)
    known = {one.arm for one in decided} == set(names)
    price = study.examiner.engine.price
    return StudyInfo(
        name=study.task.name,
        model=file.model,
        metric=study.task.metric.name,
        counts=study.task.splits.counts(),
        baseline=baseline,
        min_effect=file.min_effect,
        openings=study.folder.openings,
        looks=study.folder.looks,
        winner=(choose_winner(decided, file.rule) if known else None) or "",
        seconds=seconds,
        machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        version=__version__,
        versions=_read_versions(),
        origin=describe_origin(study.start.weights.base),
        decisions=[
            line
            for line in (
                why,
                _describe_choice_rows(file, decided),
                *_describe_models(study),
                *describe_unsearched(study.arms),
                _describe_raise(study),
            )
            if line
        ],
        choose_on="dev and train" if any(one.choice_score for one in decided) else "dev",
        score=file.score,
        form_methods=list_form_methods(study),
        content_methods=["rag"] if study.task.documents else [],
        constant=study.constant or "",
        prices=price.per_token if price not in (None, FREE) else None,
        requests_per_month=file.requests_per_month,
        slices=file.slices,
        curve=file.curve.names if file.curve else (),
        not_worse=file.questions(names),
        curve_arm=file.curve.arm_name if file.curve else "",
        curve_tokens=file.curve.sizes if file.curve else {},
        shots=[a.name for a in read_arms(file) if a.chain.owns == frozenset({"prompt.demos"})],
    )


def _describe_beginning(study: Study) -> dict[str, Any]:
    """What whoever watches a run is told first."""
    return {
        "arms": {arm.name: len(study.seeds_of(arm)) for arm in study.arms},
        "budget": study.budget.model_dump(),
        "model": study.start.weights.base,
        "metric": study.task.metric.name,
    }


def _describe_raise(study: Study) -> str:
    """What a person raised while it ran, for the report; "" where nothing."""
    held = study.folder.wishes.over(study.budget)
    if held == study.budget:
        return ""
    limits = {name: value for name, value in held.model_dump().items() if value is not None}
    shown = ", ".join(f"{name}: {value:g}" for name, value in limits.items())
    return f"The budget was raised by hand to {{{shown}}}; the study file still says less."


def _describe_models(study: Study) -> list[str]:
    """Which arms have a model of their own, and what served models' tokens cost."""
    bases: dict[str, list[str]] = {}
    for arm in study.arms:
        if arm.model is not None:
            bases.setdefault(arm.model, []).append(arm.name)
    lines = [f"{join_names(arms)} ran on {model}." for model, arms in bases.items()]
    engines = [study.examiner_of(arm.name).engine for arm in study.arms]
    served = [one.price_words for one in engines if isinstance(one, EndpointEngine)]
    return [*lines, *dict.fromkeys(served)]


def _describe_choice_rows(file: StudyFile, decided: Sequence[Decision]) -> str:
    """What the choice looked at beside dev; "" where it looked at dev alone."""
    if file.choose_on == "dev":
        return ""
    widened = {one.arm: one.choice_score for one in decided if one.choice_score is not None}
    shown = join_names([f"{name} {format_percent(score)}" for name, score in widened.items()])
    return f"The choice looked at dev and train rows: {shown}." if shown else ""


def list_form_methods(study: Study) -> list[str]:
    """What could mend the form of answers: a constraint, tuning, or another prompt."""
    constrained = study.examiner.metric.form is not None
    trains = not study.start.weights.base.startswith(("http://", "https://", "fake"))
    return ["constrained"] * constrained + ["sft"] * trains + ["prompt"]


def _make_arm_info(
    study: Study, arm: Arm, runs: Sequence[ArmRun], forgotten: Forgetting | None
) -> ArmInfo:
    mine = [run for run in runs if run.arm == arm.name]
    decided = study.folder.decisions()
    adapted = [run for run in mine if run.candidate is not None]
    scores = [run.dev_score for run in adapted if run.dev_score is not None]
    prompt = ""
    first = adapted[0].candidate if adapted else None
    if first is not None and first.answerer is None and study.task.splits.test:
        row = study.task.splits.test[0]
        prompt = format_transcript(render(first.prompt, row, exclude=[row]).messages)
    context = first.prompt.context if first else None
    answered = first.answerer if first else None
    price = study.examiner_of(arm.name).engine.price
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
        making=_measure_making(study, adapted),
        own_prices=arm.model is not None or bool(first and first.answerer),
        prices=price.per_token if price not in (None, FREE) and not answered else None,
        request_usd=answered.request_usd if answered else None,
        timed=answered is None or answered.timed,
        choice_score=next((d.choice_score for d in decided if d.arm == arm.name), None),
    )


def _measure_making(study: Study, runs: Sequence[ArmRun]) -> Cost:
    """What it takes to make an arm, before any request."""
    if any(study.examiner_of(run.arm).engine.price not in (None, FREE) for run in runs):
        return Cost(mean([run.ledger.all_usd for run in runs]), 0.0, "usd")
    return Cost(mean([run.ledger.all_seconds for run in runs]), 0.0, "seconds")


def _read_versions() -> dict[str, str]:
    """Versions of the libraries that decide the results, as far as they are installed."""
    from importlib.metadata import PackageNotFoundError, version

    versions: dict[str, str] = {}
    for name in ("torch", "transformers", "peft", "trl"):
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
