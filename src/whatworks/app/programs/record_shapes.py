"""What every record holds, as types from which its JSON Schema is made.

A record is what ``--json`` prints and what a tool of the server answers. Keys may be added to a
number; one that goes or changes its meaning makes the next. ``whatworks schema RECORD`` prints a
schema, docs/json.md shows them all.
"""

from __future__ import annotations

from typing import Any

from whatworks.app.programs.command_shapes import (
    Bootstrap,
    Claims,
    ClaimsList,
    Cluster,
    Docs,
    Errors,
    Export,
    Import,
    Known,
    LabCheck,
    Label,
    LabTrain,
    Review,
    Slices,
)  # fmt: skip
from whatworks.app.programs.study_shapes import (
    Check,
    Compare,
    Error,
    Gate,
    Init,
    Next,
    Plan,
    Shape,
    Status,
    Verdict,
)  # fmt: skip
from whatworks.base.errors import InputError, suggest_nearest

JsonSchema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SHAPES: tuple[type[Shape], ...] = (
    Check, Plan, Next, Verdict, Compare, Gate, Init, Status, Error, Docs, Slices, Errors, Known,
    Label, Bootstrap, Review, Export, Import, Cluster, Claims, ClaimsList, LabCheck, LabTrain,
)  # fmt: skip


def list_shapes() -> dict[str, type[Shape]]:
    """Every kind of record by its name, as it stands between ``whatworks.`` and ``/1``."""
    return {_make_name(shape): shape for shape in _SHAPES}


def make_record_schema(name: str) -> JsonSchema:
    """The JSON Schema (2020-12) of a record.

    Raises:
        InputError: If there is none of that name.
    """
    shapes = list_shapes()
    if name not in shapes:
        raise InputError(f"no record is called {name!r}", remedy=suggest_nearest(name, shapes))
    schema = shapes[name].model_json_schema()
    mark = {"const": f"whatworks.{name}/1", "description": "What the record is."}
    return {
        "$schema": DIALECT,
        **schema,
        "properties": {"schema": mark, **schema["properties"]},
        "required": ["schema", *schema.get("required", [])],
    }


def _make_name(shape: type[Shape]) -> str:
    """``LabCheck`` is ``lab-check``."""
    name = "".join(f"-{c.lower()}" if c.isupper() else c for c in shape.__name__)
    return name.lstrip("-")
