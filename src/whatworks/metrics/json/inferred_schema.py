"""The JSON Schema of some values: what all of them have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from whatworks.models.constraint import ROOM

MOST_SHAPES = 16
"""Objects with more different sets of keys than this are described by one set, keys optional."""


def infer_schema(values: Sequence[Any]) -> dict[str, Any]:
    """A schema that holds for all the values, and for values like them.

    Objects have no other keys than those seen, in the order first seen; up to ``MOST_SHAPES``
    different sets of keys are told apart. Numbers are free, strings and arrays up to ``ROOM`` times
    the length of the longest seen: a model that finds no end would write on until it is cut off.

    Args:
        values: JSON values, at least one.
    """
    kinds: dict[str, list[Any]] = {}
    for value in values:
        kinds.setdefault(_name_kind(value), []).append(value)
    if "integer" in kinds and "number" in kinds:
        kinds["number"] += kinds.pop("integer")
    schemas = [one for kind, some in kinds.items() for one in _infer_shapes(kind, some)]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _infer_shapes(kind: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    if kind == "array":
        items = [item for value in values for item in value]
        if not items:
            return [{"type": "array", "maxItems": 0}]
        most = ROOM * max(map(len, values))
        return [{"type": "array", "items": infer_schema(items), "maxItems": most}]
    if kind == "string":
        return [{"type": "string", "maxLength": ROOM * max(1, *map(len, values))}]
    if kind != "object":
        return [{"type": kind}]
    sets: dict[frozenset[str], list[Mapping[str, Any]]] = {}
    for value in values:
        sets.setdefault(frozenset(value), []).append(value)
    if len(sets) > MOST_SHAPES:
        always = frozenset.intersection(*sets)
        return [_describe_object(values, always)]
    return [_describe_object(some, keys) for keys, some in sets.items()]


def _describe_object(
    values: Sequence[Mapping[str, Any]], required: frozenset[str]
) -> dict[str, Any]:
    names = dict.fromkeys(name for value in values for name in value)
    properties = {name: infer_schema([v[name] for v in values if name in v]) for name in names}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in names if name in required],
        "additionalProperties": False,
    }


def _name_kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    names = ((str, "string"), (int, "integer"), (float, "number"), (Mapping, "object"))
    return next((name for kind, name in names if isinstance(value, kind)), "array")
