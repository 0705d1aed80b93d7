"""Rows of train that arms are asked for the choice alone: those that they were not trained on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import Protocol

from whatworks.base.errors import ArmFailure, arm_failures
from whatworks.base.progress import Phase, Watcher
from whatworks.data.task import Example, Splits, Task
from whatworks.methods.bench.examiner import Answer, Examiner
from whatworks.models.metering import Meter
from whatworks.prompts.candidate import Candidate
from whatworks.studies.arm_entries import Arm
from whatworks.studies.decisions import ArmRun, ChoiceRows
from whatworks.studies.folds import leave_out_folds

MOST = 300
"""Train rows that an arm is asked, at most."""


class Asked(Protocol):
    """What is asked of a study."""

    @property
    def task(self) -> Task:
        """Its rows."""
        ...

    @property
    def arms(self) -> Sequence[Arm]:
        """What is compared."""
        ...

    def examiner_of(self, name: str) -> Examiner:
        """Who asks an arm's model."""
        ...

    def choose_splits(self, name: str, seed: int) -> Splits:
        """The splits that an arm is given."""
        ...

    def walk(self, arm: Arm, seed: int, splits: Splits, watcher: Watcher) -> ArmRun:
        """Make an arm's candidate from these rows; a failure is noted."""
        ...

    def money(self, run: ArmRun) -> Meter:
        """Counts what only the limit in money covers."""
        ...

    def time(self, arm: str) -> AbstractContextManager[None]:
        """Write down what an arm takes."""
        ...


def ask_train(study: Asked, run: ArmRun, how: ChoiceRows, watcher: Watcher) -> None:
    """Ask an arm rows of train that it was not trained on, for the choice alone.

    Where they cannot be asked, the arm keeps dev.

    Args:
        study: The study.
        run: The arm's run; it is given the answers.
        how: ``dev+folds`` makes an arm that was trained anew without each fold.
        watcher: Shows progress.
    """
    candidate = run.candidate
    if candidate is None or run.failure is not None:
        return
    train = study.task.splits.train
    rows = random.Random("choice").sample(train, min(MOST, len(train)))
    with suppress(ArmFailure), arm_failures():
        if not candidate.fitted:
            run.further = _ask(study, run, candidate, rows, watcher)
        elif how == "dev+folds" and run.seed == 0:
            run.further = _ask_folds(study, run, rows, watcher)


def _ask(
    study: Asked, run: ArmRun, candidate: Candidate, rows: Sequence[Example], watcher: Watcher
) -> list[Answer]:
    tick = Phase(watcher, run.arm, f"seed {run.seed}: train, for the choice", len(rows))
    with study.time(run.arm):
        examiner = study.examiner_of(run.arm)
        return examiner.ask(candidate, rows, meter=study.money(run), tick=tick)


def _ask_folds(
    study: Asked, run: ArmRun, rows: Sequence[Example], watcher: Watcher
) -> list[Answer]:
    """Make an arm anew without each fold of its train rows, and ask it those.

    Raises:
        ArmFailure: If one of them cannot be made or asked.
    """
    arm = next(arm for arm in study.arms if arm.name == run.arm)
    splits, wanted = study.choose_splits(arm.name, run.seed), {row.id for row in rows}
    answers: list[Answer] = []
    for rest, fold in leave_out_folds(splits.train):
        part = study.walk(arm, run.seed, splits.replace(train=rest), watcher)
        run.total.add(part.total)
        if part.candidate is None:
            raise part.failure or ArmFailure("a fold could not be left out")
        asked = [row for row in fold if row.id in wanted]
        answers += _ask(study, run, part.candidate, asked, watcher)
    return answers
