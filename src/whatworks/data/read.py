"""Files to examples: recognise the format, read every row, report what is wrong with how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, cast

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.data.card_labels import describe_labels, find_card_labels, name_labels
from whatworks.data.contents import Data
from whatworks.data.formats import SAMPLE, Columns, Content, Format, RowProblem, choose
from whatworks.data.formats.base import (
    NO_VALUE,
    UNPAIRED,
    Absent,
    LeftOut,
    Unclear,
    as_text,
    find_text,
    find_value,
)
from whatworks.data.formats.known import OWN
from whatworks.data.formats.preference import join_labelled
from whatworks.data.formats.turns import list_unread
from whatworks.data.logs import recognise_log
from whatworks.data.nested import look
from whatworks.data.raw_row import Fields, RawRow
from whatworks.data.raw_rows import HUB, read_rows
from whatworks.data.task import Example, Pair

ROLES = ("input", "target", "id", "group", "evidence")
"""What ``columns`` can name."""

ASIDE = "not shown to the model"
"""What is said of columns that carry no role: they are in ``meta``, for a metric to use."""

Missing = Literal["refuse", "drop", "keep"]
"""What is done with rows whose input or target is missing: null, not a number, an empty cell of a
table, or one of the texts ``NO_VALUE``. ``keep`` takes such a text as it is, and nothing for ""."""

ID_COLUMNS = ("id", "example_id", "question_id", "uid", "qid", "uuid", "_id")


@dataclass(frozen=True, slots=True)
class _Item:
    """What one row became."""

    example: Example
    content: Content
    notes: tuple[str, ...]


def read(
    path: Path,
    *,
    format: str | None = None,
    columns: Mapping[str, str | list[str]] | None = None,
    limit: int | None = None,
    missing: Missing = "refuse",
) -> Data:
    """Read a file, a folder of files or a saved data set.

    Args:
        path: JSONL, JSON, CSV, TSV, Parquet or text, perhaps packed (.gz, .xz); a folder of
            these; a dataset folder; or ``hf:owner/name`` for a dataset of the Hugging Face hub,
            perhaps with ``@revision``.
        format: A name from ``FORMATS``; recognised from the first rows by default.
        columns: Role (input, target, id, group, evidence) to column; ``input`` may be a list.
            With ``input`` or ``target``, the rows are read as generic ones. An empty ``id``
            numbers the rows.
        limit: Read at most so many rows.
        missing: What is done with rows whose input or target is missing.

    Raises:
        Unclear: If the columns leave open what is what.
        Incomplete: If rows have no input or no target, and nothing else is wrong.
        InputError: With file and line: missing or empty file, broken JSON or table, wrong
            encoding, rows that do not say what the format needs (how many, which first),
            duplicate ids.
    """
    path = Path(path)
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}", remedy="read at least one row")
    reader, source = _open(path, format, columns or {}, limit, missing)
    problems: dict[str, tuple[int, str]] = {}
    absent: set[str] = set()
    items: list[_Item] = []
    reasons: Counter[str] = Counter()
    count = 0
    for row in islice(source, limit):
        count += 1
        try:
            items.append(reader.item(row))
        except LeftOut as why:
            reasons[f"were left out: {why}"] += 1
        except RowProblem as problem:
            if isinstance(problem, Absent):
                absent.add(str(problem))
                if missing == "drop":
                    reasons[f"were left out: {problem}"] += 1
                    continue
            times, place = problems.get(str(problem), (0, row.place))
            problems[str(problem)] = (times + 1, place)
    if problems:
        kind = Incomplete if problems.keys() <= absent else InputError
        raise _report(reader.form, problems, count, kind)
    if not items:
        raise InputError(
            f"all {count} rows {' and '.join(reasons)}", place=str(path), remedy="give other rows"
        )
    _check_ids(items, path)
    pairs, notes = _make_pairs(items)
    reasons.update(note for item in items for note in item.notes)
    return Data(
        examples=tuple(item.example for item in items if not _is_only_rejected(item.content)),
        pairs=pairs,
        format=reader.form.name,
        columns=reader.describe_columns(),
        notes=(*reader.form.notes, *(f"{n} rows {note}" for note, n in reasons.items()), *notes),
        documents=tuple({d.id: d for item in items for d in item.content.documents}.values()),
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
    reader, source = _open(Path(path), format, columns or {}, SAMPLE, "refuse")
    for count, row in enumerate(source, start=1):
        try:
            item = reader.item(row)
        except LeftOut:
            continue
        except RowProblem as problem:
            raise _report(reader.form, {str(problem): (1, row.place)}, count) from problem
        if not _is_only_rejected(item.content):
            yield item.example


class Incomplete(InputError):
    """Rows have no input or no target."""


class Reader:
    """Rows of one file to items: the format's content, with id, group, evidence and meta."""

    def __init__(
        self, form: Format, columns: Columns, have: Sequence[str], missing: Missing = "refuse"
    ) -> None:
        self.form = form
        self._kept = missing == "keep"
        self._have = have
        known = _list_names(columns["id"]) if "id" in columns else ID_COLUMNS
        self._id = next((name for name in known if name in have), "")
        self._group = _list_names(columns.get("group", "group"))
        self._evidence = _list_names(columns.get("evidence", "evidence"))
        self._taken = form.list_used() | {self._id, *self._group, *self._evidence, "meta"}

    def item(self, row: RawRow) -> _Item:
        """One row.

        Raises:
            RowProblem: If it does not say what the format needs.
        """
        content = self.form.content(self._fill(row.fields))
        if not self._kept:
            self._check(content)
        meta = {k: v for k, v in row.fields.items() if k not in self._taken and v is not None}
        if row.split:
            meta.setdefault("split", row.split)
        extra: Any = row.fields.get("meta")
        if isinstance(extra, Mapping):
            meta.update(cast("Mapping[str, Any]", extra))
        elif extra is not None:
            meta["meta"] = extra
        meta.update(content.meta)
        group = find_value(row.fields, *self._group)
        example = Example(
            id=find_text(row.fields, self._id) or row.name,
            inputs=content.inputs,
            messages=content.messages,
            target=content.target,
            group=content.group if group is None else as_text(group),
            evidence=_list_texts(find_value(row.fields, *self._evidence)) or content.evidence,
            meta=meta,
        )
        hidden = (f"have turns with {name!r}, which the model is not shown" for name in
                  list_unread(row.fields))  # fmt: skip
        return _Item(example, content, (*content.notes, *hidden))

    def _fill(self, fields: Fields) -> Fields:
        """The row, nothing for the target that it lacks where such rows are kept."""
        names = [name for name in self.form.columns.get("target", ()) if name in self._have]
        if not (self._kept and names) or find_value(fields, *names) is not None:
            return fields
        return {**fields, names[0]: ""}

    def _check(self, content: Content) -> None:
        """Refuse a text that stands for no value.

        Not in our own format: what ``write`` wrote there is meant as it stands.
        """
        if self.form.name == OWN.name:
            return
        role = {"target": content.target, "input": "".join(content.inputs.values())}
        for part, text in role.items():
            if text.strip() in NO_VALUE:
                name = next(iter(self.form.columns.get(part, ())), part)
                raise Absent(f"no {name!r}")

    def describe_columns(self) -> dict[str, str]:
        """Role to column(s), as text for people."""
        roles = {
            role: " + ".join(name for name in names if name in self._have)
            for role, names in self.form.columns.items()
        }
        roles["id"] = self._id or "file and row number"
        for role, names in (("group", self._group), ("evidence", self._evidence)):
            roles[role] = " + ".join(n for n in names if n in self._have) or roles.get(role, "")
        roles[ASIDE] = " + ".join(name for name in self._have if name not in self._taken)
        return {role: names for role, names in roles.items() if names}


