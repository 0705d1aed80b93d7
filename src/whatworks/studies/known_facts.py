"""``whatworks known``: the SliCK class of every fact of a study, as a column of its data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from whatworks.base.errors import InputError
from whatworks.base.lock import hold_folder
from whatworks.base.paths import make_slug
from whatworks.base.progress import Phase, Watcher
from whatworks.base.store import Store
from whatworks.data import write
from whatworks.data.task import Example
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.bench.known_facts import (
    COLUMN,
    PROMPTS,
    Known,
    add_classes,
    classify,
    measure_shares,
)
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.studies.open_study import open_study

MAX_TOKENS = 32
"""Most tokens of an answer; facts are short."""


@dataclass(frozen=True)
class KnownFacts:
    """What a model knows of a task.

    Attributes:
        model: The model.
        classes: By example id.
        shares: Share of each class.
        folder: Where the rows with their column lie.
    """

    model: str
    classes: dict[str, Known]
    shares: dict[Known, float]
    folder: Path


def classify_known_facts(
    path: Path, model: str | None, out: Path | None, watcher: Watcher
) -> KnownFacts:
    """Classify every answerable row of a study's task and write the rows with their class.

    Demonstrations come from train. Nothing is decided from it, so test stays unopened.

    Raises:
        InputError: If the study cannot be read, or its rows have no short answers to compare.
    """
    opened = open_study(path, model=model)
    task, name = opened.task, opened.file.model
    metric = load(task.metric, task.splits.train)
    rows = [
        row
        for part in (task.splits.train, task.splits.dev, task.splits.test)
        for row in part
        if row.target.strip() and row.text.strip()
    ]
    if not rows:
        raise InputError(
            "no row has a question and an answer",
            place=str(path),
            remedy="name the columns with `task: {columns: {input: ..., target: ...}}`",
        )
    study = make_slug(opened.file.name or opened.path.parent.name)
    folder = out or Path("runs") / f"known-{study}-{make_slug(name)}"
    examiner = Examiner(opened.engine, metric, Store(folder / "store"))
    start = Candidate(
        prompt=Prompt(instructions=task.instructions),
        weights=opened.weights,
        decoding=Decoding(max_tokens=MAX_TOKENS),
    )
    phase = Phase(watcher, "known", "asking", len(rows) * PROMPTS)
    with hold_folder(folder):
        classes = classify(
            partial(examiner.ask, tick=phase), start, rows, _choose_pool(rows, task.splits.train)
        )
        watcher.done("known")
        opened.close()
        for part in ("train", "dev", "test"):
            mine: tuple[Example, ...] = getattr(task.splits, part)
            if mine:
                write(add_classes(mine, classes), folder / f"{part}.jsonl")
    return KnownFacts(name, classes, measure_shares(classes), folder)


def _choose_pool(rows: list[Example], train: tuple[Example, ...]) -> list[Example]:
    """Train rows that are questions; every question where train holds statements only."""
    taught = [row for row in train if row.text.strip()]
    return taught or rows


__all__ = ["COLUMN", "KnownFacts", "classify_known_facts"]
