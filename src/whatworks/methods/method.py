"""What a method is: it turns one candidate into another.

``adapt`` changes only the fields that the method owns and keeps the others; it never mutates its
input and never falls back to the start when the result is worse: a result that says "this made it
worse" is the product. A method's fields are its settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

from pydantic import SerializeAsAny

from whatworks.base.errors import StackingError
from whatworks.base.frozen import Frozen
from whatworks.methods.bench.bench import Bench
from whatworks.models.weights import Stage, StageKind, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson
from whatworks.training.schedule import ADAPTER_ONLY


class Method(Frozen):
    """Base of all methods: settings plus ``adapt``.

    Attributes:
        name: As written in study files and on the command line.
        owns: Candidate fields that ``adapt`` may change, dotted (``prompt.demos``, ``weights``).
        stochastic: Whether the outcome depends on the seed; then a study runs several seeds.
        makes: Lessons that ``adapt`` leaves for a later step.
        learns: Lessons of earlier steps that ``adapt`` learns from.
        reads_documents: Whether ``adapt`` reads the task's documents; else it is given none, and
            is not done again when they change.
        defined_in: The file that defines it and its digest, where a study names one; else "".
        answers_from: Of a method whose product answers in the place of the model: the fields of the
            start that its answers depend on. None for the others.
    """

    name: ClassVar[str]
    owns: ClassVar[frozenset[str]] = frozenset()
    stochastic: ClassVar[bool] = False
    makes: ClassVar[frozenset[Lesson]] = frozenset()
    learns: ClassVar[frozenset[Lesson]] = frozenset()
    reads_documents: ClassVar[bool] = False
    defined_in: ClassVar[str] = ""
    answers_from: ClassVar[frozenset[str] | None] = None

    @property
    def trains(self) -> StageKind | None:
        """The kind of weights that the method trains, None when it leaves them alone."""
        return None

    @property
    def flat(self) -> tuple[Method, ...]:
        """The methods that are applied one after the other: itself, or those it is made of."""
        return (self,)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """Another candidate, made from ``start`` with what ``bench`` offers.

        Raises:
            ArmFailure: If it cannot be made here; the study records it as a row.
        """
        raise NotImplementedError

    def locate(self, root: Path) -> Self:
        """The same method; names of files in its settings, relative to ``root``, are resolved.

        Raises:
            InputError: If a file cannot be read.
        """
        del root
        return self

    def plan(self, weights: Weights) -> Weights:
        """The lineage that ``adapt`` would make, for refusing chains before anything runs.

        Raises:
            StackingError: If the method cannot train on top of this lineage.
        """
        if self.trains is None:
            return weights

        weights.stack(self.trains)
        return weights.then(Stage(kind=self.trains, method=self.name, artifact="planned"))


class Chain(Frozen):
    """Methods applied left to right; itself a method."""

    # As what it is, not as a Method alone: the settings are part of the key.
    steps: tuple[SerializeAsAny[Method], ...]

    @property
    def name(self) -> str:
        """The steps' names joined by ``+``."""
        return "+".join(step.name for step in self.steps)

    @property
    def owns(self) -> frozenset[str]:
        """Every field that a step owns."""
        return frozenset().union(*(step.owns for step in self.steps))

    @property
    def stochastic(self) -> bool:
        """Whether any step is."""
        return any(step.stochastic for step in self.steps)

    @property
    def reads_documents(self) -> bool:
        """Whether any step does."""
        return any(step.reads_documents for step in self.steps)

    @property
    def trains(self) -> bool:
        """Whether any step does."""
        return any(step.trains for step in self.steps)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """Apply the steps one after the other."""
        for step in self.steps:
            start = step.adapt(start, bench)
        return start

    def locate(self, root: Path) -> Chain:
        """The chain with the files of every step located."""
        return self.replace(steps=tuple(step.locate(root) for step in self.steps))

    @property
    def flat(self) -> tuple[Method, ...]:
        """Every method in it."""
        return tuple(method for step in self.steps for method in step.flat)

    def plan(self, weights: Weights) -> Weights:
        """The lineage after all steps.

        Raises:
            StackingError: At the first step that cannot stand on those before it, if one learns
                the rows again that it learned just before, or if nothing learns what a data step
                makes.
        """
        _check_lessons(self.flat)
        _check_answering(self.flat)
        return self.lineage(weights)

    def lineage(self, weights: Weights) -> Weights:
        """The lineage after all steps, of a part of a chain.

        Raises:
            StackingError: At the first step that cannot stand on those before it, or describes an
                adapter that is another step's.
        """
        maker: Method | None = None
        for step in self.steps:
            if step.trains == "lora":
                if weights.stack("lora") == "continue":
                    _check_adapter(step, maker)
                else:
                    maker = step
            weights = step.plan(weights)
        return weights


def _check_answering(steps: Sequence[Method]) -> None:
    """Refuse a step whose work is lost, since something else answers in the model's place."""
    for place, step in enumerate(steps):
        if step.answers_from is None:
            continue
        for other in steps[place + 1 :]:
            raise StackingError(
                f"{other.name} after {step.name} would change a model that is not asked",
                remedy=f"end the chain with {step.name}, or run {other.name} as an arm of its own",
            )
        for other in steps[:place]:
            if other.owns and not other.owns & step.answers_from:
                raise StackingError(
                    f"{other.name} before {step.name} would change nothing: no answer of "
                    f"{step.name} depends on it",
                    remedy=f"run {step.name} and {other.name} as two arms",
                )


def _check_lessons(steps: Sequence[Method]) -> None:
    """Refuse a chain in which the same is learned twice, or nobody learns what is made."""
    waiting: Method | None = None
    before = ("", False)  # the last trainer, and whether a data step made what it learned
    for step in steps:
        taught = waiting is not None and bool(step.learns & waiting.makes)
        if step.trains:
            if before == (step.name, False) and not taught:
                raise StackingError(
                    f"{step.name} after {step.name} would train twice on the same rows",
                    remedy=f"drop one of the two, raise the epochs of {step.name}, or put a data "
                    "step between them (distill, refusal)",
                )
            before = (step.name, taught)
        if taught:
            waiting = None
        if step.makes:
            waiting = step
    if waiting is not None:
        kinds = " and ".join(sorted(waiting.makes))
        raise StackingError(
            f"{waiting.name} only makes {kinds} to learn from, and no step after it does",
            remedy=f"put a trainer behind it: {waiting.name}+"
            + ("sft" if "rows" in waiting.makes else "dpo"),
        )


def _check_adapter(step: Method, maker: Method | None) -> None:
    """Refuse settings of an adapter that is there already, unless they are the ones it has.

    Args:
        step: Trains it further.
        maker: Made it, if a step of the same chain did.
    """
    for name in ADAPTER_ONLY:
        if name not in step.model_fields_set:
            continue
        value = getattr(step, name)
        if maker is None or value != getattr(maker, name, type(step).model_fields[name].default):
            raise StackingError(
                f"{step.name} trains an adapter further that is there already: "
                f"`{name}: {value}` would do nothing",
                remedy=f"drop `{name}`, or put the step that has it first",
            )