def _open(
    path: Path, format: str | None, columns: Columns, seen: int | None, missing: Missing
) -> tuple[Reader, Iterator[RawRow]]:
    """The reader that fits the first ``seen`` rows (None: all of them), and all rows."""
    for role in columns:
        if role not in ROLES:
            raise InputError(
                f"unknown role {role!r} in `columns`", remedy=suggest_nearest(role, ROLES)
            )
    source = read_rows(path)
    sample = list(islice(source, None if seen is None else max(seen, SAMPLE)))
    if not sample:
        raise InputError("the file has no rows", place=str(path), remedy="give a file with rows")
    # A dataset of the hub brings its own names; a card of this machine is not its.
    labels = {} if HUB in str(path) else find_card_labels(path)
    labels = {name: labels[name] for name in labels if name in sample[0].fields}
    if labels:
        sample, source = list(name_labels(iter(sample), labels)), name_labels(source, labels)
    have = list(dict.fromkeys(name for row in sample for name in row.fields))
    paths: list[str] = []
    for role, column in columns.items():
        for name in _list_names(column):
            if name not in have and any(look(row.fields, name) is not None for row in sample):
                paths.append(name)
            elif name not in have:
                raise Unclear(
                    f"no column {name!r} for {role}; columns: {', '.join(have)}",
                    place=str(path),
                    remedy=suggest_nearest(name, have),
                )
    if paths:
        sample = [_add_nested(paths, row) for row in sample]
        source = (_add_nested(paths, row) for row in source)
        have += paths
    try:
        form = choose([row.fields for row in sample], format, columns)
    except InputError as error:
        log = recognise_log(sample[0].fields)
        remedy = f"these look like {log} logs: `whatworks import` makes examples of them"
        place = str(path)
        raise (InputError if log else type(error))(
            error.cause, place=place, remedy=remedy if log else error.remedy
        ) from error
    if labels:
        form = replace(form, notes=(*form.notes, describe_labels(labels)))
    return Reader(form, columns, have, missing), chain(sample, source)


