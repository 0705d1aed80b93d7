"""constrained: no answer that is not of the wanted form (Willard and Louf 2023)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from whatworks.base.errors import ArmFailure
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.models.constraint import read
from whatworks.prompts.candidate import Candidate


class Constrained(Method):
    """Decode under a constraint.

    Attributes:
        to: ``auto``: the form that the task's metric wants, as the train rows show it; or
            ``{json_schema: ...}``, ``{regex: ...}``, ``{choices: [...]}``, ``{lark: ...}``.
    """

    name: ClassVar[str] = "constrained"
    owns: ClassVar[frozenset[str]] = frozenset({"decoding.constraint"})

    to: str | dict[str, Any] = Field(default="auto")

    def locate(self, root: Path) -> Constrained:
        """The method with the form's content in place of its file."""
        form = read(self.to, root)
        if form.kind == "auto":
            return self
        itself = form.contents if form.kind == "json_schema" else form.text or list(form.choices)
        return self.replace(to={form.kind: itself})

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start, decoding under the constraint."""
        constraint = read(self.to, Path())
        if constraint.kind == "auto":
            form = bench.examiner.metric.form
            if form is None:
                raise ArmFailure(
                    f"the metric {bench.examiner.metric.name!r} wants no form of its answers",
                    remedy="say the form: {constrained: {to: {regex: ...}}}",
                )
            constraint = form
        bench.note("constraint", constraint.kind)
        return start.with_decoding(constraint=constraint)
