"""The plan of a study: what each arm will take, measured by rehearsing it, before anything runs.

Every chain is walked as the study walks it, shared prefixes once, on a ``Rehearsal`` in place of
the bench. The plan is kept with the run, and what then happens is held against it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from whatworks.analysis.rows_reach import Reach, compute_reach
from whatworks.base.errors import ArmFailure, arm_failures
from whatworks.base.phrasing import format_duration
from whatworks.base.progress import Watcher
from whatworks.base.store import Store
from whatworks.data.task import Example, hash_examples
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.bench.rehearsal import (
    FIRST,
    Rehearsal,
    RehearsedHelper,
    Sampled,
    TrainingPace,
    measure_peak_memory,
)
from whatworks.methods.method import Method
from whatworks.models.metering import Budget, Ledger, Meter
from whatworks.prompts.candidate import Candidate
from whatworks.studies.after_arms import AfterArms, foresee_diagnosis, foresee_forgetting
from whatworks.studies.arm_entries import Arm
from whatworks.studies.study import Study
from whatworks.studies.study_folder import StudyFolder


@dataclass(frozen=True)
class ArmPlan:
    """What an arm will take with all its seeds; steps that it shares count for the first arm.

    Attributes:
        name: The arm.
        seeds: How often it is run.
        requests: Rows asked, helper included: while adapting, on dev and on test.
        tokens: Prompt and completion tokens of these.
        training_tokens: Tokens read in training, all epochs.
        seconds: Wall time.
        usd: Money for served models; None when a price is unknown.
        memory: Most main memory at a time, in bytes; with the training process where one trains.
        failure: Why it cannot be completed, as far as the rehearsal shows; else "".
    """

    name: str
    seeds: int
    requests: int = 0
    tokens: int = 0
    training_tokens: int = 0
    seconds: float = 0.0
    usd: float | None = 0.0
    memory: int = 0
    failure: str = ""


@dataclass(frozen=True)
class StudyPlan:
    """A study's plan.

    Attributes:
        at: When it was made, in seconds since 1970.
        arms: In order.
        rehearsal: Seconds that making it took.
        rows: Rows per split.
        reach: What dev and test can show; None in a plan of an older version.
        after: What comes after the arms.
    """

    at: float
    arms: tuple[ArmPlan, ...]
    rehearsal: float
    rows: dict[str, int]
    reach: Reach | None = None
    after: AfterArms = field(default_factory=AfterArms)

    @property
    def seconds(self) -> float:
        """Wall time of all arms, one after the other, and of what comes after them."""
        return sum(arm.seconds for arm in self.arms) + self.after.seconds


@dataclass(frozen=True)
class _Cost:
    requests: int = 0
    tokens: int = 0
    training_tokens: int = 0
    seconds: float = 0.0
    usd: float = 0.0

    def plus(self, other: _Cost, times: int = 1) -> _Cost:
        mine, more = asdict(self), asdict(other)
        return _Cost(**{name: mine[name] + times * more[name] for name in mine})


def make_plan(
    study: Study, watcher: Watcher, retention: Sequence[str] = (), diagnose: bool = False
) -> StudyPlan:
    """Rehearse every arm, and keep the plan in the study's folder.

    Args:
        study: The study.
        watcher: Shows progress.
        retention: Prompts that arms which train are asked for what they forgot.
        diagnose: Whether wrong answers will be asked for again.
    """
    with tempfile.TemporaryDirectory(prefix="whatworks-plan-") as folder:
        plan = Planner(Path(folder)).plan(study, watcher, retention, diagnose)
    study.folder.write_plan(asdict(plan))
    return plan


def _find_reach(study: Study, pilot: Mapping[str, Mapping[str, float]]) -> Reach:
    """What the study's rows can show, by the rows that the plan asked anyway."""
    splits = study.task.splits
    counts = [(len(rows), len({row.group or row.id for row in rows}))
              for rows in (splits.dev, splits.test)]  # fmt: skip
    grouped = any(groups < rows for rows, groups in counts)
    dev, test = (groups if grouped else rows for rows, groups in counts)
    unit = "group" if grouped else "row"
    return compute_reach(dev, test, len(study.arms) - 1, pilot, unit=unit)


