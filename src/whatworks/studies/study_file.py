"""The study file: a few lines of YAML, checked; ``study_task`` reads the task that it describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.validation import explain
from whatworks.base.yaml_file import read_mapping
from whatworks.data.read import Missing
from whatworks.data.task import Counted
from whatworks.models.metering import Budget
from whatworks.models.prices import Price
from whatworks.studies.arm_entries import Arm, CurveSection, read_arm
from whatworks.studies.decoding_section import DecodingSection

_REMEDY = "docs/study-file.md has every key; `whatworks init` writes a file"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitSection(_Section):
    """How one file is split; sizes default to a fifth each, at most 200.

    ``aside`` rows of train are kept from every arm, for a metric to learn its measure from.
    """

    dev: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)
    aside: int | None = Field(default=None, ge=1)
    seed: int = 0
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


class StudyFile(_Section):
    """A study: task, model, arms.

    ``score`` says which of the metric's scores counts: ``strict`` (content and form) or ``lenient``
    (content alone). Without a ``baseline`` it is the hand-written prompt that is best on dev.
    """

    task: TaskSection
    model: str = "lab"
    arms: list[str | dict[str, Any]] = Field(min_length=1)
    name: str | None = None
    baseline: str | None = None
    score: Counted = "strict"
    seeds: int = Field(default=3, ge=1)
    min_effect: float = Field(default=0.02, ge=0.0, lt=1.0)
    template: str = "auto"
    enable_thinking: bool | None = None
    helper: str | None = None
    prices: dict[str, Price] = Field(default_factory=dict[str, Price])
    decoding: DecodingSection = DecodingSection()
    budget: Budget = Budget()
    retention: str | None = None
    curve: CurveSection | None = None


def read_study(path: Path) -> StudyFile:
    """Read and check a study file.

    Raises:
        InputError: If it is missing, empty, no YAML, or has unknown keys or unfit values.
    """
    content = read_mapping(path, "study file", "`task:` and `arms:`")
    try:
        return StudyFile.model_validate(content)
    except ValidationError as error:
        raise explain(error, StudyFile, place=str(path), remedy=_REMEDY) from error


def read_arms(study: StudyFile, only: Sequence[str] = (), *, root: Path | None = None) -> list[Arm]:
    """The arms of a study and of its curve, all or those named in ``only``.

    Args:
        study: The study file.
        only: Names of arms.
        root: Folder that the files which settings name are relative to; they are not looked at
            without one.

    Raises:
        InputError: If an arm, method, setting or file is unknown, or two arms share a name.
    """
    arms = [read_arm(entry) for entry in study.arms]
    if study.curve is not None:
        arms += study.curve.demonstrations
        arms += [arm for arm in study.curve.arms if arm not in arms]
    names = [arm.name for arm in arms]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two arms are called {name!r}",
                remedy="name one of them: {arm: " + name + ", name: ...}",
            )
    for name in [*only, *([study.baseline] if study.baseline else [])]:
        if name not in names:
            raise InputError(f"unknown arm {name!r}", remedy=suggest_nearest(name, names))
    chosen = [arm for arm in arms if not only or arm.name in only]
    return chosen if root is None else [arm.located(root) for arm in chosen]
