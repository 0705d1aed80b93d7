"""The study: task x arms x seeds, planned, run, resumed.

Two phases. First every arm is adapted and scored on dev, and the decisions (which candidate each
arm is, which arm wins) are written down. Then the test split is opened and every candidate is
asked. Each step is kept under the content of what it was made from, so shared prefixes of chains
run once, and a study killed at any moment continues where it was.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from whatworks.analysis.method_outcomes import Note
from whatworks.analysis.result_rows import ResultRow
from whatworks.base.errors import ArmFailure, InputError, arm_failures
from whatworks.base.frozen import hash_content
from whatworks.base.progress import Phase, Watcher
from whatworks.data.task import Example, Splits, Task
from whatworks.methods.bench.examiner import Answer, Examiner, refuse_targets
from whatworks.metrics.constant_answer import find_best_constant
from whatworks.metrics.registry import load_task_metric as metric_of
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine
from whatworks.models.helper import HelperModel
from whatworks.models.metering import Budget, Meter
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.studies.arm_entries import Arm
from whatworks.studies.choice_rows import ask_train
from whatworks.studies.decisions import (
    ArmRun,
    ChoiceRule,
    choose_winner,
    make_constant_row,
    make_decision,
    make_row,
    widen_choice,
)
from whatworks.studies.race import Race, RacePlan, run_race
from whatworks.studies.starts import Starts, StudyModel
from whatworks.studies.steps import Steps
from whatworks.studies.study_folder import StudyFolder
from whatworks.studies.units import Ahead, Alone, list_units, name_unit


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
        rule: How the arm to recommend is chosen.
        helper: A second model for the methods that ask one.
        race: How the arms race; None for all of them to be run to the end.
        models: The models of the arms that have one of their own, by name.

    Attributes:
        folder: Its files.
        examiner: Asks and scores; the engine is in it.
        steps: Applies methods.
        ahead: Who makes parts of it ahead; nobody by default.

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
        rule: ChoiceRule | None = None,
        helper: HelperModel | None = None,
        race: RacePlan | None = None,
        models: Mapping[str, StudyModel] | None = None,
    ) -> None:
        models = {arm.name: models[arm.name] for arm in arms if models and arm.name in models}
        for arm in arms:
            try:
                arm.chain.plan(models[arm.name].weights if arm.name in models else weights)
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
        self.arms = tuple(arms)
        self.seeds = seeds
        self.rule = rule or ChoiceRule()
        self.helper = helper
        self.race = race
        self.ahead: Ahead = Alone()
        self.budget = budget or Budget()
        self.folder = StudyFolder(out)
        metric = metric_of(task)
        refuse_targets(metric, (*task.splits.dev, *task.splits.test))
        self.examiner = Examiner(engine, metric, self.folder.store)
        self._starts = Starts(
            task,
            self.examiner,
            weights,
            decoding=decoding,
            own_decoding=own_decoding or {},
            models=models,
        )
        self.steps = Steps(task, self._starts.examiner, self.budget, helper, self.folder)
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
        remedy, and the others go on. In a race, an arm that left has no test rows.
        """
        runs, race = self.run_on_dev(watcher)
        left = self._decide(runs, race)
        self.ahead.offer(
            [
                name_unit(self, run.arm, run.seed, "test").replace(spent=run.total)
                for run in runs
                if run.candidate is not None and run.arm not in left
            ]
        )
        for run in runs:
            if run.arm not in left or run.failure is not None:
                self._examine(run, watcher)
        self._examine_constant()
        for arm in self.arms:
            failures = [run.failure.in_words for run in runs if run.arm == arm.name and run.failure]
            note = f"failed: {failures[0]}" if failures else left.get(arm.name, "")
            watcher.done(arm.name, note=note)
        return runs

    def run_on_dev(self, watcher: Watcher) -> tuple[list[ArmRun], Race | None]:
        """Adapt all arms and ask them dev; nothing is decided, and test stays shut.

        Returns:
            The runs, and the race where the study races.
        """
        self.leave_room()
        dev, race = self.task.splits.dev, None
        if self.race is not None:
            race = run_race(self, self.race, dev, self.rule.min_effect, watcher)
        pairs = [(arm, seed) for arm in self.arms for seed in self.seeds_of(arm)]
        if race is None:
            self.ahead.offer(list_units(self))
            runs = [self.run_whole(arm, seed, watcher) for arm, seed in pairs]
        else:
            ran = [race.runs.get((arm.name, seed)) for arm, seed in pairs]
            runs = [run for run in ran if run is not None]
        if self.rule.rows != "dev":
            for run in runs:
                if not (race and race.left(run.arm)):
                    ask_train(self, run, self.rule.rows, watcher)
        return runs, race

    def leave_room(self) -> None:
        """Give answers more room where the first ones of dev show that the model reasons."""
        self._starts.leave_room(self.budget.usd)

    def choose_splits(self, name: str, seed: int) -> Splits:
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
        """What an arm's chain begins with: the study's start, or its own model and decoding."""
        return self._starts.of(name)

    def examiner_of(self, name: str) -> Examiner:
        """Who asks an arm's model."""
        return self._starts.examiner(name)

    @property
    def start(self) -> Candidate:
        """What chains begin with: the task's instructions and the untouched model."""
        return self._starts.study

    @contextmanager
    def time(self, arm: str) -> Generator[None]:
        """Write down what an arm takes; what was done before takes nothing again."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.folder.add_time(arm, time.monotonic() - began)

    def run_whole(self, arm: Arm, seed: int, watcher: Watcher) -> ArmRun:
        """Adapt an arm and ask it all of dev. A failure is noted."""
        run = self.adapt(arm, seed, watcher)
        if run.failure is None:
            self.ask_dev(run, self.task.splits.dev, watcher)
        return run

    def adapt(self, arm: Arm, seed: int, watcher: Watcher) -> ArmRun:
        """Walk the chain; every step is looked up before it is run. A failure is noted."""
        return self.walk(arm, seed, self.choose_splits(arm.name, seed), watcher)

    def walk(self, arm: Arm, seed: int, splits: Splits, watcher: Watcher) -> ArmRun:
        """The same with rows of somebody's choosing."""
        run, candidate = ArmRun(arm.name, seed), self.start_of(arm.name)
        try:
            with arm_failures():
                try:
                    for at, step in enumerate(arm.chain.steps, start=1):
                        unit = name_unit(self, arm.name, seed, at)
                        with self.ahead.turn(unit, watcher), self.time(arm.name):
                            candidate = self.steps.take(step, candidate, run, splits, watcher)
                finally:
                    run.total.add(run.ledger)
                run.candidate = candidate.asked
        except ArmFailure as failure:
            run.failure = failure
        return run

    def ask_dev(self, run: ArmRun, rows: Sequence[Example], watcher: Watcher) -> list[Answer]:
        """Ask rows of dev, or all of it where a method did so already. A failure is noted."""
        candidate = run.candidate
        if candidate is None:
            return []
        dev = self.task.splits.dev
        rows = dev if not run.dev and self.examiner_of(run.arm).has_asked(candidate, dev) else rows

        def tell(answers: Sequence[Answer]) -> None:
            self.folder.live.tell_answers(run.arm, run.seed, answers)

        try:
            unit = name_unit(self, run.arm, run.seed, "dev")
            with self.ahead.turn(unit, watcher), self.time(run.arm), arm_failures():
                meter = self.money(run)
                tick = run.progress or Phase(watcher, run.arm, f"seed {run.seed}: dev", len(dev))
                run.progress = tick
                self.folder.wishes.heed(run.arm)
                follow = self._follow(run, tick)
                answers = self.examiner_of(run.arm).ask(
                    candidate, rows, meter=meter, tick=follow, tell=tell
                )
                if not run.dev:
                    self.folder.keep_candidate(candidate)
                run.take(answers)
        except ArmFailure as failure:
            run.failure, run.candidate, run.dev_score = failure, None, None
            return []
        return answers

    def _decide(self, runs: Sequence[ArmRun], race: Race | None) -> Mapping[str, str]:
        """Write down what was decided on dev; only then is test opened.

        What an earlier run of the study decided of its other arms stays.

        Returns:
            The arms that are not opened on test, and what they left the race on.
        """
        own = {arm.name for arm in self.arms}
        others = [one for one in self.folder.decisions() if one.arm not in own]
        left: Mapping[str, str] = {}
        out = {run.arm: race.left(run.arm) for run in runs} if race else {}
        wide = widen_choice([run for run in runs if not out.get(run.arm)])
        decided = [*others, *(make_decision(run, out.get(run.arm, ""), wide) for run in runs)]
        best = choose_winner(decided, self.rule)
        if race is not None:
            left = race.open(decided, best)
            decided = [*others, *(make_decision(run, left.get(run.arm, ""), wide) for run in runs)]
        self.folder.write_decisions(decided, best, self.constant)
        entries = sorted([one.arm, one.seed, one.candidate, one.dev_score] for one in decided)
        if any(run.candidate for run in runs):
            rows = [example.key for example in self.task.splits.test]
            tested: dict[str, list[str]] = {}
            for one in (one for one in decided if not one.left):
                tested.setdefault(one.arm, []).append(f"{one.seed} {one.candidate}")
            arms = {arm: hash_content([sorted(what), rows]) for arm, what in tested.items()}
            self.folder.open_test(hash_content([entries, best]), arms, rows)
        return left

    def _examine_constant(self) -> None:
        """Score the best constant answer on test; no model is asked."""
        answer = self.constant
        if answer is not None:
            test, metric = self.task.splits.test, self.examiner.metric
            self._record([make_constant_row(e, answer, metric(e, answer)) for e in test])

    def _follow(self, run: ArmRun, tick: Callable[[int], None]) -> Callable[[int], None]:
        """A bar that also tells what was spent, and heeds a wish to stop."""

        def follow(n: int) -> None:
            tick(n)
            self.folder.live.tell_spent(run.arm, run.seed, run.total, adapting=False, now=False)
            self.folder.wishes.heed(run.arm)

        return follow

    def money(self, run: ArmRun) -> Meter:
        """Counts dev and test rows, which only the limit in money covers."""
        budget = self.folder.wishes.over(self.budget)
        price = self.examiner_of(run.arm).engine.price
        return Meter(Budget(usd=budget.usd), run.total, price)

    def _examine(self, run: ArmRun, watcher: Watcher) -> None:
        """Ask about the test rows and record them."""
        test = self.task.splits.test
        if run.candidate is not None:
            tick = Phase(watcher, run.arm, f"seed {run.seed}: test", len(test))
            try:
                unit = name_unit(self, run.arm, run.seed, "test")
                with self.ahead.turn(unit, watcher), self.time(run.arm), arm_failures():
                    meter = self.money(run)
                    examiner, follow = self.examiner_of(run.arm), self._follow(run, tick)
                    answers = examiner.ask(run.candidate, test, meter=meter, tick=follow)
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
