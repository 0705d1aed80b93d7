"""The claims' job: announce the time, run the studies, decide, write the page; resumes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from whatworks.candidate import Candidate, Decoding, Weights
from whatworks.claims import chosen, likelihood, needed
from whatworks.claims.claim import Claim, Evidence, Finding
from whatworks.claims.desk import Desk
from whatworks.claims.forecast import Pace, expected, probe
from whatworks.claims.outcome import Outcome
from whatworks.claims.plan import DataKind, Plan, Step
from whatworks.claims.rule import decide
from whatworks.engines import ModelFiles, open_engine
from whatworks.errors import InputError, WhatworksError
from whatworks.examiner import Examiner
from whatworks.facts.known import CLASSES, classify
from whatworks.identity import content_key
from whatworks.main_job import report_study, run_study
from whatworks.metrics import load
from whatworks.progress import Watcher
from whatworks.prompt import Prompt
from whatworks.results import Results, Row
from whatworks.store import Store, write_atomic
from whatworks.task import Example, MetricSpec, Task
from whatworks.wording import duration

BAR = "studies"
SMALL = 200 * 2**20
"""Bytes of weights up to which several studies run at a time."""


@dataclass(frozen=True)
class Request:
    """What the command was asked.

    Attributes:
        ids: Claims to measure, all when empty.
        model: As in a study file.
        data: Made up for the occasion, or real.
        quick: Smaller studies.
        out: Folder of the results.
        jobs: Studies at a time.
        seeds: Runs of an arm that depends on the seed; 3 for a finding that counts.
    """

    ids: tuple[str, ...] = ()
    model: str = "lab"
    data: DataKind = "generated"
    quick: bool = False
    out: Path = Path("runs/claims")
    jobs: int = 1
    seeds: int = 3


@dataclass(frozen=True)
class Report:
    """Everything the page and the table show."""

    request: Request
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]
    folders: dict[str, Path]
    announced: float
    seconds: float


def measure(request: Request, watcher: Watcher) -> Report:
    """Measure the claims; what is already below ``request.out`` is taken from there.

    Raises:
        InputError: If a claim or the model does not exist; nothing was written then.
    """
    began = time.monotonic()
    claims = chosen(request.ids)
    engine, weights = open_engine(request.model)
    model = ModelFiles(base=weights.base, template=weights.template)
    known = _known(Examiner(engine, load(MetricSpec(name="facts")), _store(request)), weights)
    desk = Desk(engine, model, known, request.data, request.quick)
    steps = needed(claims, request.quick)
    watcher.say(f"{len(claims)} claims in {len(steps)} studies on {request.model}")
    forecast = _forecast(request, desk, steps)
    announced = sum(forecast.values()) / max(1, request.jobs)
    watcher.say(f"expected: {duration(announced)}; results in {request.out}")
    job = _Job(request, replace(desk, finished={}), forecast, watcher)
    outcomes, folders = job.run(steps)
    engine.close()
    findings = tuple(find(claim, outcomes, job.failed, request.quick) for claim in claims)
    return Report(request, claims, findings, folders, announced, time.monotonic() - began)


def find(
    claim: Claim, outcomes: dict[str, Outcome], failed: dict[str, str], quick: bool = False
) -> Finding:
    """The finding of one claim, from its studies."""
    names = claim.reads(quick)
    for name in names:
        if name not in outcomes:
            cause = failed.get(name, "it was not run")
            return decide(claim.id, Evidence(missing=f"the study {name} has no results: {cause}"))
    return decide(claim.id, claim.find({name: outcomes[name] for name in names}))


def conduct(plan: Plan, folder: Path, model: str) -> Outcome:
    """Run one study in a folder of its own, as ``whatworks run`` would; again, it resumes."""
    path = plan.write(folder, model)
    summary, _ = run_study(path, out=folder / "run", watcher=_Silent())
    return outcome(folder, summary)


def outcome(folder: Path, summary: Any = None) -> Outcome:
    """A finished study read back from its folder."""
    if summary is None:
        summary, _ = report_study(folder / "run")
    task = Task.model_validate_json((folder / "run" / "task.json").read_text(encoding="utf-8"))
    rows = tuple(Results(folder / "run" / "results.jsonl").rows())
    measured = folder / "run" / likelihood.FILE
    measures = {"likelihood": json.loads(measured.read_text())} if measured.exists() else {}
    return Outcome(task, rows, summary, measures)


class _Silent:
    def start(self, name: str, total: int) -> None: ...
    def advance(self, name: str, n: int = 1, note: str = "") -> None: ...
    def done(self, name: str, note: str = "") -> None: ...
    def say(self, text: str) -> None: ...


class _Job:
    """The studies in their order, several at a time, with the time left."""

    def __init__(
        self, request: Request, desk: Desk, forecast: dict[str, float], watcher: Watcher
    ) -> None:
        self.request, self.desk, self.forecast, self.watcher = request, desk, forecast, watcher
        self.failed: dict[str, str] = {}
        self.finished: dict[str, Outcome] = {}
        self.folders: dict[str, Path] = {}
        self._running: dict[Future[None], str] = {}

    def run(self, steps: Sequence[Step]) -> tuple[dict[str, Outcome], dict[str, Path]]:
        total = sum(self.forecast.values())
        self.watcher.start(BAR, max(1, round(total)))
        waiting = list(steps)
        with _pool(self.request.jobs) as pool:
            while waiting or self._running:
                ready = [s for s in waiting if all(self._settled(name) for name in s.after)]
                for step in ready[: self.request.jobs - len(self._running)]:
                    waiting.remove(step)
                    self._begin(step, pool)
                if self._running:
                    done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._end(future)
        self.watcher.done(BAR)
        return self.finished, self.folders

    def _settled(self, name: str) -> bool:
        return name in self.finished or name in self.failed

    def _begin(self, step: Step, pool: Executor | None) -> None:
        lost = [name for name in step.after if name in self.failed]
        try:
            if lost:
                raise InputError(f"it builds on {lost[0]}, which has no results")
            plan = step.make(replace(self.desk, finished=self.finished))
            if plan is None:
                raise InputError(f"there is no {self.request.data} data for it")
            plan = replace(plan, seeds=self.request.seeds)
            folder = _folder(self.request, step, plan)
            path = plan.write(folder, self.request.model)
        except WhatworksError as error:
            self._fail(step.name, error)
            return
        self.folders[step.name] = folder
        self.watcher.advance(BAR, 0, step.name)
        task = (path, folder / "run", self.request.model, plan.scored)
        if pool is None:
            future: Future[None] = Future()
            try:
                future.set_result(_study(*task))
            except WhatworksError as error:
                future.set_exception(error)
        else:
            future = pool.submit(_study, *task)
        self._running[future] = step.name

    def _end(self, future: Future[None]) -> None:
        name = self._running.pop(future)
        error = future.exception()
        if error is None:
            self.finished[name] = outcome(self.folders[name])
        elif isinstance(error, WhatworksError):
            self._fail(name, error)
        else:
            raise error
        self.watcher.advance(BAR, round(self.forecast.get(name, 0.0)), f"{name} done")

    def _fail(self, name: str, error: WhatworksError) -> None:
        self.failed[name] = error.cause
        self.watcher.say(f"{name}: {error.cause}")


def jobs_for(model: str) -> int:
    """Studies at a time: by cores, at most four, where a small model runs here."""
    if model.startswith("http"):
        return 1
    size = 0
    if not model.startswith("fake"):
        from whatworks.engines.models import resolve

        size = sum(file.stat().st_size for file in resolve(model).glob("*.safetensors"))
    return min(4, max(1, os.cpu_count() or 1)) if size < SMALL else 1


def _study(path: Path, out: Path, model: str, scored: Sequence[str]) -> None:
    """One study; a function of its own so that another process can run it."""
    run_study(path, out=out, watcher=_Silent())
    if scored:
        likelihood.measure(out, model, scored)


def _pool(jobs: int) -> Any:
    if jobs < 2:
        return nullcontext()
    cores = os.cpu_count() or jobs
    # The studies share the cores; each process reads this when it starts.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // jobs)))
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))


def _store(request: Request) -> Store:
    return Store(request.out / "store")


def _known(examiner: Examiner, weights: Weights) -> Callable[[Sequence[Example]], dict[str, str]]:
    start = Candidate(
        prompt=Prompt(instructions="Answer the question."),
        weights=weights,
        decoding=Decoding(max_tokens=16),
    )

    def known(facts: Sequence[Example]) -> dict[str, str]:
        return dict(classify(examiner, start, facts, facts))

    return known


def _forecast(request: Request, desk: Desk, steps: Sequence[Step]) -> dict[str, float]:
    """Expected seconds of each study, those that are done at nothing.

    Studies that build on others are made from placeholders here: only their size counts.
    """

    def guess(facts: Sequence[Example]) -> dict[str, str]:
        return {fact.id: CLASSES[-(i % 2)] for i, fact in enumerate(facts)}

    pace: Pace | None = None
    found: dict[str, float] = {}
    made: dict[str, Outcome] = {}
    for step in steps:
        try:
            plan = step.make(replace(desk, known=guess, finished=made))
        except WhatworksError:
            plan = None
        if plan is None:
            found[step.name] = 0.0
            continue
        plan = replace(plan, seeds=request.seeds)
        made[step.name] = _placeholder(plan)
        if (_folder(request, step, plan) / "run" / "summary.json").exists():
            found[step.name] = 0.0
            continue
        pace = pace or probe(desk, request.out / "probe")
        found[step.name] = expected(plan, pace, desk)
    return found


def _placeholder(plan: Plan) -> Outcome:
    """An outcome in which every arm answers right."""
    rows = [
        Row(arm, 0, "scored", example=e.id, output=e.target, value=1.0, kind="correct")
        for arm in plan.names
        for e in plan.task.splits.test
    ]
    return Outcome(plan.task, tuple(rows))


def _folder(request: Request, step: Step, plan: Plan) -> Path:
    """Of a study: named by its content, so that another size or model is another study."""
    key = content_key([plan.key, request.model])
    return request.out / "studies" / f"{step.name}-{key}"


def save(report: Report) -> Path:
    """Write ``claims.json`` and ``claims.html``; returns the page's path."""
    from whatworks.claims.page import as_data, page

    write_atomic(report.request.out / "claims.json", json.dumps(as_data(report), indent=1))
    path = report.request.out / "claims.html"
    write_atomic(path, page(report))
    return path
