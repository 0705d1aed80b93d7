"""The study file: a few lines of YAML, checked; ``study_task`` reads the task that it describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whatworks.analysis.not_worse import NotWorse
from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.paths import resolve_path
from whatworks.base.validation import explain
from whatworks.base.yaml_file import read_mapping
from whatworks.data.read import Missing
from whatworks.data.task import Counted
from whatworks.methods.method import Method
from whatworks.methods.own_method import load_methods
from whatworks.methods.registry import list_methods
from whatworks.models.metering import Budget
from whatworks.models.prices import Price
from whatworks.studies.arm_entries import Arm, CurveSection, read_arm
from whatworks.studies.decisions import ChoiceRows, ChoiceRule
from whatworks.studies.decoding_section import DecodingSection

Tracker = Literal["mlflow", "tensorboard", "trackio", "wandb"]
"""Experiment trackers that can be told of a study (docs/trackers.md)."""
_REMEDY = "docs/study-file.md has every key; `whatworks init` writes a file"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitSection(_Section):
    """How one file is split; sizes default to a fifth each, at most 200.

    ``aside`` rows of train are kept from every arm, for a metric to learn its measure from.
    ``stratify`` gives each target the same share of every split.
    """

    dev: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)
    aside: int | None = Field(default=None, ge=1)
    seed: int = 0
    stratify: bool = False
    on_overlap: Literal["error", "drop"] = "error"


class LimitSection(_Section):
    """Most rows to take of each split, from a reproducible shuffle."""

    train: int | None = Field(default=None, ge=1)
    dev: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)


class ClusterSection(_Section):
    """How category ids are made: the options of ``whatworks cluster``."""

    method: Literal["k-means", "hdbscan"] = "k-means"
    k: int | None = Field(default=None, ge=2)
    most: int | None = Field(default=None, ge=2)
    embedder: str = "auto"
    seed: int = 0


class TaskSection(_Section):
    """Where the task's data lies and how it is scored.

    ``where`` keeps the rows whose ``meta`` has these values. ``turns`` says which answers of a
    train conversation are rows; dev and test ask for the last, or, by ``asked``, turn by turn, the
    turns before as they stand in the data. ``cluster`` makes category ids from
    the texts of train, in place of their targets. ``missing`` says what becomes of rows without
    an input or a target.
    """

    train: str
    dev: str | None = None
    test: str | None = None
    metric: str | dict[str, Any]
    documents: str | None = None
    preferences: str | None = None
    instructions: str | None = None
    format: str | None = None
    columns: dict[str, str | list[str]] | None = None
    split: SplitSection = SplitSection()
    limit: LimitSection = LimitSection()
    where: dict[str, Any] = Field(default_factory=dict)
    turns: Literal["last", "every", "asked"] = "last"
    cluster: ClusterSection | None = None
    missing: Missing = "refuse"


class NotWorseSection(_Section):
    """A question: is ``arm`` not worse than ``than`` by more than ``margin``?"""

    arm: str
    than: str
    margin: float = Field(default=0.02, gt=0.0, lt=1.0)


class StudyFile(_Section):
    """A study: task, model, arms.

    ``score`` says which of the metric's scores counts: ``strict`` (content and form) or ``lenient``
    (content alone). Without a ``baseline`` it is the hand-written prompt that is best on dev.
    ``requests_per_month`` is how many there will be: the choice among arms that tie on dev weighs
    what it takes to make an arm against what its requests cost. In a ``race`` arms that are behind
    on dev leave early, but for those in ``keep``. ``choose_on`` says which rows the choice looks
    at. ``batch`` asks a served model in batches, for less and later. ``diagnose`` asks for some
    wrong answers on dev again, with form and facts given, to say why arms fail.
    ``tools`` says how functions of rows are shown: by chat template or server where these take
    them, or as text. ``executor`` says where arms are made: one after the other here (``serial``),
    or in several ``processes``. ``track`` names experiment trackers that are told of the results.
    ``plugins`` are Python files with methods of the user's own, which are run where arms are read.
    ``not_worse`` asks of two arms whether the first is not worse than the second by more than a
    margin, and what each costs a month.
    """

    task: TaskSection
    model: str = "lab"
    arms: list[str | dict[str, Any]] = Field(min_length=1)
    name: str | None = None
    baseline: str | None = None
    race: bool | Budget = False
    keep: list[str] = Field(default_factory=list)
    score: Counted = "strict"
    seeds: int = Field(default=3, ge=1)
    min_effect: float = Field(default=0.02, ge=0.0, lt=1.0)
    requests_per_month: int | None = Field(default=None, ge=1)
    choose_on: ChoiceRows = "dev"
    template: str = "auto"
    enable_thinking: bool | None = None
    tools: Literal["native", "text"] = "native"
    helper: str | None = None
    prices: dict[str, Price] = Field(default_factory=dict[str, Price])
    batch: bool = False
    decoding: DecodingSection = DecodingSection()
    budget: Budget = Budget()
    retention: str | None = None
    curve: CurveSection | None = None
    slices: list[str] = Field(default_factory=list)
    not_worse: NotWorseSection | list[NotWorseSection] = Field(
        default_factory=list[NotWorseSection]
    )
    diagnose: bool = True
    executor: Literal["serial", "processes"] = "serial"
    track: list[Tracker] = Field(default_factory=list[Tracker])
    plugins: list[str] = Field(default_factory=list)

    @property
    def asked_not_worse(self) -> list[NotWorseSection]:
        """The questions of ``not_worse``, one or several."""
        asked = self.not_worse
        return [asked] if isinstance(asked, NotWorseSection) else asked

    def questions(self, arms: Sequence[str]) -> list[NotWorse]:
        """What is asked of two arms of these."""
        return [
            NotWorse(one.arm, one.than, one.margin)
            for one in self.asked_not_worse
            if {one.arm, one.than} <= {*arms}
        ]

    @property
    def rule(self) -> ChoiceRule:
        """How the arm to recommend is chosen."""
        return ChoiceRule(self.min_effect, self.requests_per_month, self.choose_on)


def read_study(path: Path) -> StudyFile:
    """Read and check a study file.

    Raises:
        InputError: If it is missing, empty, no YAML, or has unknown keys or unfit values.
    """
    content = read_mapping(path, "study file", "`task:` and `arms:`")
    try:
        study = StudyFile.model_validate(content)
    except ValidationError as error:
        raise explain(error, StudyFile, place=str(path), remedy=_REMEDY) from error
    files = [str(resolve_path(path.parent, name).absolute()) for name in study.plugins]
    return study.model_copy(update={"plugins": files})


def read_arms(study: StudyFile, only: Sequence[str] = (), *, root: Path | None = None) -> list[Arm]:
    """The arms of a study and of its curve, all or those named in ``only``.

    The files that ``plugins`` names are run.

    Args:
        study: The study file.
        only: Names of arms.
        root: Folder that the files which settings name are relative to; they are not looked at
            without one.

    Raises:
        InputError: If an arm, method, setting or file is unknown, or two arms share a name.
    """
    own = _load_methods(study)
    arms = [read_arm(entry, own) for entry in study.arms]
    if study.curve is not None:
        arms += study.curve.demonstrations
        arms += [arm for arm in study.curve.list_arms(own) if arm not in arms]
    names = [arm.name for arm in arms]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two arms are called {name!r}",
                remedy="name one of them: {arm: " + name + ", name: ...}",
            )
    asked = [name for one in study.asked_not_worse for name in (one.arm, one.than)]
    for name in [*only, *study.keep, *([study.baseline] if study.baseline else []), *asked]:
        if name not in names:
            raise InputError(f"unknown arm {name!r}", remedy=suggest_nearest(name, names))
    chosen = [arm for arm in arms if not only or arm.name in only]
    return chosen if root is None else [arm.locate(root) for arm in chosen]


def _load_methods(study: StudyFile) -> dict[str, type[Method]]:
    """The methods that only this study knows.

    Raises:
        InputError: If a file cannot be used, or a name is taken.
    """
    own: dict[str, type[Method]] = {}
    for file in study.plugins:
        own |= load_methods(Path(file), {*list_methods(), *own})
    return own
