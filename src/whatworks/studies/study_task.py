"""The task that a study file describes: its files read, split, limited, checked."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from whatworks.base.errors import InputError
from whatworks.base.paths import resolve_path
from whatworks.data import Documents, expand_turns, read, read_with_notes
from whatworks.data.contents import Data
from whatworks.data.duplicates import find, select_training_pairs
from whatworks.data.splitting import check_examples, drop_overlap, mix_evenly, split
from whatworks.data.task import Document, Example, Pair, Splits, Task
from whatworks.metrics.registry import resolve_metric
from whatworks.metrics.tool_call import NONE, is_call
from whatworks.studies.clustering import categorise
from whatworks.studies.study_file import LimitSection, SplitSection, StudyFile, TaskSection

_Item = TypeVar("_Item", Example, Pair)
_Rows = tuple[Example, ...]

DEFAULT_INSTRUCTIONS = {
    "json": "Answer with one JSON object.",
    "category": "Answer with one category.",
    "mr": "Write the meaning representation.",
    "sql": "Answer with one SQL query.",
    "facts": "Answer the question.",
}
"""What a task says when its file does not: the form of the answer, nothing about its content."""


@dataclass(frozen=True)
class _Source:
    """What the files of rows hold: the splits that they name, pairs of train, documents, and what
    reading left out."""

    splits: Splits
    pairs: tuple[Pair, ...]
    documents: tuple[Document, ...]
    notes: tuple[str, ...]


def read_task(study: StudyFile, root: Path, *, checked: bool = True) -> Task:
    """Read the task's files, relative to ``root``; split, limit and check them.

    Without ``checked``, rows that stand twice are let pass, for ``whatworks check`` to list.

    Documents that cannot be read are none, and the task says why.

    Raises:
        InputError: If a file of rows is missing or wrong, or train and test share rows.
    """
    section = study.task
    source = _read_source(section, root)
    splits = _complete(_separate(source.splits, section.split, checked), section.split)
    splits, aside = _set_aside(splits, section.split)
    splits = _limit(splits, section.limit, section.split)
    documents, fault = _read_documents(section, root, source.documents)
    preferences, more = _read_preferences(section, root, source.pairs, splits, aside)
    if section.turns != "last":  # whole conversations were split, so none stands in two splits
        parts = ("train", "dev", "test") if section.turns == "asked" else ("train",)
        splits = splits.replace(**{part: expand_turns(getattr(splits, part)) for part in parts})
        splits = _separate(splits, section.split, checked)
    metric = resolve_metric(section.metric, root, helper=study.helper).replace(score=study.score)
    if section.turns == "asked" and metric.name == "tool_call":
        splits, dropped = _keep_calls(splits)
        more = (*more, *dropped)
    instructions = section.instructions
    if instructions is None:
        instructions = DEFAULT_INSTRUCTIONS.get(metric.name, "")
    return Task(
        name=study.name or Path(section.train).stem,
        splits=splits,
        metric=metric,
        instructions=instructions,
        documents=documents.documents,
        preferences=preferences,
        documents_fault=fault,
        aside=aside,
        notes=(*source.notes, *documents.notes, *more),
    )


def _keep_calls(splits: Splits) -> tuple[Splits, tuple[str, ...]]:
    """Splits of which dev and test ask for turns that call a tool alone, and what was left out."""
    kept: dict[str, _Rows] = {}
    notes: list[str] = []
    for part in ("dev", "test"):
        rows: _Rows = getattr(splits, part)
        kept[part] = tuple(row for row in rows if is_call(row.target) or row.target.strip() == NONE)
        if not kept[part]:
            raise InputError(
                f"no turn of {part} calls a tool", remedy="take another metric than `tool_call`"
            )
        if out := len(rows) - len(kept[part]):
            notes.append(f"{part}: {out} turns call no tool and are not asked")
    return splits.replace(**kept), tuple(notes)


def _read_source(section: TaskSection, root: Path) -> _Source:
    """Read the files of rows; which split a row belongs to, files say, or all rows do."""
    data = _read_rows(section, root, section.train)
    train, pairs = data.examples, data.pairs
    if section.cluster is not None:
        train, _ = categorise(train, **section.cluster.model_dump())
    others = {
        part: _read_rows(section, root, name)
        for part in ("dev", "test")
        if (name := getattr(section, part))
    }
    documents = {d.id: d for one in (data, *others.values()) for d in one.documents}
    parts = {part: _rename(other.examples, part, train) for part, other in others.items()}
    if not parts:
        train, parts = _split_by_column(train)
        if parts:
            pairs = tuple(pair for pair in pairs if pair.example.meta.get("split") == "train")
    splits = Splits(train=train, dev=parts.get("dev", ()), test=parts.get("test", ()))
    named = {"train": data, **others}
    notes = tuple(f"{part}: {note}" for part, one in named.items() for note in one.notes)
    return _Source(splits, pairs, tuple(documents.values()), notes)


def _read_rows(section: TaskSection, root: Path, name: str) -> Data:
    """One file, its rows and pairs that ``where`` keeps."""
    data = read(
        resolve_path(root, name),
        format=section.format,
        columns=section.columns,
        missing=section.missing,
    )
    conditions = section.where.items()

    def fits(example: Example) -> bool:
        return all(example.meta.get(k) == v for k, v in conditions)

    return replace(
        data,
        examples=tuple(filter(fits, data.examples)),
        pairs=tuple(pair for pair in data.pairs if fits(pair.example)),
    )


def _read_documents(
    section: TaskSection, root: Path, documents: tuple[Document, ...]
) -> tuple[Documents, str]:
    """The documents that the section names, else those beside the rows; and what is wrong."""
    if not section.documents:
        return Documents(documents), ""
    place = resolve_path(root, section.documents)
    try:
        return read_with_notes(place), ""
    except InputError as error:  # fails the arms that need them; the others have their answer
        fault = "; ".join(part for part in (error.cause, error.remedy) if part)
        return Documents(()), f"{error.place or place}: {fault}"


def _read_preferences(
    section: TaskSection, root: Path, pairs: tuple[Pair, ...], splits: Splits, aside: _Rows
) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """The pairs that the section names, else those of the train rows; none of a held-out row.

    With them, what reading left out.
    """
    held_out = (*splits.dev, *splits.test, *aside)
    if section.preferences:
        data = read(resolve_path(root, section.preferences), missing=section.missing)
        return select_training_pairs(data.pairs, held_out), tuple(
            f"preferences: {n}" for n in data.notes
        )
    of_row = {pair.example.id: pair for pair in pairs}
    own = tuple(of_row[row.id] for row in splits.train if row.id in of_row)
    # A bad answer without a good one to the same input is no row, so that no split has it.
    bad = select_training_pairs([pair for pair in pairs if not pair.chosen], held_out)
    return own + _sample(bad, section.limit.train, section.split.seed), ()


def _split_by_column(
    rows: _Rows,
) -> tuple[_Rows, dict[str, _Rows]]:
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


def _rename(rows: _Rows, part: str, train: _Rows) -> _Rows:
    """Files of one name in two folders make the same ids: those of dev and test get a prefix."""
    taken = {example.id for example in train}
    if not any(row.id in taken for row in rows):
        return rows
    return tuple(row.replace(id=f"{part}/{row.id}") for row in rows)


def _complete(splits: Splits, section: SplitSection) -> Splits:
    """Cut the splits that the user did not give from train."""
    if splits.dev and splits.test:
        return splits
    if not splits.dev and not splits.test:
        return _cut(splits.train, section, dev=section.dev, test=section.test)
    missing = "test" if splits.dev else "dev"
    size: int | None = getattr(section, missing)
    share = min(200, max(1, len(splits.train) // 5)) if size is None else size
    cut = _cut(splits.train, section, dev=1, test=share)
    return splits.replace(train=cut.train + cut.dev, **{missing: cut.test})


def _separate(splits: Splits, section: SplitSection, checked: bool) -> Splits:
    """Splits that share no rows: dropped or, if checked, refused."""
    if section.on_overlap == "drop":
        splits = drop_overlap(splits)
    if checked:
        check_examples(splits)
    return splits


def _set_aside(splits: Splits, section: SplitSection) -> tuple[Splits, _Rows]:
    """Take whole groups out of train, for the metric alone."""
    if section.aside is None:
        return splits, ()
    cut = _cut(splits.train, section, dev=1, test=section.aside)
    return splits.replace(train=cut.train + cut.dev), cut.test


def _cut(rows: _Rows, section: SplitSection, *, dev: int | None, test: int | None) -> Splits:
    """Rows in three; near-duplicates stay together, as groups do."""
    duplicates = find(lambda: rows)
    alike = (*duplicates.exact, *duplicates.near)
    return split(
        rows, dev=dev, test=test, seed=section.seed, alike=alike, stratify=section.stratify
    )


def _limit(splits: Splits, limit: LimitSection, section: SplitSection) -> Splits:
    """Most rows of each split, as the file limits them."""

    def take(rows: _Rows, most: int | None) -> _Rows:
        if not section.stratify or most is None:
            return _sample(rows, most, section.seed)
        shuffled = random.Random(f"limit {section.seed}").sample(rows, len(rows))
        even = mix_evenly({row.id: row.target.strip() for row in shuffled})
        chosen = {*even[:most]}
        return tuple(row for row in rows if row.id in chosen)

    return Splits(
        train=take(splits.train, limit.train),
        dev=take(splits.dev, limit.dev),
        test=take(splits.test, limit.test),
    )


def _sample(rows: tuple[_Item, ...], limit: int | None, seed: int) -> tuple[_Item, ...]:
    """At most ``limit`` rows, the same for the same seed, in their order."""
    if limit is None or limit >= len(rows):
        return rows
    chosen = sorted(random.Random(f"limit {seed}").sample(range(len(rows)), limit))
    return tuple(rows[i] for i in chosen)
