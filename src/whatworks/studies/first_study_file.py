"""A first study for the files that somebody has: task, metric and arms guessed, and each explained.

A metric is guessed by what the targets look like and then tried: it is taken when it gives nearly
all targets of a sample full marks. What is guessed is written as a study file that runs as it is,
with comments on how it was found and what to change.
"""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from whatworks.base.errors import InputError
from whatworks.data import Data, read, read_documents
from whatworks.data.file_text import stem
from whatworks.data.raw_row import split_of
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.registry import load, unscorable
from whatworks.studies.study_task import DEFAULT_INSTRUCTIONS

SAMPLE = 300
"""Rows on which a metric is tried."""
ACCEPTED = 0.95
"""Share of targets that a metric must give full marks."""
LARGE = {"train": 1000, "dev": 100, "test": 300}
"""Rows of each split from which a first run is limited."""
SHORT, CLASSES = 6, 100
"""Most words of a short target, and most different targets that look like categories."""
CLASS_COLUMNS, COUNTED = ("label", "category", "class", "intent"), 20
"""Target columns whose numbers are ids, and most ids that are told by being counted through."""


@dataclass
class Files:
    """What the given files are.

    Attributes:
        task: Rows by split; a single file is ``train``.
        preferences: A file of pairs beside the task's rows.
        documents: A file or folder to retrieve from.
        said: What was recognised, a line for each file.
    """

    task: dict[str, tuple[Path, Data]] = field(default_factory=dict[str, tuple[Path, Data]])
    preferences: Path | None = None
    documents: Path | None = None
    said: list[str] = field(default_factory=list[str])

    @property
    def rows(self) -> tuple[Example, ...]:
        """A sample of the train rows."""
        examples = self.task["train"][1].examples
        return examples[:: -(-len(examples) // SAMPLE)]


@dataclass(frozen=True)
class Guess:
    """One metric with the reason for it."""

    metric: MetricSpec
    why: str


def sort_files(paths: Sequence[Path]) -> Files:
    """Tell rows, pairs and documents apart, by content.

    Raises:
        InputError: If a file cannot be read, two could be the same part of the task, or none holds
            rows with an input and a target.
    """
    files = Files()
    plain: list[tuple[Path, Data]] = []
    for path in paths:
        try:
            data = read(path)
        except InputError as error:
            if not path.exists() or not _is_documents(path):
                raise
            del error
            _only(files.documents, path, "documents")
            files.documents = path
            files.said.append(f"{path.name}: documents to retrieve from")
            continue
        files.said.append(f"{path.name}: {len(data.examples)} rows, read as {data.format}"
                          + "".join(f"; {note}" for note in data.notes))  # fmt: skip
        if data.format == "passages" and len(paths) > 1:
            _only(files.documents, path, "documents")
            files.documents = path
            files.said[-1] = f"{path.name}: documents to retrieve from"
        elif data.pairs and len(paths) > 1:
            _only(files.preferences, path, "preference pairs")
            files.preferences = path
            files.said[-1] = f"{path.name}: {len(data.pairs)} preference pairs"
        else:
            plain.append((path, data))
    _name_parts(files, plain)
    if files.preferences is None and files.task["train"][1].pairs:
        files.preferences = files.task["train"][0]
    return files


def _name_parts(files: Files, plain: Sequence[tuple[Path, Data]]) -> None:
    """Which file is train, dev and test: by its name, a single one is train."""
    for path, data in plain:
        part = split_of(stem(path)) or "train"
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


def _is_documents(path: Path) -> bool:
    try:
        return bool(read_documents(path))
    except InputError:
        return False


def _only(there: Path | None, path: Path, what: str) -> None:
    if there is not None:
        raise InputError(
            f"{there.name} and {path.name} are both {what}", remedy="put them into one folder"
        )


def guess_metric(files: Files) -> Guess:
    """The first metric that fits the targets and gives them full marks."""
    rows = [row for row in files.rows if row.target.strip()] or list(files.rows)
    train = files.task["train"][1].examples
    for name, looks, why in _CANDIDATES:
        if not looks(files, rows):
            continue
        spec = MetricSpec(name=name)
        try:
            metric = load(spec, train)
            missed = unscorable(metric, rows)
        except InputError:
            continue
        if len(missed) <= (1 - ACCEPTED) * len(rows):
            return Guess(spec, why)
    return Guess(MetricSpec(name="exact"), "the answer must be the target, letter by letter")


Rows = Sequence[Example]


def _share(rows: Rows, holds: Callable[[Example], bool]) -> float:
    return sum(map(holds, rows)) / len(rows) if rows else 0.0


def _words(rows: Rows) -> float:
    return sum(len(row.target.split()) for row in rows) / max(1, len(rows))


def _json(files: Files, rows: Rows) -> bool:
    return _share(rows, lambda row: row.target.lstrip()[:1] in ("{", "[")) >= ACCEPTED


def _sql(files: Files, rows: Rows) -> bool:
    begins = re.compile(r"\s*(?:select|with)\b", re.IGNORECASE)
    return _share(rows, lambda row: bool(begins.match(row.target))) >= ACCEPTED


def _mr(files: Files, rows: Rows) -> bool:
    shape = re.compile(r"\s*\w+\(.*\)\s*", re.DOTALL)
    return _share(rows, lambda row: bool(shape.fullmatch(row.target))) >= ACCEPTED


def _numeric(files: Files, rows: Rows) -> bool:
    number = re.compile(r"(?:.*####)?\s*[-+$€]?\d[\d,]*(?:\.\d+)?\s*%?\s*", re.DOTALL)
    return _share(rows, lambda row: bool(number.fullmatch(row.target))) >= ACCEPTED


def _category(files: Files, rows: Rows) -> bool:
    targets = [row.target.strip() for row in files.task["train"][1].examples]
    distinct = len(set(targets))
    return 2 <= distinct <= CLASSES and 4 * distinct <= len(targets) and _words(rows) <= SHORT


def _class_ids(files: Files, rows: Rows) -> bool:
    """Categories that are whole numbers: by the name of their column, or counted from 0 or 1.

    Sums with few different results look counted too, but ask, or hold numbers themselves.
    """
    data = files.task["train"][1]
    targets = {row.target.strip() for row in data.examples}
    if not _category(files, rows) or not all(re.fullmatch(r"-?\d+", one) for one in targets):
        return False
    if data.columns.get("target", "").lower() in CLASS_COLUMNS:
        return True
    counted = any({str(n + at) for n in range(len(targets))} == targets for at in (0, 1))
    sums = _share(rows, lambda row: bool(re.search(r"\d|\?\s*$", row.text)))
    return counted and len(targets) <= COUNTED and sums < 0.5


def _facts(files: Files, rows: Rows) -> bool:
    asks = _share(rows, lambda row: row.text.rstrip().endswith("?") or bool(row.evidence))
    told = files.documents is not None or bool(files.task["train"][1].documents)
    return _words(rows) <= SHORT and (told or asks >= 0.8)


def _talks(files: Files, rows: Rows) -> bool:
    return _words(rows) > SHORT


def _short(files: Files, rows: Rows) -> bool:
    return _words(rows) <= SHORT


_CANDIDATES: tuple[tuple[str, Callable[[Files, Rows], bool], str], ...] = (
    ("json", _json, "the targets are JSON: it is parsed and compared field by field"),
    ("sql", _sql, "the targets are SQL: it is run, and the results are compared"),
    ("mr", _mr, "the targets are meaning representations: compared act by act, slot by slot"),
    (
        "category",
        _class_ids,
        "few whole numbers come again and again: they are class ids (`numeric` would take them\n"
        "    # for amounts)",
    ),
    ("numeric", _numeric, "the targets are numbers"),
    ("category", _category, "few different targets come again and again: they are categories"),
    ("facts", _facts, "short answers to questions: right, wrong or abstained, aliases accepted"),
    (
        "chat",
        _talks,
        "the targets are free text, of which only form is scored: the turn is ended, in its role,\n"
        "    # of fitting length, and uses what was said; `judge` and `style` score more",
    ),
    ("normalised", _short, "short answers, case and punctuation do not count"),
)


def study_text(files: Files, guess: Guess, root: Path, model: str) -> str:
    """The study file, relative to ``root``."""
    return "\n".join(_lines(files, guess, root, model)) + "\n"


def _lines(files: Files, guess: Guess, root: Path, model: str) -> Iterator[str]:
    train, data = files.task["train"]
    own = _own_instructions(files.rows)
    yield "# Written by `whatworks init`; `whatworks check` looks the data over, `whatworks plan`"
    yield "# says what it takes, `whatworks run` runs it. Every guess can be changed."
    yield from (f"# {line}" for line in files.said)
    yield f"name: {_scalar(train.resolve().parent.name if stem(train) in _PARTS else stem(train))}"
    yield "task:"
    for part in ("train", "dev", "test"):
        if part in files.task:
            yield f"  {part}: {_path(files.task[part][0], root)}"
    listed = ", ".join(f"{role} {names}" for role, names in data.columns.items())
    shown = textwrap.shorten(listed, 600, placeholder=" ...")  # names may hold line breaks
    yield f"  # columns: {shown}; others by `columns: {{input: ..., target: ...}}`"
    if any(m.role == "assistant" for row in files.rows for m in row.messages):
        yield "  # turns: every    # trains on every answer of a conversation, not the last alone"
    missing = [part for part in ("dev", "test") if part not in files.task]
    named = Counter(str(row.meta.get("split", "")) for row in data.examples)
    if missing and not {"train", "test"} <= named.keys():
        yield f"  # {' and '.join(missing)}: cut from train, a fifth of it each and 200 at most;"
        yield "  # rows of one group, and near-duplicates, stay in one split"
    yield f"  metric: {guess.metric.name}"
    yield f"    # {guess.why}"
    if files.documents is not None:
        yield f"  documents: {_path(files.documents, root)}"
    if files.preferences is not None:
        yield f"  preferences: {_path(files.preferences, root)}"
    if own:
        yield f'  instructions: ""    # {own}'
    else:
        yield f"  instructions: {_scalar(_instructions(files, guess))}"
    sizes = {part: len(held.examples) for part, (_, held) in files.task.items()}
    if len(sizes) == 1 and {"train", "test"} <= named.keys():  # as the study will read it
        sizes = {part: named[part] for part in LARGE}
    large = {part: LARGE[part] for part, count in sizes.items() if count > LARGE[part]}
    if large:
        listed = ", ".join(f"{part}: {count}" for part, count in large.items())
        yield f"  limit: {{{listed}}}    # a first look; drop it for the whole"
    if len(sizes) > 1:
        yield "  split: {on_overlap: drop}    # rows that stand in an earlier split are left out"
    yield f"model: {_scalar(model)}    # or a Hugging Face id, a folder, https://host/v1#name"
    yield "arms:"
    yield from (f"  - {arm:<12}  # {why}" for arm, why in _arms(files, guess, model))


_PARTS = ("train", "dev", "test", "valid", "validation", "data")


def _own_instructions(rows: Rows) -> str:
    if _share(rows, lambda row: any(m.role == "system" for m in row.messages)) > 0.5:
        return "the conversations bring their own"
    if _share(rows, lambda row: "instruction" in row.inputs or bool(row.messages)) > 0.5:
        return "the rows bring their own"
    return ""


def _instructions(files: Files, guess: Guess) -> str:

    if guess.metric.name == "category":
        labels = sorted({row.target.strip() for row in files.task["train"][1].examples})
        if len(labels) <= 12 and sum(map(len, labels)) <= 200:
            return f"Answer with one of: {', '.join(labels)}."
    return DEFAULT_INSTRUCTIONS.get(guess.metric.name, "Answer.")


def _arms(files: Files, guess: Guess, model: str) -> Iterator[tuple[str, str]]:
    served = model.startswith(("http://", "https://", "fake"))
    told = files.documents is not None or bool(files.task["train"][1].documents)
    yield "zero-shot", "the instructions alone: the baseline"
    yield "few-shot", "the same examples for every request"
    yield "knn", "the nearest examples for each request"
    if guess.metric.name in ("json", "category", "sql", "mr"):
        yield "constrained", "no answer outside of the wanted form"
    if told:
        yield "rag", "passages of the documents for each request"
    if not served:
        yield "sft", "tuned on the train rows"
        if told:
            yield "rag+sft", "tuned with passages in the prompt"
        if files.preferences is not None:
            yield "sft+dpo", "and then on the preference pairs"


def _path(path: Path, root: Path) -> str:
    name = str(path)
    if not name.startswith("hf:"):
        name = os.path.relpath(path.resolve(), root.resolve())
    return _scalar(name)


def _scalar(text: str) -> str:
    """Text as YAML: bare where nothing can be misread, else in JSON's quotes, which YAML reads."""
    bare = re.fullmatch(r"[A-Za-z./][\w./-]*(?: [\w.,/-]+)*", text)
    words = {"true", "false", "null", "yes", "no", "on", "off"}
    return text if bare and text.lower() not in words else json.dumps(text, ensure_ascii=False)
