"""What a metric is made of: a function with its options and figures declared on it.

::

    class Length(Options):
        at_most: PositiveInt = 30

    @metric(Length, figures=part_means)
    def short(example: Example, text: str, options: Length) -> Score:
        return ...

Who calls this: every module with a metric declares it so, and ``registry`` finds it under the name
that its entry point gives it. Everything declared takes the options last; what a metric does not
declare has a plain meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.data.task import Example
from whatworks.metrics.score import Score
from whatworks.models.constraint import Constraint

FILE = "a file"
"""Marks the annotation of an option that may name a file, beside whatever else it may be."""

MODEL = "a model"
"""Marks the annotation of an option that names a model; the study's helper unless it is given."""

SECONDS = 10.0
"""Most seconds that one score may take unless a metric declares others."""


class Options(BaseModel):
    """Options of a metric: frozen, each checked against its type when a study is loaded."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class NoOptions(Options):
    """A metric that has none."""


O = TypeVar("O", bound=Options)  # noqa: E741
Examples = Sequence[Example]
Scores = Sequence[Score]
ScoreFunction = Callable[[Example, str, O], Score]


@dataclass(frozen=True)
class MetricDefinition(Generic[O]):
    """A metric as its module declares it; ``metric`` makes one.

    Attributes:
        score: Scores one answer. It raises ``InputError`` where the example itself cannot be
            scored against, and never because of the answer.
        options: The type of the options.
        figures: Figures that only a whole set of answers has.
        learn: Options that the user may leave out because the rows say them: train, and set aside.
        form: The constraint that ``auto`` stands for, by the train rows.
        label: What an answer means, whatever the target; "" where it means nothing.
        doubt: What makes a target decide less than it seems to, "" if nothing.
        cut_off: A score once it is known that the model did not end its turn.
        blind: Whether a score takes the request and the answer alone, so that it can choose among
            answers to one request.
        asks: Whether a score takes a request to a model: targets are not scored beforehand.
        seconds: Most seconds that one score may take by these options; None where it waits for a
            model, which has limits of its own.
    """

    score: ScoreFunction[O]
    options: type[O]
    figures: Callable[[Examples, Scores, O], dict[str, float]] | None = None
    learn: Callable[[Examples, Examples], Mapping[str, Any]] | None = None
    form: Callable[[Examples, O], Constraint | None] | None = None
    label: Callable[[str, O], str] | None = None
    doubt: Callable[[Example, O], str] | None = None
    cut_off: Callable[[Score, O], Score] | None = None
    blind: Callable[[O], bool] | None = None
    asks: bool = False
    seconds: Callable[[O], float | None] = lambda options: SECONDS

    def read_options(self, values: Mapping[str, Any], place: str) -> O:
        """Options as a study file writes them.

        Raises:
            InputError: An unknown name, a value that does not fit its type, one that is missing.
        """
        known = [field.alias or name for name, field in self.options.model_fields.items()]
        try:
            return self.options.model_validate(dict(values))
        except ValidationError as error:
            problems = error.errors()
            # A misspelt name is also a missing one: tell of the misspelling.
            problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
            name = str(problem["loc"][0]) if problem["loc"] else ""
            remedy = "see docs/metrics.md"
            if problem["type"] == "extra_forbidden":
                cause = f"unknown option {name!r}"
                remedy = suggest_nearest(name, known) if known else "this has no options"
            elif problem["type"] == "missing":
                cause, remedy = f"needs the option {name!r}", f"add `{name}: ...` there"
            else:
                cause = f"option {name!r} cannot be {values.get(name)!r}: {problem['msg']}"
            raise InputError(cause, place=place, remedy=remedy) from None

    def file_options(self) -> set[str]:
        """Names of the options that may be the path of a file or folder."""
        fields = self.options.model_fields.items()
        return {
            field.alias or name
            for name, field in fields
            if FILE in field.metadata or _is_file_option(field.annotation)
        }

    def model_options(self) -> set[str]:
        """Names of the options that name a model."""
        fields = self.options.model_fields.items()
        return {field.alias or name for name, field in fields if MODEL in field.metadata}


def metric(
    options: type[O] = NoOptions,
    *,
    figures: Callable[[Examples, Scores, O], dict[str, float]] | None = None,
    learn: Callable[[Examples, Examples], Mapping[str, Any]] | None = None,
    form: Callable[[Examples, O], Constraint | None] | None = None,
    label: Callable[[str, O], str] | None = None,
    doubt: Callable[[Example, O], str] | None = None,
    cut_off: Callable[[Score, O], Score] | None = None,
    blind: Callable[[O], bool] | None = None,
    asks: bool = False,
    seconds: Callable[[O], float | None] = lambda options: SECONDS,
) -> Callable[[ScoreFunction[O]], MetricDefinition[O]]:
    """Declare a metric on its function; ``MetricDefinition`` says what each part is."""

    def declare(score: ScoreFunction[O]) -> MetricDefinition[O]:
        return MetricDefinition(
            score, options, figures, learn, form, label, doubt, cut_off, blind, asks, seconds
        )

    return declare


def _is_file_option(hint: Any) -> bool:
    marked = FILE in getattr(hint, "__metadata__", ())
    return marked or hint is Path or any(map(_is_file_option, get_args(hint)))
