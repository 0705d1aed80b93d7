"""What is served: a plain model, or an arm with everything that its candidate says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whatworks.app.export.chosen_arm import Chosen, choose_model
from whatworks.app.export.read_export import ReadExport, is_export, read_export
from whatworks.base.errors import InputError
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.examiner import find_model_files
from whatworks.metrics.registry import load
from whatworks.metrics.registry import load_task_metric as metric_of
from whatworks.metrics.score import Metric
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine, ModelFiles
from whatworks.models.local.engine import LocalEngine
from whatworks.models.open_engine import open_engine
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render
from whatworks.studies.study_folder import StudyFolder

PLAIN = Decoding(max_tokens=256, temperature=1.0)
"""How a plain model answers where a request does not say; 1 is the protocol's temperature."""


@dataclass(frozen=True)
class Served:
    """A candidate with the engine that runs it.

    Attributes:
        name: What clients call it.
        engine: Runs it.
        files: Its weights.
        candidate: Its prompt and decoding.
        metric: What its answers mean, for arms that draw several.
    """

    name: str
    engine: Engine
    files: ModelFiles
    candidate: Candidate
    metric: Metric

    @property
    def local(self) -> LocalEngine | None:
        """The engine, where tokens can be seen."""
        return self.engine if isinstance(self.engine, LocalEngine) else None

    @property
    def plain(self) -> bool:
        """Whether nothing is put around a request."""
        return self.candidate.prompt == Prompt()

    def example(self, messages: Sequence[Message], name: str) -> Example:
        """A request as a row."""
        return Example(id=name, messages=tuple(messages))

    def render(self, example: Example) -> tuple[Message, ...]:
        """What the model reads for a request: the arm's prompt around it."""
        if self.plain:
            return example.messages
        return render(self.candidate.prompt, example, exclude=()).messages


def open_served(target: str, arm: str | None = None, name: str | None = None) -> Served:
    """A model by name, or an arm of the study in a folder.

    Args:
        target: What ``open_engine`` takes, the folder of a finished study, or an export.
        arm: Name of the arm; the winner by default.
        name: What clients call it; the model's or the arm's name by default.

    Raises:
        InputError: If there is no such model, study or arm, a run holds the study, or the model is
            another one by now.
    """
    if is_export(Path(target)):
        if arm is not None:
            raise InputError("an export is one arm", place=target, remedy="leave --arm out")
        return _open_export(read_export(Path(target)), name)
    folder = StudyFolder(Path(target))
    if not folder.has_run:
        if arm is not None:
            raise InputError(
                f"an arm {arm!r} is asked for, and this is no finished study",
                place=target,
                remedy="give the folder of its results, e.g. runs/NAME-MODEL",
            )
        engine, weights = open_engine(target)
        candidate = Candidate(prompt=Prompt(), weights=weights, decoding=PLAIN)
        files = ModelFiles(base=weights.base, template=weights.template)
        metric = load(MetricSpec(name="exact"))
        return Served(name or Path(target).name or target, engine, files, candidate, metric)

    with folder.settle():
        return open_arm(folder, choose_model(folder.path, arm), name)


def open_named(target: str) -> Served:
    """One of several that are served: ``TARGET``, ``RUN/ARM``, each also as ``NAME=...``.

    Raises:
        InputError: As ``open_served``.
    """
    name, mark, rest = target.partition("=")
    named = bool(mark) and re.fullmatch(r"[\w.+-]+", name) is not None
    target, name = (rest, name) if named else (target, "")
    path = Path(target)
    if not StudyFolder(path).has_run and StudyFolder(path.parent).has_run:
        return open_served(str(path.parent), path.name, name or None)
    return open_served(target, None, name or None)


def _open_export(read: ReadExport, name: str | None) -> Served:
    engine, now = open_engine(read.files.base, template=read.files.template)
    candidate = Candidate(prompt=read.prompt, weights=now, decoding=read.decoding)
    return Served(name or read.arm, engine, read.files, candidate, load(read.metric))


def open_arm(folder: StudyFolder, chosen: Chosen, name: str | None = None) -> Served:
    """An arm of a finished study with the engine that runs it.

    Raises:
        InputError: If the model is another one by now.
    """
    weights = chosen.candidate.weights
    engine, now = open_engine(weights.base, template=weights.template)
    if now.digest != weights.digest:
        raise InputError(
            f"the model {weights.base} is not the one that the study ran on",
            place=str(folder.path),
            remedy="put the old files back, or run the study again",
        )
    files = find_model_files(weights, folder.store)
    metric = metric_of(chosen.study.task)
    return Served(name or chosen.arm, engine, files, chosen.candidate, metric)
