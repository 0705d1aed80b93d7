"""A study file opened: its task read, its model found, its folder named; nothing is written yet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from whatworks.base.errors import InputError
from whatworks.base.paths import make_slug, resolve_model
from whatworks.data.task import Task
from whatworks.models.chat_templates import switch_thinking, switch_tools
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine
from whatworks.models.helper import HelperModel
from whatworks.models.local.engine import LocalEngine
from whatworks.models.open_engine import open_engine
from whatworks.models.weights import Weights
from whatworks.studies.checks.template_checks import drop_refused
from whatworks.studies.race import plan_race
from whatworks.studies.starts import StudyModel
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
        models: The models of the arms that have one of their own, by name.
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
    models: Mapping[str, StudyModel]

    @property
    def engines(self) -> list[Engine]:
        """Every engine, once: those of the study's model, of arms' models and of the helper."""
        helpers = [self.helper.engine] if self.helper else []
        others = [one.engine for one in self.models.values()]
        return list({id(one): one for one in (self.engine, *others, *helpers)}.values())

    @property
    def decoding(self) -> Decoding:
        """Decoding as the file says; the study measures a ``max_tokens`` of 0."""
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
            rule=self.file.rule,
            helper=self.helper,
            race=plan_race(self.file, self.arms) if self.file.race else None,
            models=self.models,
        )

    def close(self) -> None:
        """Free the models."""
        for engine in self.engines:
            engine.close()


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
    template = switch_tools(template, file.tools == "native")
    engine, weights = open_engine(located, template=template, prices=file.prices, batch=file.batch)
    models = _open_models(file, arms, root, {located: StudyModel(engine, weights)})
    if checked:  # rows that one model's template refuses are asked of none
        for one in {w.key: w for w in (weights, *(m.weights for m in models.values()))}.values():
            task = drop_refused(task, one)
    helper = None
    if file.helper is not None:  # one that is the model itself shares its engine
        other = resolve_model(file.helper, root)
        shared = (engine, weights) if other == located else open_engine(other, prices=file.prices)
        helper = HelperModel(*shared)
    return Opened(
        path, file, tuple(arms), task, engine, weights, helper,
        out or name_folder(path, file), models,
    )  # fmt: skip


def name_folder(path: Path, file: StudyFile) -> Path:
    """The folder of a study's results where none is named: ``runs/NAME-MODEL``.

    Args:
        path: The study file.
        file: What it says, the model replaced where asked.
    """
    return Path("runs") / f"{make_slug(file.name or path.parent.name)}-{make_slug(file.model)}"


def _open_models(
    file: StudyFile, arms: Sequence[Arm], root: Path, known: dict[str, StudyModel]
) -> dict[str, StudyModel]:
    """The models of the arms that have one of their own, by name.

    Each is opened once. Those that run here share one engine, which keeps one in memory at a time.

    Args:
        file: The study file.
        arms: Those chosen.
        root: Folder that names are relative to.
        known: The study's model, by its located name; others are added.

    Raises:
        InputError: If there is no such model here; it names the arm.
    """
    opened: dict[str, StudyModel] = {}
    for arm in arms:
        if arm.model is None:
            continue
        located = resolve_model(arm.model, root)
        if located not in known:
            template = switch_thinking("auto", file.enable_thinking)
            template = switch_tools(template, file.tools == "native")
            try:
                engine, weights = open_engine(
                    located, template=template, prices=file.prices, batch=file.batch
                )
            except InputError as error:
                place = ", ".join(filter(None, (f"arm {arm.name!r}", error.place)))
                raise InputError(error.cause, place=place, remedy=error.remedy) from error
            if isinstance(engine, LocalEngine):
                local = (one.engine for one in known.values())
                engine = next((one for one in local if isinstance(one, LocalEngine)), engine)
            known[located] = StudyModel(engine, weights)
        opened[arm.name] = known[located]
    return opened
