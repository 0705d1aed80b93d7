"""This project's own natural English, for every model that reads it."""

from __future__ import annotations

from dataclasses import dataclass

from whatworks.data.task import Example, MetricSpec, Splits, Task
from whatworks_claims.english import (
    conversations,
    instructions,
    orders,
    people,
    queries,
    styles,
    tickets,
    world_facts,
)
from whatworks_claims.english.wordings import Sizes
from whatworks_claims.fact_sheet import Sheet
from whatworks_claims.lab_source import cut_play
from whatworks_claims.material import LENIENT_FACTS, make_silent_task
from whatworks_claims.source import Passes, Play

SENTENCE = 32
"""Tokens of a sentence that holds a short answer."""
CHAT_LENGTH = 3
"""How many times longer than the target a turn of a conversation may be, as its metric has it."""

PLAY_INSTRUCTIONS = "Answer the question about Shakespeare's play of the two lovers of Verona."
"""Chosen with the temperature, on the untouched model alone, so that it speaks of the play: at
temperature 1, asked without the play, SmolLM2 names Romeo in 2 of 12 answers."""


@dataclass(frozen=True)
class EnglishSource:
    """Material in natural English.

    Attributes:
        quick: For a quick run.
    """

    quick: bool = False
    facts: MetricSpec = LENIENT_FACTS

    @property
    def passes(self) -> Passes:
        """As few as a model of this size learns from in an hour."""
        rlhf = {"reward_epochs": self._n(2, 1), "epochs": self._n(2, 1)}
        return Passes(
            form=self._n(4, 4), facts=self._n(5, 3), known=self._n(4, 4),
            preferences=self._n(3, 2), rlhf=rlhf,
        )  # fmt: skip

    def _n(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def limit_answers(self, task: Task, longest: int) -> int:
        """Room for what can be right, and no more: where the form counts, for the longest target.

        An answer that goes on beyond it has not the wanted form, and a model that was never tuned
        would go on for the rest of the hour.
        """
        if task.metric.score == "lenient":
            return SENTENCE
        times = CHAT_LENGTH if task.metric.name == "chat" else 1
        return times * longest + longest // 4 + 4

    def _choose_sizes(self) -> Sizes:
        return self._n(200, 64), self._n(32, 16), self._n(120, 48)

    def make_structured(self) -> Task:
        """Orders at a bakery to JSON."""
        rows = orders.write_orders(self._choose_sizes())
        return _make_task("structured", rows, "json", orders.INSTRUCTIONS)

    def make_labelled(self) -> Task:
        """Messages to a hotel to its own ids."""
        rows = tickets.write_tickets((self._n(240, 80), self._n(32, 16), self._n(128, 64)))
        return _make_task("category", rows, "category", tickets.INSTRUCTIONS)

    def make_queries(self) -> Task:
        """Questions about small tables."""
        rows = queries.write_queries(self._choose_sizes())
        return _make_task("sql", rows, "sql", queries.INSTRUCTIONS)

    def make_conversations(self) -> Task:
        """Two things told and noted, one asked for."""
        return _make_task(
            "chat", conversations.write_conversations(self._choose_sizes()), "chat", ""
        )

    def make_instructions(self) -> Task:
        """A sentence about something, in a form."""
        rows = instructions.write_instructions(self._choose_sizes())
        return _make_task("instructions", rows, "instructions", "")

    def make_styled(self) -> Task:
        """Plain sentences to be said by a wizard."""
        # The classifier learns from text of its own, which no arm sees.
        apart = styles.write_styled((120, 0, 0), seed=1).train
        options = {
            "wanted": [row.target for row in apart],
            "others": [row.text for row in apart],
            "embedder": "lexical",
        }
        task = _make_task(
            "style", styles.write_styled(self._choose_sizes()), "style", styles.INSTRUCTIONS
        )
        return task.replace(metric=MetricSpec(name="style", options=options))

    def read_play(self) -> Play:
        """The lab's play of Romeo and Juliet, two lines a piece: its wording is this project's."""
        return Play(cut_play(2), PLAY_INSTRUCTIONS, temperature=0.7, answer_tokens=24)

    def make_sheet(self) -> Sheet:
        """New people, and capitals beside them."""
        return people.make_sheet(self._n(24, 12), self._n(24, 12))

    def make_notes(self) -> Task:
        """Questions about invented people, with a document for each."""
        return people.make_notes((self._n(120, 60), self._n(32, 16), self._n(120, 48)))

    def make_silent_notes(self) -> Task:
        """The same; half of them with the sentence that answers them taken out of the document."""
        return make_silent_task(self.make_notes(), self._n(40, 20))

    def read_questions(self) -> list[Example]:
        """Facts of the real world, and answers invented for what does not exist."""
        rows = world_facts.read_known_questions(self._n(260, 130))
        return rows + world_facts.write_unknown_questions(self._n(90, 30), answers=True)

    def count_known(self) -> tuple[int, int, int]:
        """Known questions for train, dev and test."""
        return self._n(64, 24), self._n(16, 8), self._n(48, 24)

    def write_unanswerable(self, count: int) -> list[Example]:
        """Questions about lands and books that do not exist."""
        return world_facts.write_unknown_questions(count, answers=False)

    def count_unanswerable(self) -> int:
        """Those of test."""
        return self._n(64, 30)


def _make_task(name: str, splits: Splits, metric: str, wanted: str) -> Task:
    return Task(name=name, splits=splits, metric=MetricSpec(name=metric), instructions=wanted)
