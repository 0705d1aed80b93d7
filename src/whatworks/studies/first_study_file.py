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

from whatworks.data.file_text import get_stem
from whatworks.data.task import Example
from whatworks.metrics.tool_call import is_call
from whatworks.models.open_engine import is_served
from whatworks.studies.first_files import Files
from whatworks.studies.first_metric import Guess
from whatworks.studies.first_prompt import guess_score, write_prompts

SCHEMA = Path(".whatworks", "study.schema.json")
"""Beside a study file: what editors complete and check it by."""
LARGE = {"train": 1000, "dev": 100, "test": 300}
"""Rows of each split from which a first run is limited."""

OUTSIDE = frozenset(
    (
        *("oos", "ood", "out_of_scope", "out_of_domain", "out_of_distribution", "no_intent"),
        *("none_of_the_above", "nota", "unsupported", "fallback", "other", "none"),
    )
)
"""Labels for what belongs to none of the classes."""


def render_study(files: Files, guess: Guess, root: Path, model: str, instructions: str = "") -> str:
    """The study file, relative to ``root``; ``instructions`` in place of those guessed."""
    return "\n".join(_render_lines(files, guess, root, model, instructions)) + "\n"


def _render_lines(
    files: Files, guess: Guess, root: Path, model: str, instructions: str
) -> Iterator[str]:
    train, data = files.task["train"]
    own = "" if instructions else _describe_instructions(files.rows)
    yield f"# yaml-language-server: $schema={SCHEMA.as_posix()}"
    yield "# Written by `whatworks init`; `whatworks check` looks the data over, `whatworks plan`"
    yield "# says what it takes, `whatworks run` runs it. Every guess can be changed."
    yield from (f"# {line}" for line in files.lines)
    stem = get_stem(train)
    yield f"name: {_format_scalar(train.resolve().parent.name if stem in _PARTS else stem)}"
    yield "task:"
    for part in ("train", "dev", "test"):
        if part in files.task:
            yield f"  {part}: {_format_path(files.task[part][0], root)}"
    listed = ", ".join(f"{role} {names}" for role, names in data.columns.items())
    shown = textwrap.shorten(listed, 600, placeholder=" ...")  # names may hold line breaks
    yield f"  # columns: {shown}; others by `columns: {{input: ..., target: ...}}`"
    if files.columns:
        roles = (f"{role}: {_format_columns(names)}" for role, names in files.columns.items())
        yield f"  columns: {{{', '.join(roles)}}}"
    if files.group:
        roles = {**files.columns, "group": files.group.column}
        listed = ", ".join(f"{role}: {_format_columns(names)}" for role, names in roles.items())
        yield f"  # columns: {{{listed}}}    # rows that share it in one split"
    if files.missing:
        yield "  missing: drop    # rows without an input or a target; `keep` takes words such as"
        yield "  # 'None' as they are, and nothing for an empty text"
    yield from _describe_turns(files.rows, guess)
    missing = [part for part in ("dev", "test") if part not in files.task]
    named = Counter(str(row.meta.get("split", "")) for row in data.examples)
    if missing and not {"train", "test"} <= named.keys():
        yield f"  # {' and '.join(missing)}: cut from train, a fifth of it each and 200 at most;"
        yield "  # rows of one group, and near-duplicates, stay in one split"
    yield f"  metric: {guess.metric.name}"
    yield f"    # {guess.why}"
    yield from (f"    # {line}" for line in _describe_apart(data.examples))
    prompts = (instructions,) if instructions else write_prompts(guess.metric.name, data.examples)
    if files.documents is not None:
        yield f"  documents: {_format_path(files.documents, root)}"
    if files.preferences is not None:
        yield f"  preferences: {_format_path(files.preferences, root)}"
    if own:
        yield f'  instructions: ""    # {own}'
    else:
        yield f"  instructions: &first {_format_block(prompts[0], 4)}"
    sizes = {part: len(source.examples) for part, (_, source) in files.task.items()}
    if len(sizes) == 1 and {"train", "test"} <= named.keys():  # as the study will read it
        sizes = {part: named[part] for part in LARGE}
    large = {part: LARGE[part] for part, count in sizes.items() if count > LARGE[part]}
    if large:
        listed = ", ".join(f"{part}: {count}" for part, count in large.items())
        yield f"  limit: {{{listed}}}    # a first look; drop it for the whole"
    yield from _describe_split(
        several=len(sizes) > 1, even=guess.metric.name == "category" and bool(missing or large)
    )
    yield f"model: {_format_scalar(model)}    # or a Hugging Face id, a folder, https://host/v1#name"
    score, why = guess_score(guess.metric.name, files.rows)
    yield f"score: {score}    # {why}"
    yield "race: true    # arms without hope on dev leave early; false runs each of them to the end"
    yield "arms:"
    for arm, why, variants in _list_arms(files, guess, model):
        if not variants:
            yield f"  - {arm:<12}  # {why}"
            continue
        nested = arm != "prompt"  # a chain: the variants stand under its step
        yield f"  - arm: {arm}  # {why}" if nested else f"  - {arm + ':':<12}  # {why}"
        if nested:
            yield "    prompt:"
        yield "      variants:"
        for one in variants:
            known = one == prompts[0] and not own
            yield f"        - {'*first' if known else _format_block(one, 10)}"


