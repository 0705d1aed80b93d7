"""The study file: a few lines of YAML, checked, turned into a task and arms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whatworks.base.errors import InputError, nearest
from whatworks.base.paths import path_of
from whatworks.base.yaml_file import read_mapping
from whatworks.data import every_turn, read, read_documents
from whatworks.data.duplicates import find, for_training
from whatworks.data.splitting import check_examples, drop_overlap, split
from whatworks.data.task import Document, Example, Pair, Splits, Task
from whatworks.metrics.registry import metric_at
from whatworks.models.metering import Budget
from whatworks.models.prices import Price
from whatworks.studies.arm_entries import Arm, CurveSection, read_arm
from whatworks.studies.clustering import categorised
from whatworks.studies.decoding_section import DecodingSection

_Item = TypeVar("_Item", Example, Pair)

DEFAULT_INSTRUCTIONS = {
    "json": "Answer with one JSON object.",
    "category": "Answer with one category.",
    "mr": "Write the meaning representation.",
    "sql": "Answer with one SQL query.",
    "facts": "Answer the question.",
}
"""What a task says when its file does not: the form of the answer, nothing about its content."""


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
    train conversation are rows; dev and test ask for the last. ``cluster`` makes category ids from
    the texts of train, in place of their targets.
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
    turns: Literal["last", "every"] = "last"
    cluster: ClusterSection | None = None


class StudyFile(_Section):
    """A study: task, model, arms."""

    task: TaskSection
    model: str = "lab"
    arms: list[str | dict[str, Any]] = Field(min_length=1)
    name: str | None = None
    baseline: str | None = None
    seeds: int = Field(default=3, ge=1)
    min_effect: float = Field(default=0.02, ge=0.0, lt=1.0)
    template: str = "auto"
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
        raise _explained(error, path) from error


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
            raise InputError(f"unknown arm {name!r}", remedy=nearest(name, names))
    chosen = [arm for arm in arms if not only or arm.name in only]
    return chosen if root is None else [arm.located(root) for arm in chosen]


def read_task(study: StudyFile, root: Path, *, checked: bool = True) -> Task:
    """Read the task's files, relative to ``root``; split, limit and check them.

    Without ``checked``, rows that stand twice are let pass, for ``whatworks check`` to list.

    Documents that cannot be read are none, and the task says why.

    Raises:
        InputError: If a file of rows is missing or wrong, or train and test share rows.
    """

    section = study.task
    documents: dict[str, Document] = {}
    fault = ""

    def rows(name: str) -> tuple[tuple[Example, ...], tuple[Pair, ...]]:
        data = read(path_of(root, name), format=section.format, columns=section.columns)
        documents.update({d.id: d for d in data.documents})
        wanted = section.where.items()

        def fits(example: Example) -> bool:
            return all(example.meta.get(k) == v for k, v in wanted)

        pairs = tuple(pair for pair in data.pairs if fits(pair.example))
        return tuple(filter(fits, data.examples)), pairs

    train, pairs = rows(section.train)
    if section.cluster is not None:
        train, _ = categorised(train, **section.cluster.model_dump())
    given = {
        part: _renamed(rows(name)[0], part, train)
        for part in ("dev", "test")
        if (name := getattr(section, part))
    }
    if not given:
        train, given = _by_column(train)
        if given:
            pairs = tuple(pair for pair in pairs if pair.example.meta.get("split") == "train")
    splits = Splits(train=train, dev=given.get("dev", ()), test=given.get("test", ()))
    splits = _apart(splits, section.split, checked)
    splits, aside = _set_aside(_completed(splits, section.split), section.split)
    limits = {part: getattr(section.limit, part) for part in ("train", "dev", "test")}
    splits = Splits(
        **{
            part: _limited(getattr(splits, part), limit, section.split.seed)
            for part, limit in limits.items()
        }
    )
    if section.documents:
        place = path_of(root, section.documents)
        try:
            documents = {d.id: d for d in read_documents(place)}
        except InputError as error:  # fails the arms that need them; the others have their answer
            fault = "; ".join(part for part in (error.cause, error.remedy) if part)
            fault, documents = f"{error.place or place}: {fault}", {}
    held = (*splits.dev, *splits.test, *aside)
    if section.preferences:
        preferences = for_training(read(path_of(root, section.preferences)).pairs, held)
    else:
        of_row = {pair.example.id: pair for pair in pairs}
        preferences = tuple(of_row[row.id] for row in splits.train if row.id in of_row)
        # A bad answer without a good one to the same input is no row, so that no split has it.
        bad = for_training([pair for pair in pairs if not pair.chosen], held)
        preferences += _limited(bad, limits["train"], section.split.seed)
    if section.turns == "every":  # whole conversations were split, so none stands in two splits
        splits = splits.replace(train=every_turn(splits.train))
        splits = _apart(splits, section.split, checked)
    metric = metric_at(section.metric, root)
    if metric.name == "judge" and study.helper and "model" not in metric.options:
        metric = metric.replace(options={**metric.options, "model": study.helper})
    instructions = section.instructions
    if instructions is None:
        instructions = DEFAULT_INSTRUCTIONS.get(metric.name, "")
    return Task(
        name=study.name or Path(section.train).stem,
        splits=splits,
        metric=metric,
        instructions=instructions,
        documents=tuple(documents.values()),
        preferences=preferences,
        documents_fault=fault,
        aside=aside,
    )


def _by_column(
    rows: tuple[Example, ...],
) -> tuple[tuple[Example, ...], dict[str, tuple[Example, ...]]]:
    """The splits that the rows themselves name in a ``split`` column, if all of them do."""
    names = [str(row.meta.get("split", "")) for row in rows]
    if "train" not in names or not set(names) <= {"train", "dev", "test"}:
        return rows, {}
    parts = {
        part: tuple(row for row, name in zip(rows, names, strict=True) if name == part)
        for part in ("train", "dev", "test")
    }
    train = parts.pop("train")
    return train, {part: chosen for part, chosen in parts.items() if chosen}


def _renamed(
    rows: tuple[Example, ...], part: str, train: tuple[Example, ...]
) -> tuple[Example, ...]:
    """Files of one name in two folders make the same ids: those of dev and test get a prefix."""
    taken = {example.id for example in train}
    if not any(row.id in taken for row in rows):
        return rows
    return tuple(row.replace(id=f"{part}/{row.id}") for row in rows)


def _completed(splits: Splits, section: SplitSection) -> Splits:
    """Cut the splits that the user did not give from train."""
    if splits.dev and splits.test:
        return splits
    if not splits.dev and not splits.test:
        return _cut(splits.train, dev=section.dev, test=section.test, seed=section.seed)
    missing = "test" if splits.dev else "dev"
    wanted: int | None = getattr(section, missing)
    share = min(200, max(1, len(splits.train) // 5)) if wanted is None else wanted
    cut = _cut(splits.train, dev=1, test=share, seed=section.seed)
    return splits.replace(train=cut.train + cut.dev, **{missing: cut.test})


def _apart(splits: Splits, section: SplitSection, checked: bool) -> Splits:
    """Splits that share no rows: dropped or, if checked, refused."""
    if section.on_overlap == "drop":
        splits = drop_overlap(splits)
    if checked:
        check_examples(splits)
    return splits


def _set_aside(splits: Splits, section: SplitSection) -> tuple[Splits, tuple[Example, ...]]:
    """Take whole groups out of train, for the metric alone."""
    if section.aside is None:
        return splits, ()
    cut = _cut(splits.train, dev=1, test=section.aside, seed=section.seed)
    return splits.replace(train=cut.train + cut.dev), cut.test


def _cut(rows: tuple[Example, ...], *, dev: int | None, test: int | None, seed: int) -> Splits:
    """Rows in three; near-duplicates stay together, as groups do."""

    found = find(lambda: rows)
    return split(rows, dev=dev, test=test, seed=seed, alike=(*found.exact, *found.near))


def _limited(rows: tuple[_Item, ...], limit: int | None, seed: int) -> tuple[_Item, ...]:
    if limit is None or limit >= len(rows):
        return rows
    import random

    chosen = sorted(random.Random(f"limit {seed}").sample(range(len(rows)), limit))
    return tuple(rows[i] for i in chosen)


def _explained(error: ValidationError, path: Path) -> InputError:
    problems = error.errors()
    # A misspelt key is also a missing one: tell of the misspelling.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    location = [str(part) for part in problem["loc"] if not str(part).startswith("function-")]
    where = ".".join(location)
    if problem["type"] == "extra_forbidden":
        section: Any = StudyFile
        for part in location[:-1]:
            section = section.model_fields[part].annotation
            section = next((a for a in get_args(section) if a is not type(None)), section)
        known = list(section.model_fields)
        return InputError(
            f"unknown key {where!r}", place=str(path), remedy=nearest(location[-1], known)
        )
    if problem["type"] == "missing":
        return InputError(
            f"the key {where!r} is missing",
            place=str(path),
            remedy="`whatworks init` writes a file",
        )
    return InputError(
        f"key {where!r}: {problem['msg'].lower()}",
        place=str(path),
        remedy="see docs/study-file.md for what it takes",
    )
