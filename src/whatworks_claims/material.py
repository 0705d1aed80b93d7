"""From plain rows to tasks, for the studies of several claims. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from whatworks.data.task import Document, Example, MetricSpec, Splits, Task
from whatworks.studies.study_file import StudyFile
from whatworks.studies.study_task import read_task
from whatworks_lab.reading import ALLOW

Rows = Sequence[Mapping[str, Any]]
STRICT_FACTS = MetricSpec(name="facts")
LENIENT_FACTS = MetricSpec(name="facts", score="lenient")
"""An answer in a sentence is an answer."""


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


def make_silent_task(task: Task, count: int) -> Task:
    """``count`` test questions of a task with documents, and as many that these do not answer.

    A made-up entity's question has no answer once the sentence that gives it is taken out of its
    document, which is then the gold passage.
    """
    answered, rest = task.splits.test[:count], task.splits.test[count : 2 * count]
    notes = {document.id: document for document in task.documents}
    for row in rest:
        (name,) = row.evidence
        sentences = re.split(r"(?<=\.) ", notes[name].text)
        silent = [one for one in sentences if row.target.casefold() not in one.casefold()]
        notes[name] = notes[name].replace(text=" ".join(silent))
    silent_task = allow_unknown(task, "silent-notes", (*answered, *map(remove_answer, rest)))
    return silent_task.replace(documents=tuple(notes.values()))


def remove_answer(row: Example) -> Example:
    """The question as one that has no answer."""
    return row.replace(target="", meta={**row.meta, "answerable": False})


def allow_unknown(task: Task, name: str, test: Sequence[Example]) -> Task:
    """The task with other test rows, where the model may say that it does not know."""
    return task.replace(
        name=name,
        instructions=f"{task.instructions} {ALLOW[0]}",
        splits=task.splits.replace(test=tuple(test)),
    )
