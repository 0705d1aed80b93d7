"""Files to examples: recognise the format, read every row, report what is wrong with how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

from whatworks.data.formats import Columns, Content, Format, RowProblem, choose
from whatworks.data.formats.base import as_text, first
from whatworks.data.formats.preference import join_labelled
from whatworks.data.rows import Row, rows
from whatworks.errors import InputError, nearest
from whatworks.identity import content_key
from whatworks.task import Document, Example, Pair

SAMPLE = 100
"""Rows from which a format is recognised."""

ROLES = ("input", "target", "id", "group", "evidence")
"""What ``columns`` can name."""

_IDS = ("id", "example_id", "question_id", "uid", "qid", "uuid", "_id")


@dataclass(frozen=True)
class Data:
    """What a file holds.

    Attributes:
        examples: One per row, in order. Of preference data: the better answers.
        pairs: Preferences; a pair with an empty side is a labelled answer without a partner (KTO).
        format: Name of the format that the rows were read as.
        columns: Role to column(s), as shown to the user.
        notes: What was left out or guessed, one line each.
        documents: Passages that stand in the rows; the examples name them as evidence.
    """

    examples: tuple[Example, ...]
    pairs: tuple[Pair, ...]
    format: str
    columns: Mapping[str, str]
    notes: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True)
class _Item:
    example: Example
    content: Content
    document: Document | None


def read(
    path: Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str | list[str]] | None = None,
    limit: int | None = None,
) -> Data:
    """Read a file, a folder of files or a saved data set.

    Args:
        path: JSONL, JSON, CSV, TSV, Parquet or text, perhaps packed (.gz, .xz); or a folder.
        format: A name from ``FORMATS``; recognised from the first rows by default.
        columns: Role (input, target, id, group, evidence) to column; ``input`` may be a list.
            With ``input`` or ``target``, the rows are read as generic ones. An empty ``id``
            numbers the rows.
        limit: Read at most so many rows.

    Raises:
        InputError: With file and line: missing or empty file, broken JSON or table, wrong
            encoding, columns that leave open what is what, rows without what the format needs
            (how many, which first), duplicate ids.
    """
    path = Path(path)
    form, source = _open(path, format, columns or {})
    problems: dict[str, tuple[int, str]] = {}
    notes: Counter[str] = Counter()
    items: list[_Item] = []
    count = 0
    for count, row in enumerate(islice(source, limit), start=1):
        try:
            item = _item(form, row, columns or {})
        except RowProblem as problem:
            times, place = problems.get(str(problem), (0, row.place))
            problems[str(problem)] = (times + 1, place)
            continue
        items.append(item)
        if item.content.note:
            notes[item.content.note] += 1
    if problems:
        raise _report(form, problems, count)
    if not items:
        raise InputError("no rows", place=str(path), remedy="raise `limit`, or give a file")
    _check_ids(items, path)
    pairs = [
        Pair(
            example=item.example, chosen=item.content.chosen or "",
            rejected=item.content.rejected or "",
        )
        for item in items
        if item.content.chosen is not None or item.content.rejected is not None
    ]
    joined = join_labelled(pairs)
    single = sum(not (pair.chosen and pair.rejected) for pair in joined)
    told = [*form.notes, *(f"{times} rows {note}" for note, times in notes.items())]
    if single:
        told.append(f"{single} labelled answers without a partner: pairs with an empty side")
    return Data(
        examples=tuple(item.example for item in items if item.content.rejected is None
                       or item.content.chosen is not None),
        pairs=joined,
        format=form.name,
        columns=_shown(form, columns or {}, items),
        notes=tuple(told),
        documents=tuple({d.id: d for item in items if (d := item.document)}.values()),
    )


def stream(
    path: Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str | list[str]] | None = None,
) -> Iterator[Example]:
    """The examples of a file one by one, holding none of them; for checks of large files.

    Ids are not checked for duplicates. Arguments as for ``read``.

    Raises:
        InputError: At the first row that cannot be read.
    """
    form, source = _open(Path(path), format, columns or {})
    for count, row in enumerate(source, start=1):
        try:
            yield _item(form, row, columns or {}).example
        except RowProblem as problem:
            raise _report(form, {str(problem): (1, row.place)}, count) from problem


def _open(path: Path, format: str | None, columns: Columns) -> tuple[Format, Iterator[Row]]:
    unknown = [role for role in columns if role not in ROLES]
    if unknown:
        raise InputError(
            f"`columns` names the unknown role {unknown[0]!r}", remedy=nearest(unknown[0], ROLES)
        )
    source = rows(path)
    sample = list(islice(source, SAMPLE))
    if not sample:
        raise InputError("the file has no rows", place=str(path), remedy="give a file with rows")
    _check_columns(sample, columns, path)
    try:
        form = choose([row.fields for row in sample], format, columns)
    except InputError as error:
        raise InputError(error.cause, place=str(path), remedy=error.remedy) from error
    return form, chain(sample, source)


def _item(form: Format, row: Row, columns: Columns) -> _Item:
    content = form.content(row.fields)
    taken = {*form.used(), "meta", *(c for c in columns.values() if isinstance(c, str))}
    group_column = columns.get("group", "group")
    group = first(row.fields, *_names(group_column))
    evidence_column = columns.get("evidence", "evidence")
    evidence = first(row.fields, *_names(evidence_column))
    known = _IDS if "id" not in columns else _names(columns["id"])
    own_id = first(row.fields, *known)
    id_column = next((name for name in known if row.fields.get(name) is not None), "")
    taken |= {id_column, *_names(group_column), *_names(evidence_column)}
    meta = {k: v for k, v in row.fields.items() if k not in taken and v is not None}
    if row.split:
        meta.setdefault("split", row.split)
    given: Any = row.fields.get("meta")
    if isinstance(given, Mapping):
        meta.update(cast("Mapping[str, Any]", given))
    meta.update(content.meta)
    document = None
    if content.passage:
        document = Document(
            id=content_key(content.passage), text=content.passage, title=content.title
        )
    example = Example(
        id=as_text(own_id) if own_id is not None and own_id != "" else row.name,
        inputs=content.inputs,
        messages=content.messages,
        target=content.target,
        group=as_text(group) if group is not None else content.group,
        evidence=_evidence(evidence) or ((document.id,) if document else ()),
        meta=meta,
    )
    return _Item(example, content, document)


def _names(column: str | list[str]) -> tuple[str, ...]:
    return tuple(name for name in ([column] if isinstance(column, str) else column) if name)


def _evidence(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, list):
        return tuple(as_text(item) for item in cast("list[Any]", value))
    return (as_text(value),)


def _check_columns(sample: Sequence[Row], columns: Columns, path: Path) -> None:
    have = dict.fromkeys(name for row in sample for name in row.fields)
    for role, column in columns.items():
        for name in _names(column):
            if name not in have:
                raise InputError(
                    f"no column {name!r} for {role}; columns: {', '.join(have)}",
                    place=str(path),
                    remedy=nearest(name, have),
                )


def _check_ids(items: Sequence[_Item], path: Path) -> None:
    times = Counter(item.example.id for item in items)
    twice = [name for name, count in times.items() if count > 1]
    if twice:
        raise InputError(
            f"{len(twice)} duplicate ids, the first is {twice[0]!r}",
            place=str(path),
            remedy='give every row an id of its own, or number the rows: `columns: {id: ""}`',
        )


def _report(form: Format, problems: Mapping[str, tuple[int, str]], total: int) -> InputError:
    (cause, (times, place)), *others = problems.items()
    more = sum(count for _, (count, _) in others)
    also = f", and {more} rows have other problems" if more else ""
    return InputError(
        f"{cause} in {times} of {total} rows, first here{also}",
        place=place,
        remedy=f"read as {form.name} ({form.shape}): complete the rows or name another format",
    )


def _shown(form: Format, columns: Columns, items: Sequence[_Item]) -> dict[str, str]:
    ...
