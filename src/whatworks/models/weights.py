"""Weights: a base model and the stages of training on top of it."""

from __future__ import annotations

from typing import Literal

from whatworks.base.errors import StackingError
from whatworks.base.frozen import Frozen

StageKind = Literal["lora", "full", "soft-prompt"]


Stacking = Literal["new", "continue", "merge"]


class Stage(Frozen):
    """One training step in a lineage.

    Attributes:
        kind: What the step trained.
        method: The method that did, e.g. ``sft``.
        artifact: Where the store keeps the result: a key, perhaps with a checkpoint below it.
    """

    kind: StageKind
    method: str
    artifact: str


class Weights(Frozen):
    """A base model and what was trained on top of it.

    Attributes:
        base: ``lab``, a Hugging Face id or a folder.
        digest: Content hash of the base model's files.
        template: Name of a chat template, or ``auto``: the model's own, else ``plain``.
        stages: The lineage, oldest first.
    """

    base: str
    digest: str = ""
    template: str = "auto"
    stages: tuple[Stage, ...] = ()

    def stack(self, kind: StageKind) -> Stacking:
        """How a new stage of ``kind`` would stand on this lineage.

        ========== =========== ============================================================
        on top of  new stage   rule
        ========== =========== ============================================================
        nothing    any         ``new``
        full       lora, full  ``new`` adapter on the tuned model; ``continue`` its weights
        lora       lora        ``continue`` the same adapter (its state is DPO's reference)
        lora       full        ``merge`` the adapter first
        any        soft-prompt refused: a soft prompt belongs to the untouched base
        soft-prompt any        refused, for the same reason
        ========== =========== ============================================================

        Raises:
            StackingError: If the stage cannot stand there.
        """
        if not self.stages:
            return "new"
        last = self.stages[-1]
        if "soft-prompt" in (last.kind, kind):
            raise StackingError(
                f"{kind} cannot stand on {last.kind}: a soft prompt is learned for the "
                "untouched base model",
                remedy="run soft-prompt as an arm of its own",
            )
        if last.kind == "lora":
            return "continue" if kind == "lora" else "merge"
        return "new" if kind == "lora" else "continue"

    def then(self, stage: Stage) -> Weights:
        """These weights with one more stage."""
        return self.replace(stages=(*self.stages, stage))
