"""JSON text to a value, or an error that names the line."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from whatworks.base.errors import InputError

_MAX_DEPTH = 100
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def parse(source: str, path: str, *, line: int = 1) -> Any:
    """A JSON value.

    Args:
        source: The JSON text.
        path: File name, for errors.
        line: The line in the file at which ``source`` begins.

    Raises:
        InputError: If it is not JSON, is nested deeper than 100 levels, or holds broken Unicode.
    """
    try:
        value = json.loads(source, parse_constant=_convert_constant)
    except json.JSONDecodeError as error:
        raise InputError(
            f"broken JSON in column {error.colno}: {error.msg}",
            place=f"{path}:{line + error.lineno - 1}",
            remedy="each line must be one JSON object, a .json file one array of objects",
        ) from error
    except (ValueError, RecursionError) as error:
        reason = "too many digits" if isinstance(error, ValueError) else "nested too deeply"
        raise InputError(
            f"cannot be read as JSON: {reason}",
            place=f"{path}:{line}",
            remedy="shorten the value there, or write it as a text",
        ) from error
    if source.count("[") + source.count("{") > _MAX_DEPTH and _measure_depth(value) > _MAX_DEPTH:
        raise InputError(
            f"nested deeper than {_MAX_DEPTH} levels", place=f"{path}:{line}", remedy="flatten it"
        )
    if _HALF_PAIR.search(source):
        _check_unicode(value, f"{path}:{line}")
    return value


def _convert_constant(name: str) -> float | None:
    """What is no number is missing, as it is in Parquet; infinities are numbers."""
    return None if name == "NaN" else float(name)


def _measure_depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(cast("dict[str, Any]", item).values())
            elif isinstance(item, list):
                below.extend(cast("list[Any]", item))
        level = below
    return depth


def _check_unicode(value: Any, place: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "half of a two-part Unicode character (a lone \\ud... escape)",
            place=place,
            remedy="repair or remove that character",
        ) from error