def _describe_split(*, several: bool, even: bool) -> Iterator[str]:
    """How splits are cut: labels in even shares, and files of their own without overlap."""
    dropped = "rows that stand in an earlier split are left out"
    labels = "each label has the same share of every split that is cut"
    if several and even:
        yield f"  split: {{on_overlap: drop, stratify: true}}    # {dropped};"
        yield f"  # {labels}"
    elif several:
        yield f"  split: {{on_overlap: drop}}    # {dropped}"
    elif even:
        yield f"  split: {{stratify: true}}    # {labels}"


def _describe_turns(rows: Sequence[Example], guess: Guess) -> Iterator[str]:
    """Which answers of a conversation count: of calls all, or it is said how."""
    answers = [m.content for row in rows for m in row.messages if m.role == "assistant"]
    if not answers:
        return
    calls = sum(map(is_call, answers))
    if guess.metric.name == "tool_call" and calls:
        yield "  turns: asked    # every call is trained and asked for, not the last alone"
        return
    yield "  # turns: every    # trains on every answer of a conversation, not the last alone"
    if calls:
        yield "  # calls of tools within: `metric: tool_call` with `turns: asked` scores each"


def _format_columns(names: str | list[str]) -> str:
    listed = [json.dumps(name, ensure_ascii=False) for name in
              ([names] if isinstance(names, str) else names)]  # fmt: skip
    return listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]"


def _describe_apart(rows: Sequence[Example]) -> Iterator[str]:
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


def _describe_instructions(rows: Sequence[Example]) -> str:
    half = len(rows) / 2
    if sum(any(m.role == "system" for m in row.messages) for row in rows) > half:
        return "the conversations bring their own"
    if sum("instruction" in row.inputs or bool(row.messages) for row in rows) > half:
        return "the rows bring their own"
    return ""


def _list_arms(
    files: Files, guess: Guess, model: str
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each arm with the reason for it and, where it is hand-written, its variants."""
    served = is_served(model) or model.startswith("fake")
    has_documents = files.documents is not None or bool(files.task["train"][1].documents)
    metric, rows = guess.metric.name, files.task["train"][1].examples
    formal = metric in ("json", "category", "sql", "mr")
    yield "zero-shot", "the instructions alone", ()
    why = "hand-written, the best of these on dev; it or zero-shot is the baseline"
    yield "prompt", why, write_prompts(metric, rows)
    yield "few-shot", "the same examples for every request", ()
    yield "knn", "the nearest examples for each request", ()
    if formal:
        yield "constrained", "no answer outside of the wanted form", ()
    if has_documents:
        yield "rag", "passages of the documents for each request", ()
        why = "passages, and what to do with them: content and form"
        yield "rag+prompt", why, write_prompts(metric, rows, documents=True)
        if formal:
            yield "rag+constrained", "passages for the content, a form that holds", ()
    if not served:
        yield "sft", "tuned on the train rows", ()
        if has_documents:
            yield "rag+sft", "tuned with passages in the prompt: content and form", ()
        if files.preferences is not None:
            yield "sft+dpo", "and then on the preference pairs", ()


def _format_path(path: Path, root: Path) -> str:
    name = str(path)
    if not name.startswith("hf:"):
        name = os.path.relpath(path.resolve(), root.resolve())
    return _format_scalar(name)


def _format_block(text: str, indent: int) -> str:
    """Text as YAML that people can read: over several lines where it has them."""
    lines = text.split("\n")
    plain = all(line == line.rstrip() and line.isprintable() for line in lines) and lines[-1]
    if len(lines) < 2 or not plain or lines[0].startswith(" "):
        return _format_scalar(text)
    return "|-\n" + "\n".join(" " * indent + line if line else "" for line in lines)


def _format_scalar(text: str) -> str:
    """Text as YAML: bare where nothing can be misread, else in JSON's quotes, which YAML reads."""
    bare = re.fullmatch(r"[A-Za-z./][\w./-]*(?: [\w.,/-]+)*", text)
    words = {"true", "false", "null", "yes", "no", "on", "off"}
    return text if bare and text.lower() not in words else json.dumps(text, ensure_ascii=False)
