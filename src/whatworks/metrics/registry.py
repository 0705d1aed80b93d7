"""Metrics: functions ``(example, text, *, options) -> Score``.

One metric has four uses: score, checkpoint selection, reward and feedback for prompt search.

A new metric is one function and one entry in ``_REGISTRY``. Its options are its keyword-only
parameters, checked against their annotations when a study is loaded. More functions may stand
beside it, with those of the options that they want:

- ``summary(examples, scores)`` gives figures that only a whole set of answers has;
- ``learn(train, aside)`` gives options that the user may leave out because rows say them;
- ``form(train)`` gives the constraint that ``auto`` stands for;
- ``label(text)`` says what an answer means, whatever the target;
- ``blind()`` says whether, with these options, a score takes the request and the answer alone.

A metric that wants to know whether the model ended its turn has a third parameter, ``ended``.

A metric never raises on an answer, whatever its text. It raises ``InputError`` when the *target*
or the example's ``meta`` cannot be scored against; ``refused`` finds such rows beforehand.

Empty answers are ``malformed`` for structured metrics (category, json, mr, sql) and ``wrong`` for
the others.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from whatworks.base.errors import InputError, nearest
from whatworks.base.paths import model_at, path_of
from whatworks.data.task import Example, MetricSpec, Task
from whatworks.metrics.options import checked, files, keywords, models
from whatworks.metrics.score import Metric, Score
from whatworks.models.constraint import Constraint


@dataclass(frozen=True)
class _Entry:
    """Where a metric's functions are: all in one module, imported when asked for."""

    module: str
    score: str
    summary: str = ""
    learn: str = ""
    form: str = ""
    label: str = ""
    blind: str = ""
    asks: bool = False
    """Whether a score takes a request to a model, so that targets are not scored beforehand."""


_REGISTRY: Mapping[str, _Entry] = {
    "exact": _Entry("plain_text", "exact"),
    "normalised": _Entry("plain_text", "normalised", label="normalise"),
    "contains": _Entry("plain_text", "contains", label="normalise"),
    "numeric": _Entry("plain_text", "numeric", label="number"),
    "category": _Entry(
        "category", "category", summary="summary", learn="learn", form="form", label="label"
    ),
    "json": _Entry(
        "json.metric", "json_value", summary="summary", form="form", label="label", blind="blind"
    ),
    "mr": _Entry("mr", "mr", summary="summary", form="form", label="label"),
    "sql": _Entry("sql.metric", "sql", summary="summary", form="form", label="label"),
    "facts": _Entry("facts", "facts", summary="summary", label="normalise"),
    "chat": _Entry("chat", "chat", summary="summary"),
    "style": _Entry("style", "style", summary="summary", learn="learn", blind="blind"),
    "judge": _Entry("judge", "judge", summary="summary", asks=True),
    "reward": _Entry("reward", "reward", summary="summary", blind="blind", asks=True),
    "instructions": _Entry("instructions", "instructions", summary="summary", blind="blind"),
}

NAMES: tuple[str, ...] = tuple(_REGISTRY)


@dataclass(frozen=True)
class _Bound:
    """The metric that ``load`` gives: functions with their options bound."""

    spec: MetricSpec
    _score: Callable[..., Score]
    _summary: Callable[[Sequence[Example], Sequence[Score]], dict[str, float]] | None
    _told: bool
    """Whether the function wants to know if the turn was ended."""
    asks: bool
    blind: bool
    form: Constraint | None = None
    _label: Callable[[str], str] = str.strip

    @property
    def name(self) -> str:
        return self.spec.name

    def __call__(self, example: Example, text: str, *, ended: bool = True) -> Score:
        return self._score(example, text, ended) if self._told else self._score(example, text)

    def label(self, text: str) -> str:
        return self._label(text)

    def summary(self, examples: Sequence[Example], scores: Sequence[Score]) -> dict[str, float]:
        if self._summary is None or not scores:
            return {}
        return self._summary(examples, scores)


