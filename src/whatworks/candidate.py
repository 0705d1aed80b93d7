"""The candidate: what is compared, exported and served.

A candidate is a prompt, weights and decoding. Weights are a base model and the lineage of training
stages on top of it; ``Weights.stack`` is the one place that knows which stage can stand on which.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from whatworks.constraint import Constraint
from whatworks.errors import StackingError
from whatworks.identity import Frozen
from whatworks.lessons import Lesson, Lessons
from whatworks.prompt import Prompt
from whatworks.task import Example, MetricSpec, Pair

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


class Decoding(Frozen):
    """How text is drawn from the model.

    Attributes:
        max_tokens: Upper limit of new tokens.
        temperature: 0 is greedy.
        top_p: Nucleus mass, used when ``temperature`` is above 0.
        seed: Seed of sampling; each request gets a stream of its own from it.
        stop: Strings that end the answer; they are not part of it. Under a constraint they do not
            apply: the answer ends where its form is complete.
        constraint: The form that the answer must have.
        samples: How many answers are drawn; one of them counts (``samples.py``).
        pick: Which one: ``majority`` (the label with most votes), ``likeliest`` (by mean
            log-probability) or ``reward``.
        reward: The metric behind ``reward``; it sees no target.
    """

    max_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None
    samples: int = 1
    pick: Literal["majority", "likeliest", "reward"] = "majority"
    reward: MetricSpec | None = None


class Candidate(Frozen):
    """A prompt, weights and decoding: frozen, with a content key.

    ``lessons`` are what a data step left for the trainer after it; no answer depends on them.
    """

    prompt: Prompt
    weights: Weights
    decoding: Decoding = Decoding()
    lessons: Lessons | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def asked(self) -> Candidate:
        """The candidate as it is asked, exported and served: without lessons."""
        return self if self.lessons is None else self.replace(lessons=None)

    def rows(self, train: tuple[Example, ...]) -> tuple[Example, ...]:
        """The rows that a trainer learns from."""
        return train if self.lessons is None else self.lessons.rows_with(train)

    def pairs(self, given: tuple[Pair, ...]) -> tuple[Pair, ...]:
        """The pairs that a trainer learns from."""
        return given if self.lessons is None else self.lessons.pairs_with(given)

    def learned(self, what: Lesson) -> Candidate:
        """The same candidate when a trainer has learned its rows, or its pairs."""
        if self.lessons is None:
            return self
        left = self.lessons.replace(**{what: None})
        return self.replace(lessons=None if left.rows is None and left.pairs is None else left)

    def with_prompt(self, **fields: object) -> Candidate:
        """The same candidate with some prompt fields replaced."""
        return self.replace(prompt=self.prompt.replace(**fields))

    def with_decoding(self, **fields: object) -> Candidate:
        """The same candidate with some decoding fields replaced."""
        return self.replace(decoding=self.decoding.replace(**fields))

    def with_weights(self, weights: Weights) -> Candidate:
        """The same candidate with other weights."""
        return self.replace(weights=weights)
