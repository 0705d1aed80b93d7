"""The decoding section of a study file and of its arms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from whatworks.base.errors import InputError
from whatworks.metrics.score import Metric
from whatworks.models.constraint import Constraint, read
from whatworks.models.decoding import Decoding


class DecodingSection(BaseModel):
    """How answers are drawn; ``max_tokens`` is measured on the train targets by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float = Field(default=0.0, ge=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    stop: tuple[str, ...] = ()
    constraint: str | dict[str, Any] | None = None
    samples: int = Field(default=1, ge=1)
    pick: Literal["majority", "likeliest"] = "majority"

    def over(self, decoding: Decoding, root: Path) -> Decoding:
        """The decoding with what this section says in its place.

        Args:
            decoding: What holds where the section says nothing.
            root: Folder that paths are relative to.

        Raises:
            InputError: If the constraint cannot be used.
        """
        settings = {name: getattr(self, name) for name in self.model_fields_set}
        settings = {name: value for name, value in settings.items() if value is not None}
        if self.constraint is not None:
            settings["constraint"] = read(self.constraint, root)
        return decoding.replace(**settings)


def settle_constraint(constraint: Constraint | None, metric: Metric) -> Constraint | None:
    """The constraint with the metric's form in the place of ``auto``.

    Raises:
        InputError: If the metric wants no form.
    """
    if constraint is None or constraint.kind != "auto":
        return constraint
    if metric.form is None:
        raise InputError(
            f"the metric {metric.name!r} wants no form of its answers",
            place="constraint",
            remedy="say the form: {regex: ...}, {json_schema: ...}, {choices: [...]}, {lark: ...}",
        )
    return metric.form
