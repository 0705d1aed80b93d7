"""The steps of a chain: each is looked up under what it is made from before it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from whatworks.analysis.method_outcomes import Losses, MethodOutcome
from whatworks.base.frozen import hash_content
from whatworks.base.progress import Phase, Watcher
from whatworks.base.store import Store
from whatworks.data.task import Splits, Task, hash_examples
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.method import Method
from whatworks.methods.registry import list_packages
from whatworks.models.helper import Helper, HelperModel
from whatworks.models.metering import Budget, Ledger, Meter
from whatworks.prompts.candidate import Candidate
from whatworks.studies.decisions import ArmRun
from whatworks.studies.study_folder import StudyFolder
from whatworks.version import __version__

_OUTCOMES: TypeAdapter[list[MethodOutcome]] = TypeAdapter(list[MethodOutcome])


class Steps:
    """Applies methods for a study.

    Args:
        task: Its data.
        examiner_of: Who asks, scores and keeps, by the name of an arm.
        budget: Limits for each run.
        helper: A second model for the methods that ask one.
        folder: Of the study; it is told how far a step is, and says what is wished.
    """

    def __init__(
        self,
        task: Task,
        examiner_of: Callable[[str], Examiner],
        budget: Budget,
        helper: HelperModel | None,
        folder: StudyFolder,
    ) -> None:
        self._task, self._examiner_of = task, examiner_of
        self._budget, self._helper = budget, helper
        self._live, self._wishes = folder.live, folder.wishes

    def take(
        self, step: Method, start: Candidate, run: ArmRun, splits: Splits, watcher: Watcher
    ) -> Candidate:
        """Apply a method, or look up what it made; what it took and told goes into the run.

        Raises:
            ArmFailure: If it cannot be applied.
        """
        self._wishes.heed(run.arm)
        budget = self._wishes.over(self._budget)
        seed = run.seed if step.stochastic else 0
        examiner = self._examiner_of(run.arm)
        documents, fault = (
            (self._task.documents, self._task.documents_fault) if step.reads_documents else ((), "")
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
                [pair.key for pair in self._task.preferences],
                fault,
                self._task.metric.key,
                self._helper.key if self._helper else None,
                budget.key,
                asdict(run.ledger) if budget != Budget() else None,
                __version__,
                *list_packages(step),
            ]
        )
        stored: Any = examiner.store.read("steps", key)
        if stored is None:
            phase: Phase | None = None  # the one that the bar shows

            def tick(what: str, done: int, total: int) -> None:
                nonlocal phase
                note = f"seed {run.seed}: {step.name}, {what}"
                if phase is None or phase.note != note or done <= phase.done:
                    phase = Phase(watcher, run.arm, note, total)
                phase.to(done)
                self._live.tell_spent(run.arm, run.seed, spent, adapting=True, now=False)
                self._wishes.heed(run.arm)

            spent = Ledger()
            spent.add(run.ledger)
            bench = Bench(
                examiner,
                train=splits.train,
                dev=splits.dev,
                documents=documents,
                documents_fault=fault,
                preferences=self._task.preferences,
                seed=seed,
                budget=budget,
                ledger=spent,
                tick=tick,
                helper=self._make_helper(spent, budget, examiner.store),
                on_loss=lambda at, loss: self._live.tell_losses(
                    run.arm, run.seed, step.name, [(at, loss)]
                ),
            )
            run.ledger = spent  # also what a step takes that fails
            adapted = step.adapt(start, bench)
            stored = {
                "candidate": adapted.model_dump(mode="json"),
                "ledger": asdict(bench.ledger),
                "outcomes": [one.model_dump(mode="json") for one in bench.outcomes],
            }
            examiner.store.write("steps", key, stored)
        run.ledger = Ledger(**stored["ledger"])
        self._live.tell_spent(run.arm, run.seed, run.ledger, adapting=True)
        outcomes = _OUTCOMES.validate_python(stored["outcomes"])
        for one in outcomes:
            if isinstance(one, Losses):
                points = list(enumerate(one.values, start=1))
                self._live.tell_losses(run.arm, run.seed, step.name, points)
        run.outcomes += [one.replace(method=step.name) for one in outcomes]
        return Candidate.model_validate(stored["candidate"])

    def _make_helper(self, ledger: Ledger, budget: Budget, store: Store) -> Helper | None:
        if self._helper is None:
            return None
        meter = Meter(budget, ledger, self._helper.engine.price, helper=True)
        return Helper(self._helper, store, meter)
