"""known: which rows to learn, to refuse and to leave, by how well the model knows each already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.known_facts import (
    CLASSES,
    COLUMN,
    PROMPTS,
    SAMPLES,
    Known,
    classify,
)
from whatworks.methods.method import Method
from whatworks.methods.refusals_taught import check_refusal, make_lesson
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson, Lessons


class KnownRows(Method):
    """Sort the train rows into the four classes of Gekhman et al. 2024, and make lessons of them.

    New facts are learned slowly, and what is learned of them makes the model invent others
    ("Does Fine-Tuning LLMs on New Knowledge Encourage Hallucinations?", sections 4 and 5): so what
    is known is taught with its target, what is unknown with a refusal, and what is in between left.

    Attributes:
        learn: Classes whose rows are taught with their target.
        refuse: Classes whose rows are taught with ``says``. Rows of the other classes are left out.
        says: The refusal.
        prompts: Prompts with different demonstrations that each row is asked under.
        samples: Answers drawn for each prompt, of rows that no greedy answer gets right.
        column: Take the classes from the rows' ``meta.known`` instead of asking; ``whatworks
            known`` writes it, for one model.
    """

    name: ClassVar[str] = "known"
    owns: ClassVar[frozenset[str]] = frozenset({"lessons"})
    makes: ClassVar[frozenset[Lesson]] = frozenset({"rows"})

    learn: tuple[Known, ...] = ("HighlyKnown", "MaybeKnown")
    refuse: tuple[Known, ...] = ("Unknown",)
    says: str = Field(default="I don't know", min_length=1)
    prompts: int = Field(default=PROMPTS, ge=1)
    samples: int = Field(default=SAMPLES, ge=1)
    column: bool = False

    @model_validator(mode="after")
    def _one_fate(self) -> Self:
        if both := set(self.learn) & set(self.refuse):
            raise ValueError(f"rows that are {min(both)} cannot be learned and refused")
        return self

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with rows instead of the train rows; how many of each class is noted.

        Raises:
            ArmFailure: If there is nothing to ask, no row is left, or the metric has no room for a
                refusal.
            BudgetExceeded: Before a request that would pass a limit leaves.
        """
        rows = start.rows(bench.train)
        questions = [row for row in rows if row.text.strip() and row.target.strip()]
        if not questions:
            raise ArmFailure("no train row asks anything", remedy="give rows with inputs")
        if self.refuse:
            check_refusal(bench, questions[0], self.says, self.name)
        classes = self._classify(start, bench, questions)
        taught: list[Example] = []
        for row in rows:
            target = self._choose_target(row, classes)
            if target is not None:
                taught.append(row if row.bare else make_lesson(row, target, self.says))
        found = list(classes.values())
        bench.note("knows", {name: found.count(name) for name in CLASSES})
        bench.note("refusals", sum(row.target == self.says for row in taught))
        bench.note("left", len(rows) - len(taught))
        if not taught:
            raise ArmFailure(
                "every row is of a class that is left out",
                remedy="name more classes under `known: {learn: [...], refuse: [...]}`",
            )
        return start.replace(lessons=Lessons(rows=tuple(taught)))

    def _classify(
        self, start: Candidate, bench: Bench, questions: Sequence[Example]
    ) -> dict[str, Known]:
        if not self.column:
            greedy = start.replace(decoding=start.decoding.replace(temperature=0.0))
            return classify(
                bench.answers,
                greedy,
                questions,
                questions,
                prompts=self.prompts,
                samples=self.samples,
            )
        without = [row.id for row in questions if row.meta.get(COLUMN) not in CLASSES]
        if without:
            raise ArmFailure(
                f"{len(without)} rows have no class in `meta.{COLUMN}`, the first is {without[0]}",
                remedy="take the rows that `whatworks known STUDY` wrote, or drop `column`",
            )
        return {row.id: row.meta[COLUMN] for row in questions}

    def _choose_target(self, row: Example, classes: dict[str, Known]) -> str | None:
        """What a row teaches to say, None where it is left out."""
        if row.bare:
            return row.target
        if row.id not in classes:  # a question without an answer
            return row.target or self.says
        if classes[row.id] in self.learn:
            return row.target
        return self.says if classes[row.id] in self.refuse else None
