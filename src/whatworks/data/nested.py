"""Values within values: ``answers.text[0]`` as the name of a column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from whatworks.data.raw_row import Fields

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]")


def look(fields: Fields, path: str) -> Any:
    """The value at a path of names and positions; None where there is none.

    A column whose own name is the path goes before what the path leads to.
    """
    if path in fields:
        return fields[path]
    at, value = 0, cast("Any", fields)
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return None
        at, (name, position) = step.end(), (step[1], step[2])
        if name is not None and isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(name)
        elif position is not None and isinstance(value, list):
            items = cast("list[Any]", value)
            inside = -len(items) <= int(position) < len(items)
            value = items[int(position)] if inside else None
        else:
            return None
    return value


def list_leaves(fields: Fields, deep: int = 4) -> Iterator[tuple[str, Any]]:
    """Paths and values that are no objects: of lists of texts or objects the first item.

    Args:
        fields: A row.
        deep: Most steps of a path.
    """
    for name, value in fields.items():
        yield from _walk_leaves(name, value, deep)


def _walk_leaves(path: str, value: Any, deep: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and deep > 1:
        for name, inner in cast("Mapping[str, Any]", value).items():
            yield from _walk_leaves(f"{path}.{name}", inner, deep - 1)
    elif isinstance(value, list) and value and deep > 1:
        yield from _walk_leaves(f"{path}[0]", cast("list[Any]", value)[0], deep - 1)
    else:
        yield path, value