def _add_nested(paths: Sequence[str], row: RawRow) -> RawRow:
    """A row with what lies at these paths in columns of their own."""
    return replace(row, fields={**row.fields, **{path: look(row.fields, path) for path in paths}})


def _is_only_rejected(content: Content) -> bool:
    """A labelled bad answer: half of a pair, but nothing to learn from as an example."""
    return content.rejected is not None and content.chosen is None


def _make_pairs(items: Sequence[_Item]) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """The preferences in the rows, with notes."""
    halves = [
        Pair(
            example=item.example,
            chosen=item.content.chosen or "",
            rejected=item.content.rejected or "",
        )
        for item in items
        if item.content.chosen is not None or item.content.rejected is not None
    ]
    joined = join_labelled(halves)
    pairs = tuple(pair for pair in joined if pair.chosen.strip() != pair.rejected.strip())
    single = sum(not (pair.chosen and pair.rejected) for pair in pairs)
    counts = {
        UNPAIRED: single,
        "pairs have the same answer twice: they are rows, and prefer nothing": len(joined)
        - len(pairs),
    }
    return pairs, tuple(f"{count} {note}" for note, count in counts.items() if count)


def _list_names(column: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in ([column] if isinstance(column, str) else column) if name)


def _list_texts(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, list):
        return tuple(as_text(item) for item in cast("list[Any]", value))
    return (as_text(value),)


def _check_ids(items: Sequence[_Item], path: Path) -> None:
    times = Counter(item.example.id for item in items)
    twice = [name for name, count in times.items() if count > 1]
    if twice:
        raise InputError(
            f"{len(twice)} duplicate ids, the first is {twice[0]!r}",
            place=str(path),
            remedy='give every row an id of its own, or number the rows: `columns: {id: ""}`',
        )


def _report(
    form: Format,
    problems: Mapping[str, tuple[int, str]],
    total: int,
    kind: type[InputError] = InputError,
) -> InputError:
    (cause, (times, place)), *others = problems.items()
    more = sum(count for _, (count, _) in others)
    also = f", and {more} rows have other problems" if more else ""
    leave = "leave them out by `missing: drop`" if kind is Incomplete else "name another format"
    return kind(
        f"{cause} in {times} of {total} rows, first here{also}",
        place=place,
        remedy=f"read as {form.name} ({form.shape}): complete the rows or {leave}",
    )
