"""A metric of the user's own: ``metric: {python: my_metric.py:score}``.

A function ``score(example, text)`` in a file beside the study file, which returns a float in [0, 1]
or a ``Score``, decorated by ``own_metric.metric`` or not. It runs wherever a metric runs, and
counts by the content of that file. The file is run when the first answer is scored, never when a
study file is read, and a line on the error stream says so.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, PositiveFloat

from whatworks.base.errors import InputError
from whatworks.base.file_digest import compute_digest
from whatworks.base.python_file import run_python_file
from whatworks.data.task import Example
from whatworks.metrics.definition import SECONDS, MetricDefinition, Options, metric
from whatworks.metrics.own_metric import declare_metric
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts


class PythonOptions(Options):
    """Options of ``python``.

    Attributes:
        file: The Python file; relative to the study file.
        function: The name of the function in it.
        seconds: Most seconds that one score may take.
        options: Options of the function itself.
    """

    file: Path
    function: str
    seconds: PositiveFloat = SECONDS
    options: dict[str, Any] = Field(default_factory=dict)


@metric(PythonOptions, figures=average_parts, seconds=lambda options: options.seconds)
def python(example: Example, text: str, options: PythonOptions) -> Score:
    """What the user's function says of an answer.

    Args:
        example: Handed on.
        text: Handed on.
        options: Where the function is.

    Raises:
        InputError: If there is no such function, it raises, or it returns no score: with the row.
    """
    own = _load_metric(options.file, options.function)
    place = f"{options.file.name}:{options.function}"
    return own.score(example, text, own.read_options(options.options, place))


def _load_metric(file: Path, name: str) -> MetricDefinition[Any]:
    """The metric that a file defines, its file run once.

    Raises:
        InputError: If the file cannot be run, or has no such function.
    """
    digest = compute_digest(file) if file.is_file() else ""
    return _declare(file, name, digest)


@lru_cache(maxsize=8)
def _declare(file: Path, name: str, digest: str) -> MetricDefinition[Any]:
    module = run_python_file(file, f"the study's metric is {name!r} in it")
    found = getattr(module, name, None)
    if isinstance(found, MetricDefinition):
        return found
    if not callable(found):
        raise InputError(
            f"there is no function {name!r}",
            place=str(file),
            remedy=f"write `def {name}(example, text):` there, or name another by FILE:FUNCTION",
        )
    return declare_metric(found)
