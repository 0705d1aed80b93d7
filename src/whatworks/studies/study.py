"""The study: task x arms x seeds, planned, run, resumed.

Two phases. First every arm is adapted and scored on dev, and the decisions (which candidate each
arm is, which arm wins) are written down. Then the test split is opened and every candidate is
asked. Each step is kept under the content of what it was made from, so shared prefixes of chains
run once, and a study killed at any moment continues where it was.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from whatworks.analysis.method_outcomes import MethodOutcome, Note
from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.verdict import MIN_EFFECT
from whatworks.base.errors import ArmFailure, InputError, arm_failures
from whatworks.base.frozen import hash_content
from whatworks.base.progress import Phase, Watcher
from whatworks.data.task import Splits, Task, hash_examples
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner, mean, refuse_targets
from whatworks.methods.method import Method
from whatworks.metrics.constant_answer import find_best_constant
from whatworks.metrics.registry import load_task_metric as metric_of
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine
from whatworks.models.helper import Helper, HelperModel
from whatworks.models.metering import Budget, Ledger, Meter
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.studies.answer_room import choose_reasoning_room, measure_room, shows_reasoning
from whatworks.studies.arm_entries import Arm
from whatworks.studies.decisions import (
    ArmRun,
    choose_winner,
    make_constant_row,
    make_decision,
    make_row,
)
from whatworks.studies.decoding_section import settle_constraint
from whatworks.studies.study_folder import StudyFolder
from whatworks.version import __version__

_OUTCOMES: TypeAdapter[list[MethodOutcome]] = TypeAdapter(list[MethodOutcome])


class Study:
    """A task, arms and a model, in a folder of their own.

    Args:
        task: Frozen data.
        arms: What is compared.
        engine: Runs the model.
        weights: The untouched model.
        out: Folder of the study; whoever runs it holds it (``StudyFolder.hold``).
        decoding: Shared by all arms; ``max_tokens`` 0 means measured (``answer_room``).
        own_decoding: What some arms have instead, by name.
        seeds: How often an arm that depends on the seed is run.
        budget: Limits for each run.
        min_effect: Smallest difference of scores that matters.
        helper: A second model for the methods that ask one.

    Attributes:
        folder: Its files.
        examiner: Asks and scores; the engine is in it.
        start: What every chain begins with: the task's instructions and the untouched model.

    Raises:
        InputError: If a chain cannot stack, a reward wants a target, an arm wants more rows than
            there are, a row of dev or test cannot be scored, or ``out`` holds a different study.
    """

    def __init__(
        self,
        task: Task,
        arms: Sequence[Arm],
        engine: Engine,
        weights: Weights,
        out: Path,
        *,
        decoding: Decoding,
        own_decoding: Mapping[str, Decoding] | None = None,
        seeds: int = 3,
        budget: Budget | None = None,
        min_effect: float = MIN_EFFECT,
        helper: HelperModel | None = None,
    ) -> None:
        for arm in arms:
            try:
                arm.chain.plan(weights)
            except InputError as error:
                place = ", ".join(filter(None, (f"arm {arm.name!r}", error.place)))
                raise InputError(error.cause, place=place, remedy=error.remedy) from error
            if arm.rows is not None and arm.rows > len(task.splits.train):
                raise InputError(
                    f"asks for {arm.rows} train rows, there are {len(task.splits.train)}",
                    place=f"arm {arm.name!r}",
                    remedy="leave it out, or write `all` for all of them",
                )
        self.task = task
        self._weights = weights
        self.arms = tuple(arms)
        self.seeds = seeds
        self.min_effect = min_effect
        self.helper = helper
        self.budget = budget or Budget()
        self.folder = StudyFolder(out)
        metric = metric_of(task)
        refuse_targets(metric, (*task.splits.dev, *task.splits.test))
        self.examiner = Examiner(engine, metric, self.folder.store)
        prompt = Prompt(instructions=task.instructions)
        self.start = Candidate(prompt=prompt, weights=weights, decoding=self._settled(decoding))
        own = own_decoding or {}
        self._own = {name: self._settled(one) for name, one in own.items()}
        self._unsaid = {name for name, one in own.items() if not one.max_tokens}
        self._measured = not decoding.max_tokens
        # Arms, seeds, budgets and documents may change between runs of one study, test may grow.
        fixed = task.replace(documents=(), documents_fault="", splits=task.splits.replace(test=()))
        self.folder.claim(
            {
                "task": fixed.key,
                "model": weights.digest,
                "decoding": self.start.decoding.key,
                "template": weights.template,
            },
            [example.key for example in task.splits.test],
        )

    @cached_property
    def constant(self) -> str | None:
        """The answer that is best on train and dev if it is given to every row."""
        splits = self.task.splits
        return find_best_constant(self.examiner.metric, (*splits.train, *splits.dev))

    def run(self, watcher: Watcher) -> list[ArmRun]:
        """Adapt and decide on dev, then open test; rows go to the folder's results.

        Everything already on disk is taken from there. A failing arm becomes a row with cause and
        remedy, and the others go on.
        """
        self.leave_room()
        runs = [self._adapt(arm, seed, watcher) for arm in self.arms for seed in self.seeds_of(arm)]
        self._decide(runs)
        for run in runs:
            self._examine(run, watcher)
        self._examine_constant()
        for arm in self.arms:
            failures = [run.failure.said for run in runs if run.arm == arm.name and run.failure]
            watcher.done(arm.name, note=f"failed: {failures[0]}" if failures else "")
        return runs

    def leave_room(self) -> None:
        """Give answers more room where the first ones of dev show that the model reasons."""
        if not (self._measured or self._unsaid):
            return
        money = Meter(Budget(usd=self.budget.usd), price=self.examiner.engine.price)
        if not shows_reasoning(self.examiner, self.start, self.task.splits.dev, money):
            return
        more = choose_reasoning_room(self.examiner.engine, self.examiner.files(self._weights))
        if self._measured:
            self.start = self.start.replace(decoding=_lengthen(self.start.decoding, more))
        for name in self._unsaid:
            self._own[name] = _lengthen(self._own[name], more)
        self._measured, self._unsaid = False, set()

    def given(self, name: str, seed: int) -> Splits:
        """The splits that an arm is given: all rows of train, or as many as it asks for.

        The smaller samples of a seed are the beginnings of the larger ones.
        """
        splits = self.task.splits
        rows = next(arm.rows for arm in self.arms if arm.name == name)
        if rows is None or rows == len(splits.train):
            return splits
        order = random.Random(f"rows {seed}").sample(splits.train, len(splits.train))
        return splits.replace(train=tuple(order[:rows]))

    def seeds_of(self, arm: Arm) -> range:
        """The seeds that an arm is run with."""
        return range(self.seeds if arm.chain.stochastic or arm.rows is not None else 1)

    def start_of(self, name: str) -> Candidate:
        """What an arm's chain begins with: the study's start, with decoding of its own if any."""
        own = self._own.get(name)
        return self.start if own is None else self.start.replace(decoding=own)

    @contextmanager
    def _timed(self, arm: str) -> Generator[None]:
        """Write down what an arm takes; what was done before takes nothing again."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.folder.add_time(arm, time.monotonic() - began)

    def _adapt(self, arm: Arm, seed: int, watcher: Watcher) -> ArmRun:
        """Walk the chain; every step is looked up before it is run."""
        run = ArmRun(arm.name, seed)
        candidate = self.start_of(arm.name)
        try:
            with self._timed(arm.name), arm_failures():
                try:
                    for step in arm.chain.steps:
                        candidate = self._step(step, candidate, run, watcher)
                finally:
                    run.total.add(run.ledger)
                candidate = candidate.asked
                tick = Phase(watcher, arm.name, f"seed {seed}: dev", len(self.task.splits.dev))
                meter = self._money(run)
                answers = self.examiner.ask(candidate, self.task.splits.dev, meter=meter, tick=tick)
                run.dev_score = mean([answer.score.counted for answer in answers])
                run.dev_content = mean([answer.score.forgiving for answer in answers])
                generations = [answer.generation for answer in answers]
                run.dev_tokens = mean([g.prompt_tokens + g.completion_tokens for g in generations])
                run.candidate = candidate
                self.folder.keep_candidate(candidate)
        except ArmFailure as failure:
            run.failure = failure
        return run

    def _step(self, step: Method, start: Candidate, run: ArmRun, watcher: Watcher) -> Candidate:
        seed = run.seed if step.stochastic else 0
        splits = self.given(run.arm, run.seed)
        documents, fault = (
            (self.task.documents, self.task.documents_fault) if step.reads_documents else ((), "")
        )
        key = hash_content(
            [
                start.key,
                step.name,
                step.key,
                seed,
                hash_examples(splits.train),
                hash_examples(splits.dev),
                [document.key for document in documents],
                [pair.key for pair in self.task.preferences],
                fault,
                self.task.metric.key,
                self.helper.key if self.helper else None,
                self.budget.key,
                asdict(run.ledger) if self.budget != Budget() else None,
                __version__,
            ]
        )
        stored: Any = self.folder.store.read("steps", key)
        if stored is None:
            phase: Phase | None = None  # the one that the bar shows

            def tick(what: str, done: int, total: int) -> None:
                nonlocal phase
                note = f"seed {run.seed}: {step.name}, {what}"
                if phase is None or phase.note != note or done <= phase.done:
                    phase = Phase(watcher, run.arm, note, total)
                phase.to(done)

            spent = Ledger()
            spent.add(run.ledger)
            bench = Bench(
                self.examiner,
                train=splits.train,
                dev=splits.dev,
                documents=documents,
                documents_fault=fault,
                preferences=self.task.preferences,
                seed=seed,
                budget=self.budget,
                ledger=spent,
                tick=tick,
                helper=self._helper(spent),
            )
            run.ledger = spent  # also what a step takes that fails
            adapted = step.adapt(start, bench)
            stored = {
                "candidate": adapted.model_dump(mode="json"),
                "ledger": asdict(bench.ledger),
                "outcomes": [one.model_dump(mode="json") for one in bench.outcomes],
            }
            self.folder.store.write("steps", key, stored)
        run.ledger = Ledger(**stored["ledger"])
        outcomes = _OUTCOMES.validate_python(stored["outcomes"])
        run.outcomes += [one.replace(method=step.name) for one in outcomes]
        return Candidate.model_validate(stored["candidate"])

    def _helper(self, ledger: Ledger) -> Helper | None:
        if self.helper is None:
            return None
        meter = Meter(self.budget, ledger, self.helper.engine.price, helper=True)
        return Helper(self.helper, self.folder.store, meter)

    def _decide(self, runs: Sequence[ArmRun]) -> None:
        """Write down what was decided on dev; only then is test opened.

        What an earlier run of the study decided of its other arms stays.
        """
        own = {arm.name for arm in self.arms}
        others = [one for one in self.folder.decisions() if one.arm not in own]
        decided = [*others, *map(make_decision, runs)]
        best = choose_winner(decided, min_effect=self.min_effect)
        self.folder.write_decisions(decided, best, self.constant)
        entries = sorted([one.arm, one.seed, one.candidate, one.dev_score] for one in decided)
        if any(run.candidate for run in runs):
            rows = [example.key for example in self.task.splits.test]
            tested: dict[str, list[str]] = {}
            for one in decided:
                tested.setdefault(one.arm, []).append(f"{one.seed} {one.candidate}")
            arms = {arm: hash_content([sorted(what), rows]) for arm, what in tested.items()}
            self.folder.open_test(hash_content([entries, best]), arms, rows)

    def _examine_constant(self) -> None:
        """Score the best constant answer on test; no model is asked."""
        answer = self.constant
        if answer is not None:
            test, metric = self.task.splits.test, self.examiner.metric
            self._record([make_constant_row(e, answer, metric(e, answer)) for e in test])

    def _money(self, run: ArmRun) -> Meter:
        """Counts dev and test rows, which only the limit in money covers."""
        return Meter(Budget(usd=self.budget.usd), run.total, self.examiner.engine.price)

    def _examine(self, run: ArmRun, watcher: Watcher) -> None:
        """Ask about the test rows and record them."""
        test = self.task.splits.test
        if run.candidate is not None:
            tick = Phase(watcher, run.arm, f"seed {run.seed}: test", len(test))
            try:
                with self._timed(run.arm), arm_failures():
                    meter = self._money(run)
                    answers = self.examiner.ask(run.candidate, test, meter=meter, tick=tick)
            except ArmFailure as failure:
                run.failure = failure
            else:
                self._record([make_row(run, run.candidate, answer) for answer in answers])
                figures = self.examiner.metric.summary(test, [a.score for a in answers])
                run.outcomes += [
                    Note(method="test", name=name, value=round(value, 4))
                    for name, value in figures.items()
                ]
        if run.failure is not None:
            failed = ResultRow(
                arm=run.arm,
                seed=run.seed,
                status="failed",
                cause=run.failure.cause,
                place=run.failure.place,
                remedy=run.failure.remedy,
            )
            self._record([failed])

    def _record(self, rows: Sequence[ResultRow]) -> None:
        """Append the rows that are not there yet."""

        def what(r: ResultRow) -> tuple[object, ...]:
            return r.arm, r.seed, r.example, r.candidate, r.failure

        results = self.folder.results
        there = set(map(what, (*results.rows(), *results.constant())))
        results.append(r for r in rows if what(r) not in there)

    def _settled(self, decoding: Decoding) -> Decoding:
        """The decoding with what only the task says in it."""
        if decoding.max_tokens == 0:
            model, train = self.examiner.files(self._weights), self.task.splits.train
            room = measure_room(self.examiner.engine, model, train)
            decoding = decoding.replace(max_tokens=room)
        return decoding.replace(
            constraint=settle_constraint(decoding.constraint, self.examiner.metric)
        )


def _lengthen(decoding: Decoding, tokens: int) -> Decoding:
    return decoding.replace(max_tokens=decoding.max_tokens + tokens)
