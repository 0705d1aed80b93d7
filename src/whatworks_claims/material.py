"""From plain rows to tasks, for the studies of several claims. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from whatworks.data.task import Document, Example, MetricSpec, Splits, Task
from whatworks.studies.study_file import StudyFile
from whatworks.studies.study_task import read_task

Rows = Sequence[Mapping[str, Any]]


def make_examples(rows: Rows) -> tuple[Example, ...]:
    """Examples from rows with ``id``, ``input``, ``target`` and perhaps group and evidence."""
    return tuple(
        Example(
            id=row["id"],
            inputs={"input": row["input"]},
            target=row["target"],
            group=row.get("group"),
            evidence=tuple(row.get("evidence", ())),
        )
        for row in rows
    )


def make_documents(rows: Rows) -> tuple[Document, ...]:
    """Documents from rows with ``id`` and ``text``."""
    return tuple(Document(id=row["id"], text=row["text"]) for row in rows)


def make_task(
    name: str,
    rows: Sequence[Example],
    sizes: tuple[int, int, int],
    metric: str,
    instructions: str,
    **more: Any,
) -> Task:
    """A task of the first train, dev and test rows, in this order, of different sources."""
    train, dev, test = sizes
    if len(rows) < train + dev + test:
        raise ValueError(f"{name}: {len(rows)} rows, {train + dev + test} wanted")
    splits = Splits(
        train=tuple(rows[test + dev : test + dev + train]),
        dev=tuple(rows[test : test + dev]),
        test=tuple(rows[:test]),
    )
    return Task(
        name=name,
        splits=splits,
        metric=MetricSpec(name=metric),
        instructions=instructions,
        **more,
    )


def read_files_task(name: str, root: Path, section: Mapping[str, Any]) -> Task:
    """The task that a study file with this ``task:`` section describes.

    Raises:
        InputError: If a file is missing or wrong.
    """

    file = StudyFile.model_validate({"name": name, "task": section, "arms": ["zero-shot"]})
    return read_task(file, root)
