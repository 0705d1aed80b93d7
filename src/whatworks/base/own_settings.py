"""Settings that a function of the user's own takes: its further parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

from whatworks.base.errors import InputError, get_first_line

_NO = inspect.Parameter.empty


def read_settings(function: Callable[..., Any], takes: tuple[str, ...]) -> dict[str, Any]:
    """The settings of a function, as the fields of a pydantic model.

    Args:
        function: ``def shout(start, bench, *, words: int = 3)``.
        takes: What its other parameters are.

    Raises:
        InputError: If it takes something else, or a type cannot be read.
    """
    own = list(inspect.signature(function).parameters.values())
    named = [one for one in own if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    first, settings = named[: len(takes)], named[len(takes) :]
    refused = [one for one in first if one.kind is one.KEYWORD_ONLY]
    refused += [one for one in settings if one.kind is not one.KEYWORD_ONLY and one.default is _NO]
    if len(first) != len(takes) or refused:
        raise InputError(
            f"{_name(function)} takes {', '.join(str(one) for one in own) or 'nothing'}",
            place=find_source(function),
            remedy=f"write `def {_name(function)}({', '.join(takes)}, *, setting=...)`",
        )
    try:
        hints = get_type_hints(function, include_extras=True) if settings else {}
    except Exception as error:
        raise InputError(
            f"the types of {_name(function)} cannot be read: {get_first_line(error)}",
            place=find_source(function),
            remedy="import what they name at the head of the file",
        ) from error
    return {
        one.name: (
            hints.get(one.name, Any),
            ... if one.default is _NO else one.default,
        )
        for one in settings
    }


def find_source(thing: Any) -> str:
    """The absolute path of the file in which a function or class is written; "" where in none."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(thing))
    except (TypeError, OSError):
        return ""
    return str(Path(file).absolute()) if file is not None and Path(file).is_file() else ""


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
