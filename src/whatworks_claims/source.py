"""Where the rows of the claims come from: what each kind of material has to give.

Three kinds are there: the lab's toy language (``lab_source``), public data (``public_source``), and
this project's own natural English (``english.source``). A claim asks for a task and says which arms
run on it; the material chooses how many rows there are in a full and in a quick run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from whatworks.data.task import Example, MetricSpec, Task
from whatworks_claims.fact_sheet import Sheet

FACTS_INSTRUCTIONS = "Answer the question."


@dataclass(frozen=True)
class Passes:
    """How long the arms learn: passes over the rows, as many as the size of the models allows.

    Attributes:
        form: Over rows that show a form; dev chooses among them.
        facts: Over what teaches facts.
        known: Over questions of which the model knows none, some or all.
        preferences: Over pairs, by DPO.
        rlhf: Settings of reward model and reinforcement, where they are not the method's own.
    """

    form: int = 5
    facts: int = 8
    known: int = 6
    preferences: int = 8
    rlhf: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def tuned(self) -> dict[str, Any]:
        """The arm ``sft`` on rows that show a form.

        Small steps and several passes: the training sets are small.
        """
        return {"sft": {"epochs": self.form, "batch_size": 8}}


@dataclass(frozen=True)
class Play:
    """A play, and how a model is asked about it.

    Attributes:
        pieces: Its text, in pieces to be learned.
        instructions: Of every question.
        temperature: At which answers are sampled.
        answer_tokens: Most tokens of one.
    """

    pieces: tuple[str, ...]
    instructions: str = FACTS_INSTRUCTIONS
    temperature: float = 1.0
    answer_tokens: int = 8


class Source(Protocol):
    """Material of one kind, for a full or a quick run. The same request gives the same rows."""

    @property
    def facts(self) -> MetricSpec:
        """How answers to questions count: as they stand, or what is right in a sentence too."""
        ...

    @property
    def passes(self) -> Passes:
        """How long the arms learn."""
        ...

    def limit_answers(self, task: Task, longest: int) -> int:
        """Most tokens of an answer to a task whose longest train target has ``longest``.

        0 leaves it to the study.
        """
        ...

    def make_structured(self) -> Task:
        """Messages to be written in a notation: JSON, or meaning representations."""
        ...

    def make_labelled(self) -> Task:
        """Messages to be sorted into category ids."""
        ...

    def make_queries(self) -> Task:
        """Questions to be answered by SQL."""
        ...

    def make_conversations(self) -> Task:
        """Conversations of several turns."""
        ...

    def make_instructions(self) -> Task:
        """Instructions whose keeping can be verified."""
        ...

    def make_styled(self) -> Task:
        """Texts to be written in a style."""
        ...

    def read_play(self) -> Play:
        """A play in which Juliet loves Romeo."""
        ...

    def make_sheet(self) -> Sheet:
        """Facts that the model cannot know, to be taught, and known ones beside them."""
        ...

    def make_notes(self) -> Task:
        """Questions with documents that answer them, no entity in two splits."""
        ...

    def make_silent_notes(self) -> Task:
        """Questions that the documents answer beside ones that have no answer."""
        ...

    def read_questions(self) -> list[Example]:
        """Closed-book questions, some of which the model may know; with their relation."""
        ...

    def count_known(self) -> tuple[int, int, int]:
        """Known questions wanted for train (and as many unknown ones), dev and test."""
        ...

    def write_unanswerable(self, count: int) -> list[Example]:
        """Questions that have no answer, none of them among ``read_questions``."""
        ...

    def count_unanswerable(self) -> int:
        """Those of test."""
        ...
