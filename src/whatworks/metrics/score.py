"""What one answer is worth, and what a metric is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from whatworks.data.task import Counted, Example, MetricSpec
from whatworks.models.constraint import Constraint

Kind = Literal["correct", "wrong", "abstained", "malformed"]


@dataclass(frozen=True)
class Score:
    """What one answer is worth.

    Attributes:
        value: The strict score, in [0, 1].
        kind: ``correct``, ``wrong``, ``abstained`` or ``malformed`` (not in the wanted form).
        feedback: One line that a person or a prompt search can act on: what was wrong, what was
            wanted. Empty when nothing was.
        lenient: The score that forgives form (text around the answer, case), in [0, 1]; None
            where it is the same as ``value``.
        parts: Named sub-scores and counts.
        label: The normalised prediction where that is meaningful: a category id, a short answer.
        counts: Which of the two scores decides, as the task has it.
    """

    value: float
    kind: Kind
    feedback: str = ""
    lenient: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
    label: str = ""
    counts: Counted = "strict"

    def __post_init__(self) -> None:
        for number in (self.value, self.forgiving):
            if not (math.isfinite(number) and 0.0 <= number <= 1.0):
                raise ValueError(f"a score must lie in [0, 1], not {number}")
        object.__setattr__(self, "feedback", _make_printable(" ".join(self.feedback.split())))
        object.__setattr__(self, "label", _make_printable(self.label))

    @property
    def forgiving(self) -> float:
        """The lenient score, or the strict one where they are the same."""
        return self.value if self.lenient is None else self.lenient

    @property
    def counted(self) -> float:
        """The score that decides."""
        return self.forgiving if self.counts == "lenient" else self.value


class Metric(Protocol):
    """A metric with its options bound."""

    @property
    def spec(self) -> MetricSpec:
        """Name and options, those that were learned from rows included: what another process
        needs to load the same metric."""
        ...

    @property
    def name(self) -> str:
        """The name by which a task asks for it."""
        ...

    @property
    def asks(self) -> bool:
        """Whether a score takes a request to a model."""
        ...

    @property
    def blind(self) -> bool:
        """Whether a score takes inputs, messages and the answer alone, so that it can choose among
        answers to a request."""
        ...

    @property
    def form(self) -> Constraint | None:
        """The form of answers, by options and train rows; None where any text will do."""
        ...

    def __call__(self, example: Example, text: str, *, ended: bool = True) -> Score:
        """Score one answer.

        Args:
            example: What was asked.
            text: The answer.
            ended: Whether the model ended its turn itself; False where it was cut off.

        Raises:
            InputError: If the example itself cannot be scored against, never because of ``text``.
        """
        ...

    def label(self, text: str) -> str:
        """What an answer means, without regard to any target: answers with one label are votes for
        the same. "" where it means nothing.
        """
        ...

    def doubt(self, example: Example) -> str:
        """What makes an example's target decide less than it seems to, "" if nothing."""
        ...

    def summary(self, examples: Sequence[Example], scores: Sequence[Score]) -> dict[str, float]:
        """Figures of a whole set of answers, in the order of the examples; {} if none."""
        ...


def _make_printable(line: str) -> str:
    """Without the lone surrogates that no file could hold."""
    return line.encode("utf-8", "replace").decode("utf-8")
