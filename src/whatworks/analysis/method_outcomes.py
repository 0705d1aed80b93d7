"""What a method tells of its work, as typed values: on the record of a run, and in the report.

A method tells through its bench: ``bench.note(name, value)`` for a figure or a sentence to read,
``bench.tell(...)`` for what the report draws or a claim reads. A further kind of outcome is a class
here, one member of ``MethodOutcome``, and whatever shows it.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field

from whatworks.base.frozen import Frozen
from whatworks.base.phrasing import format_percent

SHOWN = 200
"""Characters of a note that a report shows; nothing reads it from there."""


class _Outcome(Frozen):
    """What all have: the method that tells it, which the study fills in, and a name, if any."""

    method: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        """What told it: the method, and the name where it has one."""
        return ".".join(filter(None, (self.method, self.name)))

    @property
    def lines(self) -> list[str]:
        """The outcome as lines to read; none where it is drawn."""
        return []


class Note(_Outcome):
    """A figure, a sentence or several, to be read."""

    kind: Literal["note"] = "note"
    value: Any

    @property
    def lines(self) -> list[str]:
        """A line for each sentence, or one for any other value."""
        several: list[Any] = self.value if _are_sentences(self.value) else [self.value]
        return [f"{self.label}: {_shorten(one)}" for one in several]


class Losses(_Outcome):
    """Training loss by optimiser step."""

    kind: Literal["losses"] = "losses"
    values: tuple[float, ...]


class EpochScores(_Outcome):
    """Dev score after each checkpoint."""

    kind: Literal["epoch scores"] = "epoch scores"
    values: tuple[float, ...]


class ReinforcementStep(Frozen):
    """What one step of reinforcement saw, on the answers that it drew.

    Attributes:
        step: 1 for the first.
        kl: Divergence from the start, nats per answer: mean log ratio of the drawn answers.
        reward: Mean reward, the divergence not taken off.
        gold: Mean score by the task's metric.
        spread: Mean standard deviation of the reward among the answers to one prompt.
    """

    step: int
    kl: float
    reward: float
    gold: float
    spread: float


class Trace(_Outcome):
    """What each step of reinforcement saw."""

    kind: Literal["trace"] = "trace"
    steps: tuple[ReinforcementStep, ...]


class SearchStep(Frozen):
    """One edit that a search of prompts kept, and the score on the rows that it searched with."""

    edit: str
    score: float


class SearchTrail(_Outcome):
    """A search of prompts, edit by edit; the first is the seed."""

    kind: Literal["search trail"] = "search trail"
    steps: tuple[SearchStep, ...]

    @property
    def lines(self) -> list[str]:
        """One line, however many edits."""
        edits = "; ".join(f"{step.edit} {format_percent(step.score)}" for step in self.steps)
        return [f"{self.label}: {edits}"]


class KindRecall(Frozen):
    """Recall of the rows that ask one kind of question, at each depth."""

    kind: str
    rows: int
    values: tuple[float, ...]


class Recall(_Outcome):
    """Share of the evidence among the first passages, on dev.

    Attributes:
        depths: Numbers of passages.
        values: Recall at each of them.
        rows: Rows that it was measured on.
        found: Whether their evidence was found from the targets, as no row names any.
        kinds: The same by kind of question.
    """

    kind: Literal["recall"] = "recall"
    depths: tuple[int, ...]
    values: tuple[float, ...]
    rows: int
    found: bool = False
    kinds: tuple[KindRecall, ...] = ()

    @property
    def lines(self) -> list[str]:
        """A line for all rows, and one by kind of question where there are several."""
        at = "/".join(map(str, self.depths))
        how = ", evidence found from the targets" if self.found else ""
        lines = [f"{self.label} at {at}: {_format_shares(self.values)} ({self.rows} rows{how})"]
        if len(self.kinds) > 1:
            by = "; ".join(f"{k.kind} {_format_shares(k.values)} ({k.rows})" for k in self.kinds)
            lines.append(f"{self.label} by question: {by}")
        return lines


MethodOutcome = Annotated[
    Note | Losses | EpochScores | Trace | SearchTrail | Recall, Field(discriminator="kind")
]


def _format_shares(values: tuple[float, ...]) -> str:
    return "/".join(format_percent(value, 0) for value in values)


def _are_sentences(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and " " in one for one in value)


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
