"""gkd: on-policy distillation, from another local model or from a longer prompt of the same one."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.file_digest import compute_digest
from whatworks.base.paths import resolve_model
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.models.files import resolve
from whatworks.models.weights import StageKind, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson
from whatworks.prompts.prompt import Prompt
from whatworks.training.distillation_settings import GKDSettings
from whatworks.training.rows import make_taught_rows
from whatworks.training.schedule import Kind, choose_batch_size

PROMPT = "prompt"


class GKD(Method):
    """Answer the train rows' inputs, and learn what a teacher would say next at each token of the
    answer (Agarwal et al. 2024, arXiv 2306.13649). Targets are never read.

    Attributes:
        teacher: ``prompt`` is the model itself under the whole prompt, whose demonstrations and
            passages are then taken away, so that they end in the weights (Askell et al. 2021,
            "context distillation"); else the name of a local model with the same tokenizer, under
            the same prompt.
        instructions: With ``prompt``, those of the prompt from then on; the candidate's own by
            default.
        kind: ``lora`` or ``full``.
        epochs: Passes over the rows; dev chooses among them.
        learning_rate: That of supervised tuning by default.
        rank: Of a new adapter.
        batch_size: Answers per optimiser step; 0 is by the number of rows, as for ``sft``.
        beta: Which divergence: 0 the forward KL, 1 the reverse KL, between them Jensen-Shannon.
    """

    name: ClassVar[str] = "gkd"
    owns: ClassVar[frozenset[str]] = frozenset(
        {"weights", "lessons", "prompt.instructions", "prompt.demos", "prompt.context"}
    )
    stochastic: ClassVar[bool] = True
    learns: ClassVar[frozenset[Lesson]] = frozenset({"rows"})

    teacher: str = PROMPT
    instructions: str | None = None
    kind: Kind = "lora"
    epochs: int = Field(default=3, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    rank: int = Field(default=16, ge=1)
    batch_size: int = Field(default=0, ge=0)
    beta: float = Field(default=1.0, ge=0, le=1)

    @field_validator("teacher")
    @classmethod
    def _is_local(cls, teacher: str) -> str:
        if "://" in teacher or teacher.startswith("fake:"):
            raise ValueError(
                f"{teacher} runs elsewhere and does not say how likely every token is; "
                "learn its answers by `distill`"
            )
        return teacher

    @property
    def trains(self) -> StageKind:
        """``lora`` or ``full``."""
        return self.kind

    def locate(self, root: Path) -> GKD:
        """The method with the teacher's folder located."""
        return self.replace(teacher=resolve_model(self.teacher, root))

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the weights of the epoch that scores best on dev, by generation.

        Raises:
            ArmFailure: If there is nobody to learn from, or nothing to answer.
        """
        teacher = self._find_teacher()
        after = start if teacher else self._shorten(start)
        shown = _drop_citations(start.prompt)
        every = [row for row in start.rows(bench.train) if not row.bare]
        taught = make_taught_rows(after.prompt, start.prompt if teacher else shown, every)
        rows = [row for row in taught if row.messages[-1].role == "user"]
        if not rows:
            raise ArmFailure(
                "no row ends with the user's turn: there is nothing to answer",
                remedy="give rows with inputs, or learn text by `corpus+sft`",
            )
        settings = GKDSettings(
            **self.model_dump(exclude={"batch_size", "teacher", "instructions"}),
            teacher=teacher.key if teacher else "",
            batch_size=self.batch_size or choose_batch_size(len(rows)),
            max_tokens=start.decoding.max_tokens,
        )
        bench.note("teacher", self.teacher)
        after = after.drop_lesson("rows")
        weights = bench.fit(after, settings, rows, self.name, second=teacher)
        return bench.best_epoch(after, weights)

    def _find_teacher(self) -> Weights | None:
        """The other model; None where it is the model itself under its whole prompt."""
        if self.teacher == PROMPT:
            return None
        try:
            return Weights(base=self.teacher, digest=compute_digest(resolve(self.teacher)))
        except InputError as error:
            raise ArmFailure(
                f"the teacher: {error.cause}", place=error.place, remedy=error.remedy
            ) from error

    def _shorten(self, start: Candidate) -> Candidate:
        """The start without what its prompt shows."""
        after = start.with_prompt(demos=None, context=None)
        if self.instructions is not None:
            after = after.with_prompt(instructions=self.instructions)
        if after.prompt == start.prompt:
            raise ArmFailure(
                "the prompt shows nothing that could be taken away and learned instead",
                remedy="put examples or passages before it (`few-shot+gkd`, `rag+gkd`), give "
                "shorter `instructions`, or name a local model as `teacher`",
            )
        return after


def _drop_citations(prompt: Prompt) -> Prompt:
    """The prompt without asking for citations of passages that are then taken away."""
    context = prompt.context
    return prompt if context is None else prompt.replace(context=context.replace(cite=False))