def read_plan(folder: StudyFolder) -> StudyPlan | None:
    """The plan kept in a study's folder; None where there is none, or of another version."""
    record = folder.plan()
    try:
        return TypeAdapter(StudyPlan).validate_python(record) if record else None
    except ValueError:
        return None


class Planner:
    """Rehearses studies: a training that was measured for one serves the next.

    A few rows are asked and a few optimiser steps taken; nothing of it enters the results, and no
    test row is touched.

    Args:
        folder: For what the rehearsals make; theirs alone.
    """

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder)
        self._paces: dict[Any, TrainingPace] = {}

    def plan(
        self,
        study: Study,
        watcher: Watcher,
        retention: Sequence[str] = (),
        diagnose: bool = False,
    ) -> StudyPlan:
        """Rehearse every arm of a study, and what comes after them; see ``make_plan``."""
        began = time.monotonic()
        study.leave_room()
        walk = _Walk(study, self._store, self._paces)
        arms: list[ArmPlan] = []
        for arm in study.arms:
            watcher.start(arm.name, 1)
            arms.append(walk.arm(arm))
            watcher.advance(arm.name, 1, "rehearsed")
            watcher.done(arm.name)
        after = walk.foresee_after(retention, diagnose)
        return StudyPlan(
            time.time(),
            tuple(arms),
            time.monotonic() - began,
            study.task.splits.counts(),
            _find_reach(study, walk.pilot),
            after,
        )

    def foresee(
        self, examiner: Examiner, candidate: Candidate, rows: Sequence[Example], requests: int
    ) -> float:
        """Seconds that so many requests like these take, a few of them asked."""
        own = Examiner(examiner.engine, examiner.metric, self._store)
        rehearsal = Rehearsal(own, train=(), dev=())
        rehearsal.foresee(candidate, rows, requests)
        return rehearsal.foreseen


