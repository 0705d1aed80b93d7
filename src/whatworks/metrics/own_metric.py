"""A metric of the user's own: a function, declared by a decorator.

::

    @ww.metric
    def capitals(example, text, *, strict: bool = True):
        return float(text == example.target.upper())

In a study it is found in a file, ``metric: {python: my_metric.py:capitals}``, or by an entry point.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, overload

from pydantic import create_model

from whatworks.base.errors import InputError, WhatworksError, get_first_line
from whatworks.base.own_settings import find_source, read_settings
from whatworks.base.phrasing import quote_briefly
from whatworks.base.python_file import find_line
from whatworks.data.task import Example
from whatworks.metrics.definition import SECONDS, MetricDefinition, NoOptions, Options
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts

ScoreText = Callable[..., Any]
"""``(example, text, *, options) -> float | Score``."""


@overload
def metric(function: ScoreText, /) -> MetricDefinition[Any]: ...
@overload
def metric(*, seconds: float = SECONDS) -> Callable[[ScoreText], MetricDefinition[Any]]: ...
def metric(function: ScoreText | None = None, /, *, seconds: float = SECONDS) -> Any:
    """Declare a function ``(example, text, *, options)`` a metric.

    Args:
        function: Returns a number from 0 to 1, or a ``Score``, and never raises because of what
            ``text`` is. Its keyword-only parameters are the options, checked against their types.
        seconds: Most seconds that one score may take; longer is malformed.

    Returns:
        A metric, for ``ww.study(metric=...)`` or an entry point.

    Raises:
        InputError: If the function takes something else.
    """

    def declare(function: ScoreText) -> MetricDefinition[Any]:
        return declare_metric(function, seconds)

    return declare if function is None else declare(function)


def declare_metric(function: ScoreText, seconds: float = SECONDS) -> MetricDefinition[Any]:
    """A metric of a function; ``metric`` says what it takes.

    Raises:
        InputError: If the function takes something else.
    """
    name = getattr(function, "__name__", type(function).__name__)
    fields = read_settings(function, ("example", "text"))
    options = create_model(f"{name}_options", __base__=Options, **fields) if fields else NoOptions
    source = find_source(function)

    @wraps(function)
    def score(example: Example, text: str, options: Options) -> Score:
        place = f"{source.rpartition('/')[2]}:{name}, row {example.id!r}"
        own = {field: getattr(options, field) for field in type(options).model_fields}
        try:
            value = function(example, text, **own)
        except WhatworksError:
            raise
        except Exception as error:
            raise InputError(
                f"raised {type(error).__name__}: {get_first_line(error)}, "
                f"at the answer {quote_briefly(text)}",
                place=f"{place}{find_line(error, source)}",
                remedy="mend the function: an error is no score",
            ) from error
        return _read_score(value, name, place)

    return MetricDefinition(score, options, figures=average_parts, seconds=lambda options: seconds)


def _read_score(value: Any, name: str, place: str) -> Score:
    """What a function returned, as a score.

    Raises:
        InputError: If it is none.
    """
    if isinstance(value, Score):
        return value
    if not isinstance(value, bool | int | float) or not 0.0 <= value <= 1.0:
        raise InputError(
            f"returned {quote_briefly(repr(value))}",
            place=place,
            remedy="return a number from 0 to 1, or a whatworks.metrics.score.Score",
        )
    number = float(value)
    if number == 1.0:
        return Score(number, "correct")
    return Score(number, "wrong", f"{name} says {number:g}")
