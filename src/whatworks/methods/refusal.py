"""refusal: learn to say "I don't know" where the model's own answers show that it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example, Pair
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Answer
from whatworks.methods.drawn_answers import draw_answers
from whatworks.methods.method import Method
from whatworks.methods.refusals_taught import check_refusal, make_lesson
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson, Lessons

How = Literal["always", "sometimes", "never"]


class Refusal(Method):
    """Sort the train rows by the model's own sampled answers, and make lessons of what it knows.

    Rows that it never gets right are answered by a refusal, the others by their target (Zhang et
    al. 2024, "R-Tuning"; Yang et al. 2023, "Alignment for Honesty"). As rows for ``sft``, and as
    pairs for ``dpo``: right over refusal over wrong (Cheng et al. 2024, "Can AI Assistants Know
    What They Don't Know?").

    Attributes:
        says: The refusal.
        samples: Answers drawn for each row.
        temperature: At which they are drawn.
        sometimes: What becomes of rows that are right in some draws: ``answer`` teaches the
            target, ``refuse`` the refusal, ``drop`` leaves them out.
    """

    name: ClassVar[str] = "refusal"
    owns: ClassVar[frozenset[str]] = frozenset({"lessons"})
    stochastic: ClassVar[bool] = True
    makes: ClassVar[frozenset[Lesson]] = frozenset({"rows", "pairs"})

    says: str = Field(default="I don't know", min_length=1)
    samples: int = Field(default=4, ge=1)
    temperature: float = Field(default=0.7, gt=0)
    sometimes: Literal["answer", "refuse", "drop"] = "answer"

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with rows and pairs instead of the train rows; how many of each is noted.

        Raises:
            ArmFailure: If there is nothing to ask, or the metric has no room for a refusal.
        """
        rows = start.rows(bench.train)
        questions = [row for row in rows if not row.bare]
        if not questions:
            raise ArmFailure("no train row asks anything", remedy="give rows with inputs")
        check_refusal(bench, questions[0], self.says, self.name)
        answers = draw_answers(bench, start.asked, questions, self.samples, self.temperature)
        counts = Counter[How](classify_draws(draws) for draws in answers)
        bench.note("knows", {how: counts[how] for how in ("always", "sometimes", "never")})
        taught = [row for row in rows if row.bare]
        pairs: list[Pair] = []
        for row, draws in zip(questions, answers, strict=True):
            target = self._target(row, classify_draws(draws))
            if target is not None:
                taught.append(make_lesson(row, target, self.says))
                pairs += self._pairs(row, target, draws)
        bench.note("refusals", sum(row.target == self.says for row in taught))
        bench.note("pairs", len(pairs))
        if not taught:
            raise ArmFailure(
                "every row is right in some draws and none in all, so all are left out",
                remedy="set `sometimes: answer` or `sometimes: refuse`",
            )
        return start.replace(lessons=Lessons(rows=tuple(taught), pairs=tuple(pairs)))

    def _target(self, row: Example, how: How) -> str | None:
        """What a row teaches to say, None where it is left out."""
        own = row.target or self.says  # a question without an answer
        if how == "sometimes":
            return {"answer": own, "refuse": self.says, "drop": None}[self.sometimes]
        return own if how == "always" else self.says

    def _pairs(self, row: Example, target: str, draws: Sequence[Answer]) -> list[Pair]:
        """What is taught over the first wrong answer, and, where it answers, over a refusal."""
        wrong = [a.generation.text for a in draws if a.score.kind in ("wrong", "malformed")]
        worse = [text for text in wrong if text.strip() not in ("", self.says, target)][:1]
        if target != self.says:
            worse.append(self.says)
        return [Pair(example=row, chosen=target, rejected=text) for text in worse]


def classify_draws(draws: Sequence[Answer]) -> How:
    """How often a row's drawn answers are right."""
    right = sum(answer.score.kind == "correct" for answer in draws)
    return "never" if not right else "always" if right == len(draws) else "sometimes"
