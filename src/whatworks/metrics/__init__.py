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
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, Protocol

from whatworks.constraint import Constraint
from whatworks.errors import InputError, nearest
from whatworks.metrics.options import checked, files, keywords
from whatworks.task import Example, MetricSpec, Task

Kind = Literal["correct", "wrong", "abstained", "malformed"]


@dataclass(frozen=True)
class Score:
    """What one answer is worth.

    Attributes:
        value: The strict score, in [0, 1].
        kind: ``correct``, ``wrong``, ``abstained`` or ``malformed`` (not in the wanted form).
        feedback: One line that a person or a prompt search can act on: what was wrong, what was
            wanted. Empty when nothing was.
        lenient: The score that forgives form (text around the answer, case), in [0, 1]; None
            where it is the same as ``value``.
        parts: Named sub-scores and counts.
        label: The normalised prediction where that is meaningful: a category id, a short answer.
    """

    value: float
    kind: Kind
    feedback: str = ""
    lenient: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
    label: str = ""

    def __post_init__(self) -> None:
        for number in (self.value, self.forgiving):
            if not (math.isfinite(number) and 0.0 <= number <= 1.0):
                raise ValueError(f"a score must lie in [0, 1], not {number}")
        object.__setattr__(self, "feedback", _printable(" ".join(self.feedback.split())))
        object.__setattr__(self, "label", _printable(self.label))

    @property
    def forgiving(self) -> float:
        """The lenient score, or the strict one where they are the same."""
        return self.value if self.lenient is None else self.lenient


class Metric(Protocol):
    """A metric with its options bound."""

    @property
    def spec(self) -> MetricSpec:
        """Name and options, those that were learned from rows included: what another process
        needs to load the same metric."""
        ...

    @property
    def name(self) -> str:
        """The name by which a task asks for it."""
        ...

    @property
    def asks(self) -> bool:
        """Whether a score takes a request to a model."""
        ...

    @property
    def blind(self) -> bool:
        """Whether a score takes inputs, messages and the answer alone, so that it can choose among
        answers to a request."""
        ...

    @property
    def form(self) -> Constraint | None:
        """The form of answers, by options and train rows; None where any text will do."""
        ...

    def __call__(self, example: Example, text: str, *, ended: bool = True) -> Score:
        """Score one answer.

        Args:
            example: What was asked.
            text: The answer.
            ended: Whether the model ended its turn itself; False where it was cut off.

        Raises:
            InputError: If the example itself cannot be scored against, never because of ``text``.
        """
        ...

    def label(self, text: str) -> str:
        """What an answer means, without regard to any target: answers with one label are votes for
        the same. "" where it means nothing.
        """
        ...

    def summary(self, examples: Sequence[Example], scores: Sequence[Score]) -> dict[str, float]:
        """Figures of a whole set of answers, in the order of the examples; {} if none."""
        ...


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
    "exact": _Entry("text", "exact"),
    "normalised": _Entry("text", "normalised", label="normalise"),
    "contains": _Entry("text", "contains", label="normalise"),
    "numeric": _Entry("text", "numeric", label="number"),
    "category": _Entry(
        "category", "category", summary="summary", learn="learn", form="form", label="label"
    ),
    "json": _Entry(
        "json_value", "json_value", summary="summary", form="form", label="label", blind="blind"
    ),
    "mr": _Entry("mr", "mr", summary="summary", form="form", label="label"),
    "sql": _Entry("sql", "sql", summary="summary", form="form", label="label"),
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


def _module(name: str) -> tuple[_Entry, ModuleType]:
    place = f"metric {name!r}"
    if name not in _REGISTRY:
        raise InputError("there is no such metric", place=place, remedy=nearest(name, NAMES))
    entry = _REGISTRY[name]
    try:
        return entry, import_module(f"{__name__}.{entry.module}")
    except ModuleNotFoundError as error:
        raise InputError(
            f"needs the package {error.name}",
            place=place,
            remedy=f"pip install 'whatworks[{name}]'",
        ) from None


def worth(score: Score, wrong_costs: float = 0.0) -> float:
    """A score as a reward: strict, less what a wrong or malformed answer costs.

    With a cost, abstaining is worth more than being wrong, as where a wrong answer costs
    t / (1 - t) and one should answer when surer than t.
    """
    return score.value - (wrong_costs if score.kind in ("wrong", "malformed") else 0.0)


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


def _printable(line: str) -> str:
    """Without the lone surrogates that no file could hold."""
    return line.encode("utf-8", "replace").decode("utf-8")
