"""A first study for the files that somebody has: task, metric and arms guessed, and each explained.

What the files are is told by ``first_files``, what their columns mean by ``first_columns``, the
metric by ``first_metric``. What is guessed is written as a study file that runs as it is, with
comments on how it was found and what to change.
"""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from whatworks.data.file_text import stem
from whatworks.data.task import Example
from whatworks.studies.first_files import Files
from whatworks.studies.first_metric import Guess
from whatworks.studies.study_task import DEFAULT_INSTRUCTIONS

LARGE = {"train": 1000, "dev": 100, "test": 300}
"""Rows of each split from which a first run is limited."""

OUTSIDE = frozenset(
    (
        *("oos", "ood", "out_of_scope", "out_of_domain", "out_of_distribution", "no_intent"),
        *("none_of_the_above", "nota", "unsupported", "fallback", "other", "none"),
    )
)
"""Labels for what belongs to none of the classes."""


def study_text(files: Files, guess: Guess, root: Path, model: str, instructions: str = "") -> str:
    """The study file, relative to ``root``; ``instructions`` in place of those guessed."""
    return "\n".join(_lines(files, guess, root, model, instructions)) + "\n"


def _lines(files: Files, guess: Guess, root: Path, model: str, instructions: str) -> Iterator[str]:
    train, data = files.task["train"]
    own = "" if instructions else _own_instructions(files.rows)
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
    if files.columns:
        roles = (f"{role}: {_columns(names)}" for role, names in files.columns.items())
        yield f"  columns: {{{', '.join(roles)}}}"
    if files.missing:
        yield "  missing: drop    # rows without an input or a target; `keep` takes words such as"
        yield "  # 'None' as they are, and nothing for an empty text"
    if any(m.role == "assistant" for row in files.rows for m in row.messages):
        yield "  # turns: every    # trains on every answer of a conversation, not the last alone"
    missing = [part for part in ("dev", "test") if part not in files.task]
    named = Counter(str(row.meta.get("split", "")) for row in data.examples)
    if missing and not {"train", "test"} <= named.keys():
        yield f"  # {' and '.join(missing)}: cut from train, a fifth of it each and 200 at most;"
        yield "  # rows of one group, and near-duplicates, stay in one split"
    yield f"  metric: {guess.metric.name}"
    yield f"    # {guess.why}"
    yield from (f"    # {line}" for line in _apart(data.examples))
    if files.documents is not None:
        yield f"  documents: {_path(files.documents, root)}"
    if files.preferences is not None:
        yield f"  preferences: {_path(files.preferences, root)}"
    if own:
        yield f'  instructions: ""    # {own}'
    else:
        yield f"  instructions: {_scalar(instructions or _instructions(files, guess))}"
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


def _columns(names: str | list[str]) -> str:
    listed = [json.dumps(name, ensure_ascii=False) for name in
              ([names] if isinstance(names, str) else names)]  # fmt: skip
    return listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"


def _apart(rows: Sequence[Example]) -> Iterator[str]:
    """What is said of rows that belong to no class, and of those that have no answer."""
    outside = Counter(row.target.strip() for row in rows if _is_outside(row.target))
    for name, count in outside.items():
        yield f"{name!r} stands for what belongs to no class: {count} rows"
    silent = sum(row.meta.get("answerable") is False for row in rows)
    if silent:
        yield f"{silent} rows have no answer: to say so is right there, and a made-up answer wrong"


def _is_outside(target: str) -> bool:
    return re.sub(r"[^a-z]+", "_", target.strip().lower()).strip("_") in OUTSIDE


_PARTS = ("train", "dev", "test", "valid", "validation", "data")


def _own_instructions(rows: Sequence[Example]) -> str:
    half = len(rows) / 2
    if sum(any(m.role == "system" for m in row.messages) for row in rows) > half:
        return "the conversations bring their own"
    if sum("instruction" in row.inputs or bool(row.messages) for row in rows) > half:
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
