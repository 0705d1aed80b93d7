"""What other packages add: found by entry point, imported when it is first asked for.

A package names its own in its metadata, under the groups ``whatworks.methods``,
``whatworks.formats`` and ``whatworks.engines`` (metrics: ``metrics.registry``). The registry of a
group asks for them here and checks what it gets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from whatworks.base.errors import InputError, get_first_line


@lru_cache(maxsize=8)
def load_plugins(group: str, taken: Collection[str]) -> Mapping[str, Any]:
    """The objects that other packages register, by name.

    Args:
        group: The group of entry points.
        taken: Names that this package has itself.

    Raises:
        InputError: If a name is taken, or something cannot be imported.
    """
    plugins: dict[str, Any] = {}
    for entry in entry_points(group=group):
        place = f"{group}, {entry.value}"
        remedy = "mend or uninstall the package that registers it"
        if entry.name in taken or entry.name in plugins:
            raise InputError(f"the name {entry.name!r} is taken", place=place, remedy=remedy)
        try:
            plugins[entry.name] = entry.load()
        except Exception as error:
            cause = f"cannot be imported: {get_first_line(error)}"
            raise InputError(cause, place=place, remedy=remedy) from error
    return plugins


def name_package(entry: EntryPoint) -> str:
    """The package that registers an entry point, with its version: ``mypackage 1.0``.

    Empty for what this package has itself: its version stands beside.
    """
    return "" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def find_package(group: str, name: str) -> str:
    """The package that registers a name, with its version; empty where none does."""
    return next((name_package(entry) for entry in entry_points(group=group, name=name)), "")


def refuse_plugin(name: str, group: str, wanted: str) -> InputError:
    """The error of an object that is not what its group takes."""
    return InputError(
        f"the entry point {name!r} of {group} is {wanted}",
        remedy="mend or uninstall the package that registers it",
    )
