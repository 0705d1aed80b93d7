"""A metric of the user's own: ``metric: {python: my_metric.py:score}``.

A function ``score(example, text)`` in a file beside the study file, which returns a float in [0, 1]
or a ``Score``. It runs wherever a metric runs, and counts by the content of that file. The file is
run when the first answer is scored, never when a study file is read, and a line on the error stream
says so.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import PositiveFloat

from whatworks.base.errors import InputError, WhatworksError, get_first_line
from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example
from whatworks.metrics.definition import SECONDS, Options, metric
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts


class PythonOptions(Options):
    """Options of ``python``.

    Attributes:
        file: The Python file; relative to the study file.
        function: The name of the function in it.
        seconds: Most seconds that one score may take.
    """

    file: Path
    function: str
    seconds: PositiveFloat = SECONDS


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
    place = f"{options.file.name}:{options.function}, row {example.id!r}"
    score = _load_function(options.file, options.function)
    try:
        value = score(example, text)
    except WhatworksError:
        raise
    except Exception as error:
        raise InputError(
            f"raised {type(error).__name__}: {get_first_line(error)}, "
            f"at the answer {quote_briefly(text)}",
            place=f"{place}{_find_line(error, options.file)}",
            remedy="mend the function: an error is no score",
        ) from error
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
    return Score(number, "wrong", f"{options.function} says {number:g}")


@lru_cache(maxsize=8)
def _load_function(file: Path, name: str) -> Callable[[Example, str], Any]:
    """The function, its file run once.

    Raises:
        InputError: If the file cannot be run, or has no such function.
    """
    if not file.is_file():
        raise InputError(
            "there is no such file", place=str(file), remedy="name it from the study file's folder"
        )
    print(f"running {file}: the study's metric is {name!r} in it", file=sys.stderr)
    spec = importlib.util.spec_from_file_location(f"whatworks_metric_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(
            f"cannot be run: {type(error).__name__}: {get_first_line(error)}",
            place=f"{file.name}{_find_line(error, file)}",
            remedy="`python FILE` shows the whole error",
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise InputError(
            f"there is no function {name!r}",
            place=str(file),
            remedy=f"write `def {name}(example, text):` there, or name another by FILE:FUNCTION",
        )
    return function


def _find_line(error: Exception, file: Path) -> str:
    """The last line of the user's file that an error passed."""
    lines: list[int] = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""
