"""Logs and traces of applications to examples: what was asked, what was answered, how it was rated.

A log is a tree of objects: lines, pages, traces, spans, nested runs. The import walks the tree,
asks every object which system wrote it, and collects the model calls and the feedback wherever
they stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.yaml_file import parse_yaml
from whatworks.data import file_text as text
from whatworks.data.contents import Data
from whatworks.data.formats.base import RowProblem
from whatworks.data.logs.base import LogFormat, LoggedCall, Node, find_start
from whatworks.data.logs.cleaning import (
    drop_secrets,
    drop_system,
    drop_template,
    filter_feedback,
)
from whatworks.data.logs.personal import TREATMENTS
from whatworks.data.logs.platforms import (
    LANGFUSE,
    LANGSMITH,
    OPENAI_CALLS,
    OPENAI_EVENTS,
    PROMPTFOO,
    PROMPTFOO_TESTS,
    read_stored_message,
)
from whatworks.data.logs.spans import MLFLOW_INFO, SPANS
from whatworks.data.raw_rows import JSON_ENDINGS, TABLE_ENDINGS, read_rows, read_values
from whatworks.data.task import Example, Message

__all__ = [
    "LOG_FORMATS",
    "drop_secrets",
    "drop_system",
    "drop_template",
    "filter_feedback",
    "import_logs",
]

LOG_FORMATS: tuple[LogFormat, ...] = (
    LANGSMITH,
    MLFLOW_INFO,
    SPANS,
    LANGFUSE,
    PROMPTFOO,
    PROMPTFOO_TESTS,
    OPENAI_CALLS,
    OPENAI_EVENTS,
)

_CHILDREN = ("child_runs", "children", "observations", "spans", "scores")
"""Where a recognised object keeps further ones; anything else in it is its own content."""

MOST_VALUES = 2_000_000
"""Values of a YAML file of logs, with those that aliases repeat."""

_ENDINGS = (*JSON_ENDINGS, *TABLE_ENDINGS, ".parquet", ".yaml", ".yml", ".log")

Strip = Literal["nothing", "system", "template"]
Personal = Literal["keep", "redact", "drop"]


def import_logs(
    path: Path,
    *,
    format: str | None = None,
    feedback: str = "",
    min_score: float | None = None,
    strip: Strip = "nothing",
    system: str = "",
    keep_secrets: bool = False,
    personal: Personal = "keep",
) -> Data:
    """Read the model calls in a log file or a folder of them.

    Each call becomes an example: messages, the answer as target, the trace as group, and in
    ``meta`` what the log knows of ``score``, ``model``, ``seconds`` and the time ``at`` which it
    began (UTC). A score given to a whole trace counts for its calls; several of one name are
    averaged. Where scores have several names, ``feedback`` says which counts, or none does.

    Args:
        path: JSON, JSONL, CSV, Parquet or YAML (promptfoo), perhaps packed; or a folder.
        format: A name from ``LOG_FORMATS``, to read the objects of this system only.
        feedback: Name of the scores that count, as the log has it.
        min_score: Keep only calls with feedback of at least this.
        strip: ``system`` drops system messages, ``template`` also the beginning that prompts share.
        system: A short system message instead of the logged ones.
        keep_secrets: Keep calls that seem to hold keys, tokens or passwords.
        personal: ``redact`` replaces e-mail addresses, telephone numbers, accounts and the like by
            their kind, ``drop`` leaves such calls out (``logs.personal``).

    Raises:
        InputError: If a file cannot be read, no call is found or left, it is not clear which
            scores count, or presidio, which finds personal data, is not installed.
    """
    path = Path(path)
    known = {form.name: form for form in LOG_FORMATS}
    if format is not None and format not in known:
        raise InputError(f"unknown log format {format!r}", remedy=suggest_nearest(format, known))
    log = _Log(tuple(form for form in LOG_FORMATS if format in (None, form.name)))
    for value in _read_values(path):
        log.walk(value)
    log.choose(feedback, str(path), filtered=min_score is not None)
    data = log.data(text.get_stem(path), str(path))
    if not keep_secrets:
        data = drop_secrets(data)
    if min_score is not None:
        data = filter_feedback(data, min_score)
    if strip != "nothing" or system:
        data = drop_system(data, system)
    if strip == "template":
        data = drop_template(data)
    if personal != "keep":
        data = TREATMENTS[personal](data)
    if not data.examples:
        raise InputError(
            f"no calls are left: {'; '.join(data.notes)}",
            place=str(path),
            remedy="lower min_score, or look at what was dropped",
        )
    return data


def recognise_log(node: Node) -> str:
    """Name of the system whose log an object looks like, "" for none."""
    return next((form.name for form in LOG_FORMATS if form.matches(node)), "")


@dataclass
class _Log:
    """What has been found in a log so far."""

    formats: tuple[LogFormat, ...]
    calls: list[LoggedCall] = field(default_factory=list[LoggedCall])
    scores: dict[str, dict[str, list[float]]] = field(
        default_factory=dict[str, dict[str, list[float]]]
    )
    notes: list[str] = field(default_factory=list[str])
    asked_apart: dict[str, list[tuple[int, tuple[Message, ...]]]] = field(
        default_factory=dict[str, list[tuple[int, tuple[Message, ...]]]]
    )
    seen: Counter[str] = field(default_factory=Counter[str])
    problems: Counter[str] = field(default_factory=Counter[str])

    def walk(self, value: Any) -> None:
        """Collect the calls and the feedback in a value and whatever hangs below it."""
        waiting = [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, list):
                waiting.extend(reversed(cast("list[Any]", item)))
            elif isinstance(item, Mapping):
                waiting.extend(reversed(list(self._visit(cast("Node", item)))))

    def _visit(self, node: Node) -> Iterator[Any]:
        """Take in one object; yields where to look on."""
        form = next((form for form in self.formats if form.matches(node)), None)
        try:
            if form is None:
                apart = read_stored_message(node)
                if apart:
                    self.asked_apart.setdefault(apart[0], []).append(apart[1:])
                # What promptfoo's results repeat of their tests is no answer of a model.
                repeated = ("testCase", *(["config"] if "results" in node else []))
                yield from (value for key, value in node.items() if key not in repeated)
                return
            for about, name, score in form.feedback(node):
                self.scores.setdefault(name, {}).setdefault(about, []).append(score)
            for call in form.calls(node):
                self.calls.append(replace(call, at=find_start(node)))
                self.seen[form.name] += 1
        except RowProblem as problem:
            self.problems[str(problem)] += 1
        if form is not None:
            yield from (node[key] for key in _CHILDREN if isinstance(node.get(key), list))

    def choose(self, feedback: str, place: str, *, filtered: bool) -> None:
        """Keep the scores of this name alone; without one, the only ones there are, or none.

        Raises:
            InputError: If no score has this name, or calls are filtered by scores of several.
        """
        names = sorted(self.scores)
        if feedback and feedback not in names:
            known = (
                suggest_nearest(feedback, names)
                if names
                else "leave out `--feedback`: there is none"
            )
            raise InputError(f"no feedback is called {feedback!r}", place=place, remedy=known)
        if feedback or len(names) < 2:
            self.scores = {name: self.scores[name] for name in names if feedback in ("", name)}
            return
        listed = f"several kinds of feedback: {', '.join(names)}"
        if filtered:
            raise InputError(listed, place=place, remedy="say which counts: `--feedback NAME`")
        self.notes.append(f"{listed}; none is kept as the score, `--feedback NAME` chooses one")
        self.scores = {}

    def data(self, stem: str, place: str) -> Data:
        """The calls as examples.

        Raises:
            InputError: If there are none.
        """
        notes = self.notes + [
            f"{count} calls left out: {why}" for why, count in self.problems.items()
        ]
        examples: dict[str, Example] = {}
        unasked = 0
        for number, call in enumerate(self.calls, start=1):
            name = call.id or f"{stem}-{number}"
            example = self._example(call, name)
            if example is None:
                unasked += 1
            else:
                examples.setdefault(name, example)
        if unasked:
            notes.append(f"{unasked} calls left out: no record of what was asked")
        if not examples:
            raise InputError(
                "no model calls found" + (f" ({'; '.join(notes[:3])})" if notes else ""),
                place=place,
                remedy="known: " + "; ".join(f"{f.name} ({f.shape})" for f in LOG_FORMATS),
            )
        repeated = len(self.calls) - unasked - len(examples)
        if repeated:
            notes.append(f"{repeated} calls left out: their id was there before")
        return Data(
            examples=tuple(examples.values()),
            pairs=(),
            format=" + ".join(self.seen),
            columns={"input": "what was asked", "target": "what was answered"},
            notes=tuple(notes),
        )

    def _example(self, call: LoggedCall, name: str) -> Example | None:
        apart = sorted(self.asked_apart.get(call.id, []), key=lambda item: item[0])
        messages = call.messages or tuple(m for _, turns in apart for m in turns)
        if not messages and not call.inputs:
            return None
        scores = next(iter(self.scores.values()), {})
        rated = scores.get(call.id) or scores.get(call.trace) or []
        score = call.score if call.score is not None else _compute_mean(rated)
        facts = {"score": score, "model": call.model or None, "seconds": call.seconds}
        facts["at"] = call.at or None
        return Example(
            id=name,
            inputs=call.inputs,
            messages=messages,
            target=call.answer,
            group=call.trace or None,
            meta={**call.meta, **{k: v for k, v in facts.items() if v is not None}},
        )


def _compute_mean(scores: list[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None


def _read_values(path: Path) -> Iterator[Any]:
    """The objects in a log file, or in the log files of a folder."""
    files = [path]
    if path.is_dir():
        files = [
            f for f in sorted(path.rglob("*")) if f.is_file() and text.get_suffix(f) in _ENDINGS
        ]
        if not files:
            raise InputError(
                "the folder holds no logs", place=str(path), remedy=f"wanted: {', '.join(_ENDINGS)}"
            )
    for file in files:
        ending = text.get_suffix(file)
        if ending in (*TABLE_ENDINGS, ".parquet"):
            yield from (row.fields for row in read_rows(file))
        elif ending in (".yaml", ".yml"):
            yield parse_yaml(text.read_text(file), file, most=MOST_VALUES)
        elif not text.read_head(file).strip():
            raise InputError("the file is empty", place=str(file), remedy="give a file with logs")
        else:
            yield from (value for value, _ in read_values(file))
