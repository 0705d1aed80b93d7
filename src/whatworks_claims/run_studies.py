"""Running the studies of claims: several at a time, in their order, with the time left; resumes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from whatworks.app.run_study import report_study, run_study
from whatworks.base.errors import InputError, WhatworksError
from whatworks.base.frozen import hash_content
from whatworks.base.progress import Silent, Watcher
from whatworks.models.files import is_shipped, resolve
from whatworks.studies.study_folder import StudyFolder
from whatworks.training.process import THREADS
from whatworks_claims import likelihood
from whatworks_claims.desk import Desk
from whatworks_claims.kinds import DataKind
from whatworks_claims.outcome import Outcome, count_rows
from whatworks_claims.study_plan import ClaimStudy, Step

BAR = "studies"
SMALL = 200 * 2**20
"""Bytes of weights up to which several studies run at a time."""
TICK = 0.5
"""Seconds between two looks at the running studies."""
MOST = 0.95
"""Share of its expected time that a running study is shown to have done."""


@dataclass(frozen=True)
class Request:
    """The options of the command.

    Attributes:
        ids: Claims to measure, all when empty.
        model: As in a study file.
        data: Made up for the occasion, or real.
        quick: Smaller studies.
        out: Folder of the results.
        jobs: Studies at a time.
        seeds: Runs of an arm that depends on the seed: by default 3 in a quick run and 5 in a full
            one, where the spread of three would leave wide intervals (Student's t).
    """

    ids: tuple[str, ...] = ()
    model: str = "lab"
    data: DataKind = "generated"
    quick: bool = False
    out: Path = Path("runs/claims")
    jobs: int = 1
    seeds: int = 0

    @property
    def runs(self) -> int:
        """How often an arm that depends on the seed runs."""
        return self.seeds or (3 if self.quick else 5)


def name_folder(out: Path, step: Step, plan: ClaimStudy, model: str) -> Path:
    """The folder of a study, named by its content, so that another size or model is another study.

    Args:
        out: Folder of all results.
        step: Gives the name.
        plan: The study.
        model: Content hash of the model.
    """
    key = hash_content([plan.key, model])
    return out / "studies" / f"{step.name}-{key}"


def settle_plan(plan: ClaimStudy, desk: Desk, request: Request) -> ClaimStudy:
    """The study with its seeds, and with the room that its answers have where material says so."""
    targets = [row.target for row in plan.task.splits.train]
    longest = max(desk.engine.count_tokens(desk.model, targets), default=0)
    room = desk.source.limit_answers(plan.task, longest)
    decoding = dict(plan.decoding)
    if room:
        decoding.setdefault("max_tokens", room)
    return replace(plan, seeds=request.runs, decoding=decoding)


def conduct(plan: ClaimStudy, folder: Path, model: str) -> Outcome:
    """Run one study in a folder of its own, as ``whatworks run`` would; again, it resumes."""
    path = plan.write(folder, model)
    summary, _ = run_study(path, out=folder / "run", watcher=Silent())
    return read_outcome(folder, summary)


def read_outcome(folder: Path, summary: Any = None) -> Outcome:
    """A finished study read back from its folder."""
    if summary is None:
        summary, _ = report_study(folder / "run")
    run = StudyFolder(folder / "run")
    task = run.task()
    rows = count_rows(task, run.results.rows())
    return Outcome(task, rows, summary, {"likelihood": likelihood.read(run)})


@dataclass
class _Running:
    """A study under way: since when, and how much of its expected time the bar has moved."""

    name: str
    began: float
    shown: int = 0


class Job:
    """The studies in their order.

    Args:
        request: What the command was asked.
        desk: Where studies are made.
        forecast: Expected seconds of each.
        watcher: Shows one bar over all of them.
    """

    def __init__(
        self, request: Request, desk: Desk, forecast: dict[str, float], watcher: Watcher
    ) -> None:
        self.request, self.desk, self.forecast, self.watcher = request, desk, forecast, watcher
        self.failed: dict[str, str] = {}
        self.finished: dict[str, Outcome] = {}
        self.folders: dict[str, Path] = {}
        self._running: dict[Future[None], _Running] = {}

    def run(self, steps: Sequence[Step]) -> dict[str, Outcome]:
        """Run what is not there yet; what came of each study, and ``failed`` says why not."""
        self.watcher.start(BAR, max(1, round(sum(self.forecast.values()))))
        waiting = list(steps)
        with _open_pool(self.request.jobs) as pool:
            while waiting or self._running:
                ready = [s for s in waiting if all(self._is_settled(name) for name in s.after)]
                # The longest first: else it runs alone at the end.
                ready.sort(key=lambda step: -self.forecast.get(step.name, 0.0))
                for step in ready[: self.request.jobs - len(self._running)]:
                    waiting.remove(step)
                    self._begin(step, pool)
                for future in wait(self._running, timeout=TICK).done if self._running else ():
                    self._end(future)
                self._tick()
        self.watcher.done(BAR)
        return self.finished

    def _is_settled(self, name: str) -> bool:
        return name in self.finished or name in self.failed

    def _begin(self, step: Step, pool: Executor | None) -> None:
        lost = [name for name in step.after if name in self.failed]
        try:
            if lost:
                raise InputError(
                    f"it builds on {lost[0]}, which has no results", remedy="see why that failed"
                )
            plan = step.make(replace(self.desk, finished=self.finished))
            if plan is None:
                raise InputError(
                    f"there is no {self.request.data} data for it", remedy="leave `--data` out"
                )
            plan = settle_plan(plan, self.desk, self.request)
            folder = name_folder(self.request.out, step, plan, self.desk.digest)
            path = plan.write(folder, self.request.model)
        except WhatworksError as error:
            self._fail(step.name, error)
            return
        self.folders[step.name] = folder
        self.watcher.advance(BAR, 0, step.name)
        task = (path, folder / "run", self.request.model, plan.scored)
        future = _run_here(*task) if pool is None else pool.submit(_run_study, *task)
        self._running[future] = _Running(step.name, time.monotonic())

    def _tick(self) -> None:
        """Move the bar by the time that has passed."""
        for one in self._running.values():
            passed = min(time.monotonic() - one.began, MOST * self.forecast.get(one.name, 0.0))
            self._move(one, round(passed))

    def _move(self, one: _Running, to: int, note: str = "") -> None:
        if to > one.shown or note:
            self.watcher.advance(BAR, to - one.shown, note)
            one.shown = to

    def _end(self, future: Future[None]) -> None:
        one = self._running.pop(future)
        error = future.exception()
        if isinstance(error, BrokenProcessPool):
            raise WhatworksError(
                "the process of a study was killed, perhaps for want of memory",
                remedy="run the same command with --jobs 1; it goes on from here",
            ) from error
        if error is None:
            self.finished[one.name] = read_outcome(self.folders[one.name])
        elif isinstance(error, WhatworksError):
            self._fail(one.name, error)
        else:
            raise error
        self._move(one, round(self.forecast.get(one.name, 0.0)), f"{one.name} done")

    def _fail(self, name: str, error: WhatworksError) -> None:
        self.failed[name] = error.cause
        self.watcher.say(f"{name}: {error.cause}")


def choose_data(model: str) -> DataKind:
    """The lab's models read the lab's language, every other one natural English."""
    return "generated" if is_shipped(model) else "english"


def share_cores(jobs: int) -> None:
    """Give each of several studies its share of the cores; each process reads it when it starts."""
    if jobs > 1:
        os.environ.setdefault(THREADS, str(max(1, (os.cpu_count() or jobs) // jobs)))


def count_jobs(model: str) -> int:
    """Studies at a time: by cores, at most four, where a small model runs here."""
    if model.startswith("http"):
        return 1
    size = 0
    if not model.startswith("fake"):
        size = sum(file.stat().st_size for file in resolve(model).glob("*.safetensors"))
    return min(4, max(1, os.cpu_count() or 1)) if size < SMALL else 1


def _run_study(path: Path, out: Path, model: str, scored: Sequence[str]) -> None:
    """One study; a function of its own so that another process can run it."""
    run_study(path, out=out, watcher=Silent())
    if scored:
        likelihood.measure(StudyFolder(out), model, scored)


def _run_here(path: Path, out: Path, model: str, scored: Sequence[str]) -> Future[None]:
    """``_run_study`` in this process; it is done when this returns."""
    future: Future[None] = Future()
    try:
        future.set_result(_run_study(path, out, model, scored))
    except WhatworksError as error:
        future.set_exception(error)
    return future


@contextmanager
def _open_pool(jobs: int) -> Generator[Executor | None]:
    """Processes for the studies, which end with this block however it is left."""
    if jobs < 2:
        yield None
        return
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_ignore_interrupt)
    try:
        yield pool
    except BaseException:
        for child in active_children():
            child.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _ignore_interrupt() -> None:
    """Ctrl-C is for the command, which ends its processes; however it ends, so do they."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(TICK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
