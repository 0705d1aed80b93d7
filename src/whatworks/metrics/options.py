"""Settings of a function from a study file: its keyword-only parameters, by name and annotation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.validation import find_problem


def check_options(
    function: Callable[..., Any], values: Mapping[str, Any], place: str, *, noun: str = "option"
) -> dict[str, Any]:
    """The settings as the function wants them.

    Args:
        function: Its keyword-only parameters are what can be set; one without a default must be.
        values: Names and values.
        place: Where they stand, for errors.
        noun: What they are called there.

    Raises:
        InputError: An unknown name, a value that does not fit its annotation, one that is missing.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    compiled = ConfigDict(arbitrary_types_allowed=True)
    hints = get_type_hints(function, include_extras=True)
    parameters = list_keywords(function)
    options: dict[str, Any] = {}
    for name, value in values.items():
        if name not in parameters:
            remedy = suggest_nearest(name, parameters) if parameters else f"this has no {noun}s"
            raise InputError(f"unknown {noun} {name!r}", place=place, remedy=remedy)
        try:
            options[name] = TypeAdapter(hints[name], config=compiled).validate_python(value)
        except ValidationError as error:
            cause = f"{noun} {name!r} cannot be {value!r}: {find_problem(error).reason}"
            raise InputError(cause, place=place, remedy="see docs/metrics.md") from None
    for name, parameter in parameters.items():
        if name not in options and parameter.default is parameter.empty:
            raise InputError(
                f"needs the {noun} {name!r}", place=place, remedy=f"add `{name}: ...` there"
            )
    return options


def list_keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters of a function."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}