def load(spec: MetricSpec, train: Sequence[Example] = (), aside: Sequence[Example] = ()) -> Metric:
    """The metric that a task names, with its options checked and bound.

    Args:
        spec: Name and options.
        train: Training rows, from which ``category`` takes the labels that options do not give.
        aside: Rows that no arm sees, from which ``style`` learns what its options do not give.

    Raises:
        InputError: Unknown name, unknown option, an option of the wrong type, or one that is
            needed and missing.
    """
    place = f"metric {spec.name!r}"
    entry, module = _module(spec.name)
    score: Callable[..., Score] = getattr(module, entry.score)
    learned: dict[str, Any] = getattr(module, entry.learn)(train, aside) if entry.learn else {}
    options = {**learned, **spec.options}
    given = checked(score, options, place)
    summary = _bound(module, entry.summary, given)
    told = "ended" in inspect.signature(score).parameters
    form = _bound(module, entry.form, given)
    label = _bound(module, entry.label, given)
    blind = _bound(module, entry.blind, given)
    return _Bound(
        spec.replace(options=options),
        partial(score, **given),
        summary,
        told,
        entry.asks,
        blind is not None and blind(),
        form(train) if form else None,
        label or str.strip,
    )


def _bound(module: ModuleType, name: str, given: Mapping[str, Any]) -> Callable[..., Any] | None:
    """A function beside the metric, with those of the metric's options that it has too."""
    if not name:
        return None
    function: Callable[..., Any] = getattr(module, name)
    return partial(function, **{n: given[n] for n in keywords(function) if n in given})


def of(task: Task) -> Metric:
    """The metric of a task."""
    return load(task.metric, task.splits.train, task.aside)


def file_options(name: str) -> set[str]:
    """Options of a metric that may name a file; a study's are relative to the study file."""
    if name not in _REGISTRY:
        return set()
    entry, module = _module(name)
    return files(getattr(module, entry.score))


def _model_options(name: str) -> set[str]:
    """Options of a metric that name a model."""
    if name not in _REGISTRY:
        return set()
    entry, module = _module(name)
    return models(getattr(module, entry.score))


def _module(name: str) -> tuple[_Entry, ModuleType]:
    place = f"metric {name!r}"
    if name not in _REGISTRY:
        raise InputError("there is no such metric", place=place, remedy=nearest(name, NAMES))
    entry = _REGISTRY[name]
    try:
        return entry, import_module(f"whatworks.metrics.{entry.module}")
    except ModuleNotFoundError as error:
        raise InputError(
            f"needs the package {error.name}",
            place=place,
            remedy=f"pip install 'whatworks[{name}]'",
        ) from None


def refused(metric: Metric, examples: Sequence[Example]) -> dict[str, str]:
    """Rows to which no answer can be scored: example id to the reason.

    To be asked before a study starts: such a row would fail every arm. A metric that asks a model
    is not tried.
    """
    reasons: dict[str, str] = {}
    if metric.asks:
        return reasons
    for example in examples:
        try:
            metric(example, example.target)
        except InputError as error:
            reasons[example.id] = error.cause
    return reasons


def unscorable(metric: Metric, examples: Sequence[Example]) -> dict[str, str]:
    """Rows whose own target does not score 1, or cannot be scored: example id to the reason.

    A metric that asks a model is not tried.
    """
    reasons: dict[str, str] = {}
    if metric.asks:
        return reasons
    for example in examples:
        try:
            score = metric(example, example.target)
        except InputError as error:
            reasons[example.id] = error.cause
        else:
            if score.value < 1.0:
                reasons[example.id] = score.feedback
    return reasons


def metric_at(
    value: str | Mapping[str, Any] | MetricSpec, root: Path, *, helper: str | None = None
) -> MetricSpec:
    """A metric as files write it; options that name files or models are absolute.

    Args:
        value: The metric.
        root: Folder of the study file.
        helper: The study's helper model, for an option that names a model and is not given.
    """
    spec = value if isinstance(value, MetricSpec) else MetricSpec.read(value)
    options = dict(spec.options)
    for option in file_options(spec.name) & options.keys():
        if isinstance(options[option], str):
            options[option] = str(path_of(root, options[option]).absolute())
    for option in _model_options(spec.name):
        name = options.get(option, helper)
        if isinstance(name, str):
            options[option] = model_at(name, root)
    return spec.replace(options=options)
