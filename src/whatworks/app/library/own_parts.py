"""Methods and metrics that a program hands to a study, as a study file names them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError
from whatworks.base.own_settings import find_source
from whatworks.methods.method import Method
from whatworks.metrics.definition import MetricDefinition

Keys = dict[str, Any]


def simplify_keys(keys: Mapping[str, Any]) -> Keys:
    """The keys of a study as YAML has them: what is of the program's own by its file and name.

    Raises:
        InputError: If a function or a class lies in no file.
    """
    files: dict[str, None] = {}

    def simplify(value: Any) -> Any:
        if isinstance(value, type) and issubclass(value, Method):
            if file := _locate_method(value):
                files[file] = None
            return value.name
        if inspect.isfunction(value) or isinstance(value, MetricDefinition):
            return {"python": _locate_metric(value)}
        if isinstance(value, Mapping):
            return {simplify_name(name): simplify(one) for name, one in value.items()}  # pyright: ignore
        if isinstance(value, list | tuple):
            return [simplify(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
        return str(value) if isinstance(value, Path) else value

    def simplify_name(name: Any) -> str:
        return str(simplify(name))

    own = {key: simplify(value) for key, value in keys.items() if key not in ("metric", "plugins")}
    if "metric" in keys:
        own["metric"] = _simplify_metric(keys["metric"], simplify)
    for plugin in keys.get("plugins", ()):
        if isinstance(plugin, str | Path):
            files[str(Path(plugin).absolute())] = None
        else:
            simplify(plugin)
    return {**own, "plugins": list(files)} if files else own


def _simplify_metric(metric: Any, simplify: Any) -> Any:
    """A metric; one of the program's own with options is ``{capitals: {strict: False}}``."""
    if isinstance(metric, Mapping) and len(metric) == 1:  # pyright: ignore[reportUnknownArgumentType]
        ((key, options),) = metric.items()  # pyright: ignore[reportUnknownVariableType]
        if isinstance(key, MetricDefinition) or inspect.isfunction(key):
            file, _, function = _locate_metric(key).rpartition(":")
            return {"python": {"file": file, "function": function, "options": simplify(options)}}
    return simplify(metric)


def _locate_metric(metric: Any) -> str:
    function = metric.score if isinstance(metric, MetricDefinition) else metric
    return f"{_find_file(function)}:{function.__name__}"


def _locate_method(method: type[Method]) -> str:
    """Its file; "" where it is one that every study knows."""
    from whatworks.methods.registry import list_methods

    return "" if list_methods().get(method.name) is method else _find_file(method)


def _find_file(thing: Any) -> str:
    file = find_source(thing)
    if not file or "<" in thing.__qualname__:
        kind = "the method" if isinstance(thing, type) else "the function"
        raise InputError(
            f"{kind} {thing.__name__!r} lies in no file",
            remedy="write it to one, at its outermost level, and import it from there",
        )
    return file
