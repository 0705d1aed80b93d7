"""A study file opened: its task read, its model found, its folder named; nothing is written yet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whatworks.base.paths import make_slug, resolve_model
from whatworks.data.task import Task
from whatworks.models.chat_templates import switch_thinking
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine
from whatworks.models.helper import HelperModel
from whatworks.models.open_engine import open_engine
from whatworks.models.weights import Weights
from whatworks.studies.checks.template_checks import drop_refused
from whatworks.studies.study import Study
from whatworks.studies.study_file import Arm, StudyFile, read_arms, read_study
from whatworks.studies.study_task import read_task


@dataclass(frozen=True)
class Opened:
    """Everything that running, checking or planning a study begins with.

    Attributes:
        path: The study file.
        file: What it says, the model replaced where asked.
        arms: Those chosen.
        task: Read and split.
        engine: Runs the model.
        weights: The untouched model.
        helper: The second model, if the study names one.
        out: Folder of the results.
    """

    path: Path
    file: StudyFile
    arms: tuple[Arm, ...]
    task: Task
    engine: Engine
    weights: Weights
    helper: HelperModel | None
    out: Path

    @property
    def decoding(self) -> Decoding:
        """As the file says; ``max_tokens`` 0 is measured by the study."""
        return self.file.decoding.over(Decoding(max_tokens=0), self.path.parent)

    def study(self) -> Study:
        """The study, in its folder.

        Raises:
            InputError: If it cannot run, or the folder holds another one.
        """
        return Study(
            self.task,
            self.arms,
            self.engine,
            self.weights,
            self.out,
            decoding=self.decoding,
            own_decoding={
                arm.name: arm.decoding.over(self.decoding, self.path.parent)
                for arm in self.arms
                if arm.decoding
            },
            seeds=self.file.seeds,
            budget=self.file.budget,
            min_effect=self.file.min_effect,
            helper=self.helper,
        )

    def close(self) -> None:
        """Free the models."""
        self.engine.close()
        if self.helper is not None:
            self.helper.engine.close()


def open_study(
    path: Path,
    *,
    model: str | None = None,
    only: Sequence[str] = (),
    out: Path | None = None,
    checked: bool = True,
) -> Opened:
    """Open a study file.

    Args:
        path: The file, or a folder that holds ``study.yaml``.
        model: Instead of the study's model; a folder is seen from the working folder.
        only: Names of the arms to take; all by default.
        out: Folder of the results; ``runs/NAME-MODEL`` by default.
        checked: Refuse rows that stand twice, and leave out those that the chat template refuses,
            as a run must; ``whatworks check`` lists them.

    Raises:
        InputError: If the study, its data or the model cannot be used.
    """
    path = path / "study.yaml" if os.path.isdir(path) else path
    root = path.parent
    file = read_study(path)
    located = resolve_model(file.model, root) if model is None else resolve_model(model, Path())
    if model is not None:
        file = file.model_copy(update={"model": model})
    arms = read_arms(file, only, root=root)
    task = read_task(file, root, checked=checked)
    template = switch_thinking(file.template, file.enable_thinking)
    engine, weights = open_engine(located, template=template, prices=file.prices)
    if checked:
        task = drop_refused(task, weights)
    helper = None
    if file.helper is not None:  # one that is the model itself shares its engine
        other = resolve_model(file.helper, root)
        shared = (engine, weights) if other == located else open_engine(other, prices=file.prices)
        helper = HelperModel(*shared)
    out = (
        out or Path("runs") / f"{make_slug(file.name or path.parent.name)}-{make_slug(file.model)}"
    )
    return Opened(path, file, tuple(arms), task, engine, weights, helper, out)
