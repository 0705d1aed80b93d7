"""What the files are that somebody has: rows of which split, documents, preference pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError
from whatworks.data import Data, Documents, read, read_with_notes
from whatworks.data.file_text import get_stem, get_suffix
from whatworks.data.formats.base import Unclear
from whatworks.data.joined_rows import is_answers, is_beir
from whatworks.data.nested import look
from whatworks.data.raw_row import find_split
from whatworks.data.raw_rows import JSON_ENDINGS, TABLE_ENDINGS, read_rows
from whatworks.data.read import Incomplete
from whatworks.data.task import Example
from whatworks.studies.first_columns import Ambiguous, propose
from whatworks.studies.first_groups import GroupGuess, suggest_group

SAMPLE = 300
"""Rows on which a metric is tried."""
_LOOKED_AT = 200
"""Rows by which columns are told."""
_DOCUMENTS = ("document", "doc", "corpus", "passage", "wiki", "knowledge", "handbook", "kb")
"""Words in the name of a file of documents."""

_GRADES = ("label", "is_correct", "correct", "is_right", "gold", "relevant", "is_answer")
"""Columns that may say of each answer whether it is right."""

Columns = Mapping[str, "str | list[str]"]


@dataclass
class Files:
    """What the given files are.

    Attributes:
        task: Rows by split; a single file is ``train``.
        columns: Columns that the study has to name, by role.
        missing: Whether rows without an input or a target are left out.
        preferences: A file of pairs beside the task's rows.
        documents: A file or folder to retrieve from.
        group: A column whose rows may belong together: suggested, not taken.
        lines: What was recognised, a line for each file.
    """

    task: dict[str, tuple[Path, Data]] = field(default_factory=dict[str, tuple[Path, Data]])
    columns: dict[str, str | list[str]] = field(default_factory=dict[str, "str | list[str]"])
    missing: bool = False
    preferences: Path | None = None
    documents: Path | None = None
    group: GroupGuess | None = None
    lines: list[str] = field(default_factory=list[str])

    @property
    def rows(self) -> tuple[Example, ...]:
        """A sample of the train rows."""
        examples = self.task["train"][1].examples
        return examples[:: -(-len(examples) // SAMPLE)]


def sort_files(
    paths: Sequence[Path], columns: Columns | None = None, documents: Path | None = None
) -> Files:
    """Tell rows, pairs and documents apart, by content.

    Args:
        paths: Files and folders.
        columns: Role to column(s), where somebody said so.
        documents: What to retrieve from, where somebody said so.

    Raises:
        Ambiguous: If which columns are input and target has to be asked.
        InputError: If a file cannot be read, two could be the same part of the task, or none holds
            rows with an input and a target.
    """
    files = Files(columns=dict(columns or {}), documents=documents)
    unclear: list[tuple[Path, Unclear]] = []
    plain: list[tuple[Path, Data]] = []
    if documents is not None:
        files.lines.append(_describe_documents(documents, read_with_notes(documents)))
    for path in paths:
        if is_answers(path):
            files.lines.append(f"{path.name}: answers to the questions of the same name")
            continue
        try:
            data = _read(path, files, beside=len(paths) > 1)
        except Unclear as error:
            unclear.append((path, error))
            continue
        if isinstance(data, Documents):
            _require_only(files.documents, path, "documents")
            files.documents = path
            files.lines.append(_describe_documents(path, data))
            continue
        files.lines.append(f"{path.name}: {len(data.examples)} rows, read as {data.format}"
                          + "".join(f"; {note}" for note in data.notes))  # fmt: skip
        if is_beir(path) and files.documents is None:
            files.documents = path / "corpus.jsonl"
        if data.format == "passages" and len(paths) > 1:
            _require_only(files.documents, path, "documents")
            files.documents = path
            files.lines[-1] = f"{path.name}: documents to retrieve from"
        elif data.pairs and len(paths) > 1:
            _require_only(files.preferences, path, "preference pairs")
            files.preferences = path
            files.lines[-1] = f"{path.name}: {len(data.pairs)} preference pairs"
        else:
            plain.append((path, data))
    if unclear:
        raise _make_question(*unclear[0], files)
    _name_parts(files, plain)
    files.lines += _describe_grades(files.task["train"][1])
    if "group" not in files.columns:
        files.group = suggest_group(files.task["train"][1].examples)
    if files.group:
        files.lines.append(str(files.group))
    if files.preferences is None and files.task["train"][1].pairs:
        files.preferences = files.task["train"][0]
    return files


def _read(path: Path, files: Files, *, beside: bool) -> Data | Documents:
    """The rows of a file, or the documents that it holds.

    Columns that are plain, and whether rows are left out, are noted in ``files``.
    """
    try:
        return _complete(path, files)
    except Unclear:
        named = any(word in get_stem(path).lower() for word in _DOCUMENTS)
        proposal = None if files.columns else propose(_sample(path))
        plain = proposal is not None and proposal.plain
        if (named or not plain) and beside and (documents := _find_documents(path)):
            return documents
        if proposal is None or not plain:
            raise
        files.columns.update(proposal.columns)
        data = _complete(path, files)
        files.lines += [f"  columns by name and content: {proposal.options}",
                       *(f"  {line}" for line in proposal.examples)]  # fmt: skip
        return data
    except InputError:
        # A reader's reason is never swallowed where the file is one of rows.
        rows_file = path.is_file() and get_suffix(path) in (
            *JSON_ENDINGS,
            *TABLE_ENDINGS,
            ".parquet",
        )
        documents = None if rows_file or not path.exists() else _find_documents(path)
        if documents is None:
            raise
        return documents


def _complete(path: Path, files: Files) -> Data:
    try:
        return read(path, columns=files.columns)
    except Incomplete as error:
        data = read(path, columns=files.columns, missing="drop")
        files.missing = True
        files.lines.append(f"{path.name}: {error.cause}")
        return data


def _sample(path: Path) -> list[Mapping[str, Any]]:
    return [row.fields for row in islice(read_rows(path), _LOOKED_AT)]


def _make_question(path: Path, error: Unclear, files: Files) -> Exception:
    """What to ask of a file whose columns are unclear; the error, where they were named wrongly."""
    sample = _sample(path)
    have = list(dict.fromkeys(name for row in sample for name in row))
    named = [name for c in files.columns.values() for name in ([c] if isinstance(c, str) else c)]
    known = all(any(look(row, name) is not None for row in sample) for name in named)
    if set(files.columns) >= {"input", "target"} or not known:
        return error
    return Ambiguous(path, propose(sample, files.columns), have)


def _name_parts(files: Files, plain: Sequence[tuple[Path, Data]]) -> None:
    """Which file is train, dev and test: by its name, a single one is train."""
    for path, data in plain:
        part = find_split(get_stem(path)) or "train"
        if part in files.task:
            raise InputError(
                f"{files.task[part][0].name} and {path.name} could both be {part}",
                remedy="name the files train..., dev... and test..., or give one of them",
            )
        files.task[part] = (path, data)
    if "train" not in files.task:
        if len(files.task) != 1:
            raise InputError(
                "no file holds train rows: an input and a target each",
                remedy="give a file of examples; documents and pairs go beside it",
            )
        files.task = {"train": next(iter(files.task.values()))}


def _describe_grades(data: Data) -> Iterator[str]:
    """What is said of a column beside the answers that may say which of them are right."""
    for name in _GRADES:
        values = {str(row.meta[name]).lower() for row in data.examples if name in row.meta}
        if len(values) == 2 and values <= {"0", "1", "true", "false"}:
            right = next(row.meta[name] for row in data.examples if name in row.meta)
            yes = "true" if isinstance(right, bool) else "1"
            yield (
                f"{name!r} may say which answers are right; all are learned and asked for as they "
                f"stand, unless `task: {{where: {{{name}: {yes}}}}}` keeps the right ones"
            )


def _find_documents(path: Path) -> Documents | None:
    try:
        documents = read_with_notes(path)
    except InputError:
        return None
    return documents if documents.documents else None


def _describe_documents(path: Path, documents: Documents) -> str:
    """What there is to retrieve from, and what of it has no text (scanned pages)."""
    counted = f"{path.name}: documents to retrieve from ({len(documents.documents)})"
    return "; ".join((counted, *documents.notes))


def _require_only(there: Path | None, path: Path, what: str) -> None:
    if there is not None:
        raise InputError(
            f"{there.name} and {path.name} are both {what}", remedy="put them into one folder"
        )
