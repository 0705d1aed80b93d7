"""The embedded model: a small language model, the world it has read, and what it can do.

`world()` is the ground truth; `weights("lab")` the shipped model; `pretrain` the recipe that made
it; `check` the gates. The `*_rows` functions write study data from material that no pretraining
document used. Nothing heavy is imported before a function needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from whatworks.lab.gates import GateRow, check
    from whatworks.lab.recipe import Shape, pretrain
    from whatworks.lab.shipped import WeightsError, publish, weights
    from whatworks.lab.studies import category_rows, facts_rows, json_rows, mr_rows
    from whatworks.lab.truth import Fact, Person, World, world

__all__ = [
    "Fact",
    "GateRow",
    "Person",
    "Shape",
    "WeightsError",
    "World",
    "category_rows",
    "check",
    "facts_rows",
    "json_rows",
    "mr_rows",
    "pretrain",
    "publish",
    "weights",
    "world",
]

_WHERE = {
    "gates": ("GateRow", "check"),
    "recipe": ("Shape", "pretrain"),
    "studies": ("category_rows", "facts_rows", "json_rows", "mr_rows"),
    "shipped": ("WeightsError", "publish", "weights"),
    "truth": ("Fact", "Person", "World", "world"),
}


def __getattr__(name: str) -> Any:
    for module, exported in _WHERE.items():
        if name in exported:
            return getattr(import_module(f"whatworks.lab.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
