"""The embedded model: a small language model, the world it has read, and what it can do.

`build_world()` is the ground truth; `find_weights("lab")` the shipped model; `pretrain` the recipe
that made it; `check` the gates. The `*_rows` functions write study data from material that no
pretraining document used. Nothing heavy is imported before a function needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whatworks.models.embedded import WeightsError, find_weights, publish
    from whatworks_lab.gates import GateRow, check
    from whatworks_lab.recipe import Shape, pretrain
    from whatworks_lab.study_rows import (
        make_category_rows,
        make_facts_rows,
        make_json_rows,
        make_mr_rows,
    )
    from whatworks_lab.world import Fact, Person, World, build_world

__all__ = [
    "Fact",
    "GateRow",
    "Person",
    "Shape",
    "WeightsError",
    "World",
    "build_world",
    "check",
    "find_weights",
    "make_category_rows",
    "make_facts_rows",
    "make_json_rows",
    "make_mr_rows",
    "pretrain",
    "publish",
]

_WHERE = {
    "whatworks_lab.gates": ("GateRow", "check"),
    "whatworks_lab.recipe": ("Shape", "pretrain"),
    "whatworks_lab.study_rows": (
        "make_category_rows",
        "make_facts_rows",
        "make_json_rows",
        "make_mr_rows",
    ),
    "whatworks.models.embedded": ("WeightsError", "find_weights", "publish"),
    "whatworks_lab.world": ("Fact", "Person", "World", "build_world"),
}


def __getattr__(name: str) -> Any:
    for module, exported in _WHERE.items():
        if name in exported:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
