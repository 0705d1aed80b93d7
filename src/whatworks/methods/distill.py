"""distill: what a stronger model, or a longer prompt, answers becomes what is learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.metrics.citations import strip_citations
from whatworks.models.engine import Generation
from whatworks.models.helper import require_helper
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson, Lessons, Place
from whatworks.prompts.render import render_each


class Distill(Method):
    """Answer the train rows' inputs by a teacher, and hand them to the trainer after it.

    Attributes:
        teacher: ``helper`` is the study's helper model under the candidate's prompt (Hinton et al.
            2015; Kim and Rush 2016, "Sequence-Level Knowledge Distillation", section 3.2);
            ``prompt`` is the candidate itself, whose demonstrations and passages are then taken
            away, so that they end in the weights (Askell et al. 2021, "context distillation";
            Snell et al. 2022). By default the helper, where the study has one.
        instructions: Those of the prompt from then on, e.g. shorter ones; the candidate's own by
            default.
        keep: ``all`` answers, or those that the task's metric calls ``correct``.
        samples: Answers drawn for each row; each one that differs is a row.
        temperature: At which they are drawn; 0 is greedy.
        place: ``beside`` the train rows, or ``instead`` of them; plain text (``corpus``) stays.
    """

    name: ClassVar[str] = "distill"
    owns: ClassVar[frozenset[str]] = frozenset(
        {"lessons", "prompt.instructions", "prompt.demos", "prompt.context"}
    )
    stochastic: ClassVar[bool] = True
    makes: ClassVar[frozenset[Lesson]] = frozenset({"rows"})

    teacher: Literal["helper", "prompt"] | None = None
    instructions: str | None = None
    keep: Literal["all", "correct"] = "all"
    samples: int = Field(default=1, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    place: Place = "instead"

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the teacher's answers as lessons; how many were kept is noted.

        Raises:
            ArmFailure: If there is no helper where it is asked for, or no answer is kept.
            BudgetExceeded: Before a request that would pass a limit leaves.
        """
        rows = start.rows(bench.train)
        questions = [row for row in rows if not row.bare]
        teacher = self.teacher or ("helper" if bench.helper else "prompt")
        answered = [
            (row, reply)
            for draw in range(self.samples)
            for row, reply in zip(
                questions, self._answers(teacher, start, bench, questions, draw), strict=True
            )
        ]
        # An answer that was cut off would be taught as if it ended there.
        whole = [(row, reply) for row, reply in answered if reply.finish != "length"]
        lessons = [
            row.replace(target=self._target(teacher, start, reply))
            for row, reply in whole
            if reply.text.strip() and self._keep(start, bench, row, reply)
        ]
        taught = {row.key: row for row in lessons}
        bench.note("teacher", teacher)
        bench.note("kept", f"{len(taught)} of {len(answered)} answers")
        if cut := len(answered) - len(whole):
            bench.note("cut_off", cut)
        if not taught:
            limit = start.decoding.max_tokens
            raise ArmFailure(
                f"none of the teacher's answers to {len(questions)} rows is kept"
                + (f": {cut} of {len(answered)} were cut off at {limit} tokens" if cut else ""),
                remedy=f"raise `decoding: {{max_tokens: ...}}`, now {limit}"
                if cut
                else "set `keep: all`, or give a teacher that can do the task",
            )
        if teacher == "prompt":
            start = start.with_prompt(demos=None, context=None)
        if self.instructions is not None:
            start = start.with_prompt(instructions=self.instructions)
        # Plain text asks nothing that could be answered: it stays as it is.
        before = [row for row in rows if row.bare or self.place == "beside"]
        return start.replace(lessons=Lessons(rows=(*before, *taught.values())))

    def _answers(
        self, teacher: str, start: Candidate, bench: Bench, rows: Sequence[Example], draw: int
    ) -> list[Generation]:
        """What the teacher says to each row; each draw has a stream of its own."""
        decoding = start.decoding.replace(
            temperature=self.temperature, seed=1000 * (bench.seed + 1) + draw
        )
        if teacher == "prompt":
            answers = bench.answers(start.asked.replace(decoding=decoding), rows)
            return [answer.generation for answer in answers]
        helper = require_helper(bench.helper, "`distill: {teacher: helper}`")
        requests = render_each(start.prompt, rows)
        return helper.ask([request.messages for request in requests], decoding)

    def _keep(self, start: Candidate, bench: Bench, row: Example, generation: Generation) -> bool:
        return self.keep == "all" or bench.examiner.score(start, row, generation).kind == "correct"

    def _target(self, teacher: str, start: Candidate, generation: Generation) -> str:
        """The answer, without citations of passages that are then taken away."""
        context = start.prompt.context
        if teacher == "prompt" and context is not None and context.cite:
            return strip_citations(generation.text)[0]
        return generation.text.strip()
