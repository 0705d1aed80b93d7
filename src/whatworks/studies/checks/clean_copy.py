"""A copy of a study without the rows that spoil it; the original stays as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError
from whatworks.base.yaml_file import read_mapping
from whatworks.data import write
from whatworks.data.task import Example, Task
from whatworks.studies.checks.finding import CheckFinding

MADE_BY_READING = ("format", "columns", "split", "limit", "turns")
"""Keys of a task that its rows have been through already."""


@dataclass(frozen=True)
class Cleaned:
    """What was written.

    Attributes:
        study: The new study file, beside the old one.
        dropped: Rows left out by split and by check; a row counts for the first that names it.
        kept: Rows left by split.
        mended: Number of rows written otherwise than they were.
    """

    study: Path
    dropped: dict[str, Counter[str]]
    kept: dict[str, int]
    mended: int


def clean(
    path: Path, task: Task, findings: Sequence[CheckFinding], *, force: bool = False
) -> Cleaned:
    """Write ``NAME-clean.yaml`` and ``NAME-clean/*.jsonl`` beside a study file.

    Args:
        path: The study file.
        task: As it was read, unchecked.
        findings: What to drop.
        force: Replace an earlier copy.

    Raises:
        InputError: If the copy is there already, or a split would be left without rows.
    """
    import yaml

    study = path.with_name(f"{path.stem}-clean.yaml")
    folder = path.with_name(f"{path.stem}-clean")
    if not force and (study.exists() or folder.exists()):
        raise InputError(
            "a cleaned copy is there already", place=str(study), remedy="remove it, or add --force"
        )
    why = {name: f.check for f in reversed(findings) for name in f.drop}
    parts = {name: getattr(task.splits, name) for name in ("train", "dev", "test")}
    better = {name: row for f in findings for name, row in f.mend.items()}
    remaining = {name: _drop_rows(rows, why, better) for name, rows in parts.items()}
    empty = next((name for name, rows in remaining.items() if not rows), None)
    if empty:
        raise InputError(
            f"no row of {empty} would be left", place=str(path), remedy="correct the rows by hand"
        )
    content: dict[str, Any] = read_mapping(path, "study file", "`task:` and `arms:`")
    section = {k: v for k, v in content["task"].items() if k not in MADE_BY_READING}
    section |= {name: f"{folder.name}/{name}.jsonl" for name in parts}
    if task.aside:
        section["split"] = {"aside": len(task.aside)}
        remaining["train"] = (*remaining["train"], *task.aside)
    folder.mkdir(exist_ok=True)
    for name, rows in remaining.items():
        write(rows, folder / f"{name}.jsonl")
    whole = {"name": task.name, **content, "task": section}
    note = f"# {path.name} without the rows that `whatworks check` named.\n"
    text = note + yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)
    study.write_text(text, encoding="utf-8")
    dropped = {
        name: Counter(why[row.id] for row in rows if row.id in why) for name, rows in parts.items()
    }
    mended = sum(row.id in better for rows in remaining.values() for row in rows)
    return Cleaned(study, dropped, {name: len(rows) for name, rows in remaining.items()}, mended)


def _drop_rows(
    rows: tuple[Example, ...], why: dict[str, str], better: dict[str, Example]
) -> tuple[Example, ...]:
    return tuple(better.get(row.id, row) for row in rows if row.id not in why)
