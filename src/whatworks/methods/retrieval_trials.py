"""Retrieval taken apart on dev: how much evidence is found at which depth, and by which settings.

No answer is asked for. Rows that name their evidence count by it; where no row does, evidence is
looked for by the targets, and what is told says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from whatworks.analysis.method_outcomes import KindRecall, Recall
from whatworks.analysis.question_kinds import read_question_kind
from whatworks.base.errors import ArmFailure
from whatworks.base.file_ref import Named
from whatworks.base.frozen import Frozen
from whatworks.data.task import Document, Example
from whatworks.prompts.prompt import Context, Prompt
from whatworks.prompts.render import find_query, render_each
from whatworks.prompts.retrieval import measure_recall
from whatworks.prompts.retrieval.found_evidence import find_evidence

DEPTHS = (1, 3, 5, 10)
MOST = 200
"""Rows of dev for which evidence is looked for."""
FEW = 5
"""A kind of question with fewer rows is not shown by itself."""
Search = Literal["hybrid", "vector", "lexical"]


class Tried(Frozen):
    """Values that are tried on dev by recall, all with all; empty leaves a setting as it is.

    Attributes:
        size: Words per passage. With each, as many passages are shown as have the words of ``k``
            passages of the arm's own ``size``: larger ones must not win by showing more.
        search: ``hybrid``, ``vector``, ``lexical``.
        embedder: Embedders.
    """

    size: tuple[Annotated[int, Field(ge=5)], ...] = ()
    search: tuple[Search, ...] = ()
    embedder: tuple[Named, ...] = ()

    def list_settings(self) -> list[dict[str, object]]:
        """Every combination; none where nothing is to be tried."""
        given = {name: values for name, values in self if values}
        if not given:
            return []
        return [dict(zip(given, one, strict=True)) for one in itertools.product(*given.values())]


@dataclass(frozen=True)
class Probe:
    """Dev rows whose evidence is known, or found.

    Attributes:
        rows: With their evidence.
        found: Whether it was found from the targets.
    """

    rows: tuple[Example, ...]
    found: bool

    def measure(self, prompt: Prompt) -> float:
        """Recall of what a prompt shows; 0 without rows."""
        return measure_recall(_show(prompt, self.rows), self._evidence) if self.rows else 0.0

    def measure_depths(self, context: Context, prompt: Prompt) -> Recall | None:
        """Recall at several depths, in all and by kind of question; None without rows."""
        if not self.rows:
            return None
        deepest = len(context.chunks)
        depths = [k for k in sorted({*DEPTHS, context.k}) if k <= max(context.k, deepest)]
        if context.rerank:  # what stands where depends on how many are asked for
            depths = [context.k]
        deep = prompt.replace(context=context.replace(k=depths[-1]))
        shown = _show(deep, self.rows)
        kinds: dict[str, list[int]] = {}
        for at, row in enumerate(self.rows):
            kinds.setdefault(read_question_kind(find_query(row)), []).append(at)

        def recall(k: int, places: Sequence[int]) -> float:
            evidence = self._evidence
            return measure_recall([shown[i][:k] for i in places], [evidence[i] for i in places])

        return Recall(
            depths=tuple(depths),
            values=tuple(round(recall(k, range(len(shown))), 4) for k in depths),
            rows=len(shown),
            found=self.found,
            kinds=tuple(
                KindRecall(
                    kind=kind,
                    rows=len(places),
                    values=tuple(round(recall(k, places), 4) for k in depths),
                )
                for kind, places in sorted(kinds.items(), key=lambda one: -len(one[1]))
                if len(places) >= FEW
            ),
        )

    @property
    def _evidence(self) -> list[tuple[str, ...]]:
        return [row.evidence for row in self.rows]


def make_probe(dev: Sequence[Example], passages: Sequence[Document]) -> Probe:
    """The rows that recall is measured on."""
    known = tuple(row for row in dev if row.evidence)
    if known:
        return Probe(known, found=False)
    evidence = find_evidence(dev[:MOST], passages)
    return Probe(
        tuple(row.replace(evidence=evidence[row.id]) for row in dev if row.id in evidence),
        found=True,
    )


def require_rows(probe: Probe) -> None:
    """Refuse to choose settings by nothing.

    Raises:
        ArmFailure: If no row of dev has evidence, given or found.
    """
    if not probe.rows:
        raise ArmFailure(
            "no row of dev says which documents hold its answer, and no target stands in one",
            remedy="give rows a column `evidence`, or try settings by their answers: "
            "`rag: {search: {...}}`",
        )


def _show(prompt: Prompt, rows: Sequence[Example]) -> list[list[str]]:
    """Ids of the passages that are shown, through the renderer."""
    return [[one.id for one in request.passages] for request in render_each(prompt, rows)]
