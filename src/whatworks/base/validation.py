"""What pydantic says of a value that does not fit, as one error of ours.

Every value that a person writes (study files, settings, prices, scripts, requests) is checked by a
pydantic model; whoever calls one turns its ``ValidationError`` into words here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from whatworks.base.errors import InputError, suggest_nearest
from whatworks.base.phrasing import quote_briefly


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a value.

    Attributes:
        where: The field, dotted; "" for the whole.
        reason: Why it does not fit.
        kind: ``unknown``: no such field; ``missing``; ``contradiction``: with another field;
            ``value``: it is of the wrong type or out of range.
        value: What stands there, shortened.
    """

    where: str
    reason: str
    kind: str
    value: str = ""


def find_problem(error: ValidationError) -> Problem:
    """What to tell of an error: an unknown field first, for a misspelt one is also missing."""
    problems = error.errors(include_url=False)
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    where = ".".join(_list_steps(first["loc"]))
    kinds = {"extra_forbidden": "unknown", "missing": "missing", "value_error": "contradiction"}
    reason = first["msg"].removeprefix("Value error, ")
    value: Any = first["input"]
    shown = "" if isinstance(value, Mapping | list | tuple) else quote_briefly(f"{value}")
    if shown and not isinstance(value, str):
        shown = shown[1:-1]
    return Problem(where, reason, kinds.get(first["type"], "value"), shown)


def explain(
    error: ValidationError,
    model: type[BaseModel] | None = None,
    *,
    noun: str = "key",
    subject: str = "",
    place: str = "",
    remedy: str = "",
) -> InputError:
    """The first problem of a value in words.

    Args:
        error: What the model says.
        model: The model, for the names that it knows.
        noun: What a field is called: ``key``, ``setting``, ``option``.
        subject: Whose fields they are.
        place: Where the value stands.
        remedy: What helps where no known name is near.
    """
    problem = find_problem(error)
    name = f"{noun} {problem.where!r}" if problem.where else subject or f"the {noun}"
    name += f" of {subject}" if subject and problem.where else ""
    if problem.kind == "unknown":
        known = _list_known_fields(model, problem.where.split(".")[:-1])
        if known:
            remedy = suggest_nearest(problem.where.rsplit(".", 1)[-1], known)
        return InputError(f"unknown {name}", place=place, remedy=remedy)
    if problem.kind == "missing":
        return InputError(f"the {name} is missing", place=place, remedy=remedy)
    if problem.kind == "contradiction":
        remedy = remedy or "drop it, or change what it contradicts"
    cannot = f" cannot be {problem.value}" if problem.value and problem.kind == "value" else ""
    return InputError(f"{name}{cannot}: {problem.reason}", place=place, remedy=remedy)


def _list_steps(location: Sequence[int | str]) -> list[str]:
    """The names on the way to a field, without pydantic's own."""
    return [str(step) for step in location if not str(step).startswith("function-")]


def _list_known_fields(model: type[BaseModel] | None, steps: Sequence[str]) -> list[str]:
    """The fields of the model that stands below another, after these steps; none if unknown."""
    kind: Any = model
    for step in steps:
        field = kind.model_fields.get(step) if hasattr(kind, "model_fields") else None
        hint: Any = field.annotation if field else None
        kind = next((a for a in (hint, *get_args(hint)) if hasattr(a, "model_fields")), None)
    return list(kind.model_fields) if kind is not None else []