class _Walk:
    """Walks the chains of one study; what was measured for one arm serves the next."""

    def __init__(self, study: Study, store: Store, paces: dict[Any, TrainingPace]) -> None:
        self._study, self._paces, self._store = study, paces, store
        examiner = self._examiner_of("")
        self._walked: dict[str, Candidate] = {}
        self._samples: dict[Any, Sampled] = {}
        self._shared: dict[str, float] = {}
        train = study.task.splits.train
        model = examiner.files(study.start.weights)
        lengths = examiner.engine.count_tokens(model, [row.target for row in train[:1000]])
        self._answer = 1 + int(np.percentile(lengths, 90)) if lengths else 64
        self._warm: set[str] = set()  # models that are loaded, as far as a run would find them
        self.pilot: dict[str, dict[str, float]] = {}
        """Arm to dev row to score, of the arms that train nothing."""
        self._trained = 0
        self._answers, self._rows, self._seconds = 0, 0, 0.0

    def foresee_after(self, retention: Sequence[str], diagnose: bool) -> AfterArms:
        """What comes after the arms that were walked."""
        with arm_failures():
            forgetting = foresee_forgetting(
                self._study, self._bench(self._study.arms[0]), retention, self._trained
            )
        pace = self._seconds / self._rows if self._rows else 0.0
        diagnosis = foresee_diagnosis(self._study, self._answers, pace) if diagnose else 0.0
        return AfterArms(forgetting, diagnosis)

    def _examiner_of(self, arm: str) -> Examiner:
        """Who asks an arm's model, with the store of the rehearsal."""
        own = self._study.examiner_of(arm)
        return Examiner(own.engine, own.metric, self._store)

    def arm(self, arm: Arm) -> ArmPlan:
        """Rehearse one arm."""
        seeds = len(self._study.seeds_of(arm))
        try:
            with arm_failures():
                return self._rehearse(arm, seeds)
        except ArmFailure as failure:
            return ArmPlan(arm.name, seeds, failure=failure.in_words)

    def _rehearse(self, arm: Arm, seeds: int) -> ArmPlan:
        dev, test = self._study.task.splits.dev, self._study.task.splits.test
        began = time.perf_counter()
        examiner, start = self._examiner_of(arm.name), self._study.start_of(arm.name)
        if start.weights.key not in self._warm:  # loading it, which a run's first arm does as well
            examiner.ask(start.with_decoding(max_tokens=2), dev[:FIRST])
            self._warm.add(start.weights.key)
        total = _Cost(seconds=time.perf_counter() - began)
        candidate, anew = start, 1
        prefix = f"{candidate.key} {arm.rows}"
        bench = self._bench(arm)
        for step in arm.chain.steps:
            anew = seeds if step.stochastic or arm.rows is not None else anew
            prefix = f"{prefix} {step.name} {step.key}"
            if prefix not in self._walked:
                bench = self._bench(arm)
                adapted, cost = self._step(step, candidate, bench)
                self._walked[prefix] = adapted
                total = total.plus(cost, anew)
            candidate = self._walked[prefix]
        answering = self._bench(arm)
        answering.budget = Budget()  # limits are for adapting
        if (candidate.key, hash_examples(dev)) not in bench.asked:
            answering.foresee(candidate, dev, len(dev))
        before = answering.foreseen
        asked = answering.foresee(candidate, dev, len(test))
        self._rows += len(test)
        self._seconds += answering.foreseen - before
        self._answers += seeds * (len(dev) + len(test))
        if candidate.weights.stages:
            self._trained += seeds
        else:
            self.pilot[arm.name] = {one.example.id: one.score.counted for one in asked}
        total = total.plus(_compute_cost(answering.ledger, answering.foreseen), seeds)
        mine, theirs = measure_peak_memory()
        priced = examiner.engine.price is not None
        return ArmPlan(
            arm.name,
            seeds,
            total.requests,
            total.tokens,
            total.training_tokens,
            total.seconds,
            total.usd if priced else None,
            mine + (theirs if total.training_tokens else 0),
        )

    def _step(self, step: Method, start: Candidate, bench: Rehearsal) -> tuple[Candidate, _Cost]:
        began = time.perf_counter()
        adapted = step.adapt(start, bench)
        own = time.perf_counter() - began - bench.spent
        return adapted, _compute_cost(bench.ledger, max(0.0, own) + bench.foreseen)

    def _bench(self, arm: Arm) -> Rehearsal:
        study, examiner = self._study, self._examiner_of(arm.name)
        splits, ledger = study.choose_splits(arm.name, 0), Ledger()
        helper = None
        if study.helper is not None:
            meter = Meter(study.budget, ledger, study.helper.engine.price, helper=True)
            helper = RehearsedHelper(study.helper, self._store, meter)
        return Rehearsal(
            examiner,
            train=splits.train,
            dev=splits.dev,
            documents=study.task.documents,
            documents_fault=study.task.documents_fault,
            preferences=study.task.preferences,
            budget=study.budget,
            ledger=ledger,
            helper=helper,
            answer_tokens=self._answer,
            paces=self._paces,
            samples=self._samples,
            shared=self._shared,
        )


def _compute_cost(ledger: Ledger, seconds: float) -> _Cost:
    return _Cost(
        ledger.all_requests, ledger.all_tokens, ledger.training_tokens, seconds, ledger.all_usd
    )


def compare_plan(plan: StudyPlan, times: dict[str, float], arms: Sequence[str]) -> str:
    """How the plan did, in a sentence; "" when no planned arm has run."""
    both = [(a.name, a.seconds, times[a.name]) for a in plan.arms
            if a.name in times and a.name in arms and not a.failure]  # fmt: skip
    if not both:
        return ""
    foreseen, took = sum(f for _, f, _ in both), sum(t for _, _, t in both)
    worst = max(both, key=lambda item: max(item[1], item[2]) / max(1e-9, min(item[1], item[2])))
    return (
        f"plan: {format_duration(foreseen)} foreseen, {format_duration(took)} taken; "
        f"furthest off {worst[0]}, {format_duration(worst[1])} and {format_duration(worst[2])}"
    )
