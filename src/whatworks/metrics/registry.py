"""The metrics by name, and everything that is asked of them.

One metric has four uses: score, checkpoint selection, reward and feedback for prompt search. A
metric is a function ``(example, text, options) -> Score``, decorated by ``definition.metric`` with
its options and figures. It is registered once, by an entry point of the group
``whatworks.metrics``: those of this package stand below, other packages name theirs in their own
metadata, and both are imported when a study asks for them.

A metric never raises on an answer, whatever its text. It raises ``InputError`` when the *target*
or the example's ``meta`` cannot be scored against; ``find_refused`` finds such rows beforehand.

Empty answers are ``malformed`` for structured metrics (category, end_state, json, mr, sql,
set, tool_call) and ``wrong`` for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError, get_first_line, suggest_nearest
from whatworks.base.paths import resolve_model, resolve_path
from whatworks.base.plugins import name_package
from whatworks.base.time_limit import OutOfTime, call_within
from whatworks.data.task import Example, MetricSpec, Task
from whatworks.metrics.definition import MetricDefinition, Options
from whatworks.metrics.limits import LONGEST, limit_characters
from whatworks.metrics.score import Metric, Score
from whatworks.models.constraint import Constraint
from whatworks.models.reasoning import holds_reasoning, split

GROUP = "whatworks.metrics"
"""The group of entry points under which packages register metrics."""

_BUILT_IN: Mapping[str, str] = {
    "exact": "plain_text:exact",
    "normalised": "plain_text:normalised",
    "contains": "plain_text:contains",
    "numeric": "numeric:numeric",
    "category": "category:category",
    "json": "json.metric:json_value",
    "mr": "mr:mr",
    "sql": "sql.metric:sql",
    "facts": "facts:facts",
    "chat": "chat:chat",
    "style": "style:style",
    "judge": "judge:judge",
    "reward": "reward:reward",
    "instructions": "instructions:instructions",
    "set": "label_set:label_set",
    "tool_call": "tool_call:tool_call",
    "end_state": "end_state:end_state",
    "python": "python:python",
}

NAMES: tuple[str, ...] = tuple(_BUILT_IN)
"""The metrics of this package."""


@lru_cache(maxsize=1)
def list_entries() -> Mapping[str, EntryPoint]:
    """The entry point of every metric, those of other packages included.

    Raises:
        InputError: If another package registers a name that is taken.
    """
    known = {
        name: EntryPoint(name, f"whatworks.metrics.{where}", GROUP)
        for name, where in _BUILT_IN.items()
    }
    for entry in entry_points(group=GROUP):
        if entry.name in known:
            raise InputError(
                f"two metrics are called {entry.name!r}",
                place=entry.value,
                remedy=f"the other is {known[entry.name].value}; uninstall one of the packages",
            )
        known[entry.name] = entry
    return known


@lru_cache(maxsize=64)
def find(name: str) -> MetricDefinition[Any]:
    """The metric of a name, as its module declares it.

    Raises:
        InputError: If there is none, it cannot be imported, or it is no metric.
    """
    place = f"metric {name!r}"
    known = list_entries()
    if name not in known:
        raise InputError(
            "there is no such metric", place=place, remedy=suggest_nearest(name, known)
        )
    try:
        definition = known[name].load()
    except ModuleNotFoundError as error:
        remedy = f"pip install 'whatworks[{name}]'" if name in NAMES else f"install {error.name}"
        raise InputError(f"needs the package {error.name}", place=place, remedy=remedy) from None
    except Exception as error:
        if name in NAMES:
            raise
        raise InputError(
            f"cannot be imported: {get_first_line(error)}",
            place=f"{place}, {known[name].value}",
            remedy="mend or uninstall the package that registers it",
        ) from error
    if not isinstance(definition, MetricDefinition):
        raise InputError(
            f"{known[name].value} is no metric",
            place=place,
            remedy="declare it with the decorator `whatworks.metrics.definition.metric`",
        )
    return definition


@dataclass(frozen=True)
class _Bound:
    """The metric that ``load`` gives: a definition with its options."""

    spec: MetricSpec
    definition: MetricDefinition[Any]
    options: Options
    form: Constraint | None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def asks(self) -> bool:
        return self.definition.asks

    @property
    def blind(self) -> bool:
        return self.definition.blind is not None and self.definition.blind(self.options)

    def __call__(self, example: Example, text: str, *, ended: bool = True) -> Score:
        """The one place where a metric is called: no answer holds it up."""
        score = self._score(strip_reasoning(example), text, ended=ended)
        return replace(score, counts="lenient") if self.spec.score == "lenient" else score

    def _score(self, example: Example, text: str, *, ended: bool) -> Score:
        most = limit_characters(example)
        if len(text) > most:
            return self._score_unread(example, f"{len(text):,} characters, more than {most:,}")
        seconds = self.definition.seconds(self.options)
        try:
            score = call_within(seconds, self.definition.score, example, text, self.options)
        except OutOfTime:
            return self._score_unread(example, f"not scored in {seconds:g} s")
        cut_off = self.definition.cut_off
        return score if ended or cut_off is None else cut_off(score, self.options)

    def _score_unread(self, example: Example, reason: str) -> Score:
        """The score of an answer that passes a limit; the parts are those of an empty one."""
        parts: Mapping[str, float] = {}
        if not self.asks:
            seconds = self.definition.seconds(self.options)
            with suppress(OutOfTime):
                empty = call_within(seconds, self.definition.score, example, "", self.options)
                parts = empty.parts
        return Score(0.0, "malformed", reason, parts=parts)

    def label(self, text: str) -> str:
        label = self.definition.label
        if label is None:
            return text.strip()
        seconds = self.definition.seconds(self.options)
        try:
            return call_within(seconds, label, text, self.options) if len(text) <= LONGEST else ""
        except OutOfTime:
            return ""

    def doubt(self, example: Example) -> str:
        doubt = self.definition.doubt
        return "" if doubt is None else doubt(example, self.options)

    def summary(self, examples: Sequence[Example], scores: Sequence[Score]) -> dict[str, float]:
        figures = self.definition.figures
        return figures(examples, scores, self.options) if figures and scores else {}


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
    definition = find(spec.name)
    train, aside = [strip_reasoning(row) for row in train], [strip_reasoning(row) for row in aside]
    learned = definition.learn(train, aside) if definition.learn else {}
    spec = spec.replace(options={**learned, **spec.options})
    options = definition.read_options(spec.options, f"metric {spec.name!r}")
    form = definition.form(train, options) if definition.form else None
    return _Bound(spec, definition, options, form)


def load_task_metric(task: Task) -> Metric:
    """The metric of a task."""
    return load(task.metric, task.splits.train, task.aside)


def strip_reasoning(example: Example) -> Example:
    """An example whose target is its answer alone: reasoning before it is learned, not scored."""
    if not holds_reasoning(example.target):
        return example
    return example.replace(target=split(example.target).answer)


def find_refused(metric: Metric, examples: Sequence[Example]) -> dict[str, str]:
    """Rows to which no answer can be scored: example id to the reason.

    To be asked before a study starts: such a row would fail every arm. A metric that asks a model
    is not tried.
    """
    reasons: dict[str, str] = {}
    if metric.asks:
        return reasons
    for example in examples:
        try:
            metric(example, strip_reasoning(example).target)
        except InputError as error:
            reasons[example.id] = error.cause
    return reasons


def find_unscorable(metric: Metric, examples: Sequence[Example]) -> dict[str, str]:
    """Rows whose own target does not score 1, or cannot be scored: example id to the reason.

    A metric that asks a model is not tried.
    """
    reasons: dict[str, str] = {}
    if metric.asks:
        return reasons
    for example in examples:
        try:
            score = metric(example, strip_reasoning(example).target)
        except InputError as error:
            reasons[example.id] = error.cause
        else:
            if score.value < 1.0:
                reasons[example.id] = score.feedback
    return reasons


def find_doubtful(metric: Metric, examples: Sequence[Example]) -> dict[str, str]:
    """Rows whose target decides less than it seems to: example id to the reason."""
    reasons: dict[str, str] = {}
    for example in examples:
        try:
            reason = metric.doubt(example)
        except InputError:
            continue  # told by ``find_refused``
        if reason:
            reasons[example.id] = reason
    return reasons


def resolve_metric(
    value: str | Mapping[str, Any] | MetricSpec, root: Path, *, helper: str | None = None
) -> MetricSpec:
    """A metric as files write it, and the version of the package that registers it; options that
    name files or models are absolute.

    Args:
        value: The metric.
        root: Folder of the study file.
        helper: The study's helper model, for an option that names a model and is not given.
    """
    spec = value if isinstance(value, MetricSpec) else MetricSpec.read(value)
    options = dict(spec.options)
    known = list_entries()
    if spec.name not in known:
        return spec
    definition = find(spec.name)
    for option in definition.file_options() & options.keys():
        if isinstance(options[option], str):
            options[option] = str(resolve_path(root, options[option]).absolute())
    for option in definition.model_options():
        name = options.get(option, helper)
        if isinstance(name, str):
            options[option] = resolve_model(name, root)
    return spec.replace(options=options, package=name_package(known[spec.name]))
