"""The lab's toy language: made up for the embedded model, and unknown to every other."""

from __future__ import annotations

from dataclasses import dataclass

from whatworks.data.task import Example, MetricSpec, Splits, Task
from whatworks_claims import made_up_rows as made
from whatworks_claims import people
from whatworks_claims.fact_sheet import Sheet
from whatworks_claims.material import (
    STRICT_FACTS,
    make_documents,
    make_examples,
    make_silent_task,
    make_task,
)
from whatworks_claims.source import Passes, Play
from whatworks_lab import play
from whatworks_lab import study_rows as studies
from whatworks_lab.world import build_world


def cut_play(lines: int) -> tuple[str, ...]:
    """The lab's play in pieces of so many lines."""
    return tuple("\n".join(play.LINES[i : i + lines]) for i in range(0, len(play.LINES), lines))


@dataclass(frozen=True)
class LabSource:
    """Material of the lab's world.

    Attributes:
        quick: For a quick run.
    """

    quick: bool = False
    facts: MetricSpec = STRICT_FACTS

    @property
    def passes(self) -> Passes:
        """Fewer in a quick run."""
        return Passes(facts=self._n(8, 5), known=self._n(6, 4))

    def _n(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def _choose_sizes(self) -> tuple[int, int, int]:
        return self._n(400, 100), self._n(60, 16), self._n(200, 40)

    def limit_answers(self, task: Task, longest: int) -> int:
        """No limit of its own: answers have the room of every study."""
        del task, longest
        return 0

    def make_structured(self) -> Task:
        """Messages to JSON."""
        sizes = self._n(400, 120), self._n(60, 20), self._n(240, 48)
        rows = make_examples(studies.make_json_rows(sum(sizes)))
        return make_task("structured", rows, sizes, "json", studies.JSON_INSTRUCTIONS)

    def make_labelled(self) -> Task:
        """Messages to category ids."""
        sizes = self._n(480, 120), self._n(60, 24), self._n(240, 60)
        rows = make_examples(studies.make_category_rows(sum(sizes)))
        return make_task("category", rows, sizes, "category", studies.CATEGORY_INSTRUCTIONS)

    def make_queries(self) -> Task:
        """Questions about a small table."""
        sizes = self._choose_sizes()
        rows = made.write_queries(sum(sizes))
        return make_task("sql", rows, sizes, "sql", "Answer with one SQL query.")

    def make_conversations(self) -> Task:
        """Two facts told, one asked for."""
        sizes = self._choose_sizes()
        return make_task("chat", made.write_dialogues(sum(sizes)), sizes, "chat", "")

    def make_instructions(self) -> Task:
        """Demands on a few words."""
        sizes = self._choose_sizes()
        rows = made.write_instructions(sum(sizes))
        return make_task("instructions", rows, sizes, "instructions", "")

    def make_styled(self) -> Task:
        """Plain sentences to be said by a wizard."""
        sizes = self._choose_sizes()
        # The classifier learns from text of its own, which no arm sees.
        apart = made.write_styled(120, seed=1)
        options = {
            "wanted": [row.target for row in apart],
            "others": [row.text for row in apart],
            "embedder": "lexical",
        }
        rows = made.write_styled(sum(sizes))
        task = make_task("style", rows, sizes, "style", "Say it again.")
        return task.replace(metric=MetricSpec(name="style", options=options))

    def read_play(self) -> Play:
        """The play that the embedded model has read, four lines a piece."""
        return Play(cut_play(4))

    def make_sheet(self) -> Sheet:
        """New people, and known ones beside them."""
        return people.make_sheet(self._n(36, 12), self._n(40, 12))

    def make_notes(self) -> Task:
        """Questions about new people, with a document for each."""
        train, dev, test = self._n(300, 72), self._n(60, 18), self._n(210, 48)
        rows, notes = studies.make_facts_rows(train + dev + test)
        pool = make_examples(rows)
        return Task(
            name="open-notes",
            splits=Splits(
                train=pool[:train], dev=pool[train : train + dev], test=pool[train + dev :]
            ),
            metric=self.facts,
            instructions=studies.FACTS_INSTRUCTIONS,
            documents=make_documents(notes),
        )

    def make_silent_notes(self) -> Task:
        """The same; half of them with the sentence that answers them taken out of the document."""
        return make_silent_task(self.make_notes(), self._n(40, 20))

    def read_questions(self) -> list[Example]:
        """People all along the scale of exposure, and people whom nothing was ever said about."""
        everyone = build_world().people
        sampled = [everyone[i] for i in range(0, len(everyone), self._n(3, 8))]
        rows = people.write_questions(sampled, each=1)
        return rows + people.write_strangers(self._n(110, 64), answers=True)

    def count_known(self) -> tuple[int, int, int]:
        """Known questions for train, dev and test."""
        return self._n(100, 32), self._n(20, 10), self._n(70, 22)

    def write_unanswerable(self, count: int) -> list[Example]:
        """Questions about people who do not exist."""
        return people.write_strangers(count, seed=1, answers=False)

    def count_unanswerable(self) -> int:
        """Those of test."""
        return self._n(100, 30)
