"""A copy of a study without the rows that spoil it; the original stays as it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError
from whatworks.base.lock import hold_file
from whatworks.base.store import explain_disk_errors, is_draft, remove_drafts, write_atomic
from whatworks.base.yaml_file import read_mapping
from whatworks.data import write
from whatworks.data.task import Example, Task
from whatworks.studies.checks.finding import CheckFinding, Mend

MADE_BY_READING = ("format", "columns", "split", "limit", "turns")
"""Keys of a task that its rows have been through already."""


PARTS = ("train", "dev", "test")
UNFINISHED = ".unfinished"
"""Stands in a copy's folder until the copy is whole."""


@dataclass(frozen=True)
class Cleaned:
    """What was written.

    Attributes:
        study: The new study file, beside the old one.
        dropped: Rows left out by split and by check; a row counts for the first that names it.
        kept: Rows left by split.
        mended: What was done to rows that are written otherwise than they were, by kind: to how
            many, and each way of it with its count.
    """

    study: Path
    dropped: dict[str, Counter[str]]
    kept: dict[str, int]
    mended: dict[str, Counter[str]]


def clean(
    path: Path, task: Task, findings: Sequence[CheckFinding], *, force: bool = False
) -> Cleaned:
    """Write ``NAME-clean.yaml`` and ``NAME-clean/*.jsonl`` beside a study file; the first last.

    A copy that was cut short says so by a file ``.unfinished``: the next call writes it anew.

    Args:
        path: The study file.
        task: As it was read, unchecked.
        findings: What to drop.
        force: Replace an earlier copy.

    Raises:
        InputError: If the copy is there already, or a split would be left without rows.
        StorageError: If the disk is full or fails.
    """
    import yaml

    study = path.with_name(f"{path.stem}-clean.yaml")
    folder = path.with_name(f"{path.stem}-clean")
    if not force and _is_taken(study, folder):
        raise InputError(
            "a cleaned copy is there already", place=str(study), remedy="remove it, or add --force"
        )
    why = {name: f.check for f in reversed(findings) for name in f.drop}
    parts = {name: getattr(task.splits, name) for name in PARTS}
    better = defaultdict[str, list[Mend]](list)
    for name, mend in ((name, mend) for f in findings for name, mend in f.mend.items()):
        better[name].append(mend)
    remaining = {name: _keep_rows(rows, why, better) for name, rows in parts.items()}
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
    whole = {"name": task.name, **content, "task": section}
    note = f"# {path.name} without the rows that `whatworks check` named.\n"
    text = note + yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)
    with hold_file(study):
        _write_copy(study, text, folder, remaining)
    dropped = {
        name: Counter(why[row.id] for row in rows if row.id in why) for name, rows in parts.items()
    }
    mended = defaultdict[str, Counter[str]](Counter)
    for row in (row for name in parts for row in remaining[name]):
        for mend in better.get(row.id, ()):
            mended[mend.kind][mend.how] += 1
    return Cleaned(
        study, dropped, {name: len(rows) for name, rows in remaining.items()}, dict(mended)
    )


def _write_copy(
    study: Path, text: str, folder: Path, remaining: dict[str, tuple[Example, ...]]
) -> None:
    with explain_disk_errors(folder, "free some space, or copy the study elsewhere"):
        folder.mkdir(exist_ok=True)
        remove_drafts(folder.glob("*.tmp"))
        write_atomic(folder / UNFINISHED, "")
        for name, rows in remaining.items():
            write(rows, folder / f"{name}.jsonl")
        write_atomic(study, text)
        (folder / UNFINISHED).unlink()


def _is_taken(study: Path, folder: Path) -> bool:
    """Whether a copy, or something else, stands where the copy is to be; one cut short does not."""
    if (folder / UNFINISHED).is_file():
        return False
    if not folder.is_dir():
        return study.exists() or folder.exists()
    return study.exists() or any(not is_draft(path) for path in folder.iterdir())


def _keep_rows(
    rows: tuple[Example, ...], why: Mapping[str, str], better: Mapping[str, Sequence[Mend]]
) -> tuple[Example, ...]:
    """The rows that are not dropped, each with all that is mended in it."""
    return tuple(_apply(row, better.get(row.id, ())) for row in rows if row.id not in why)


def _apply(row: Example, mends: Sequence[Mend]) -> Example:
    names = type(row).model_fields
    changed = {
        name: value
        for mend in mends
        for name in names
        if (value := getattr(mend.row, name)) != getattr(row, name)
    }
    return row.replace(**changed) if changed else row
