"""sdft: the model learns from itself, as it answers when it is shown the target."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from whatworks.base.errors import ArmFailure
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.models.weights import StageKind
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson
from whatworks.training.distillation_settings import SHOWS, SDFTSettings
from whatworks.training.rows import make_training_rows
from whatworks.training.schedule import Kind, choose_batch_size


class SDFT(Method):
    """Self-distillation fine-tuning (Shenfeld et al. 2026, arXiv 2601.19897).

    Attributes:
        kind: ``lora`` or ``full``.
        epochs: Passes over the rows; dev chooses among them.
        learning_rate: That of supervised tuning by default.
        rank: Of a new adapter.
        batch_size: Answers per optimiser step; 0 is by the number of rows, as for ``sft``.
        template: How prompt and target are shown to the teacher.
        skip: First tokens of each answer that teach nothing.
    """

    name: ClassVar[str] = "sdft"
    owns: ClassVar[frozenset[str]] = frozenset({"weights", "lessons"})
    stochastic: ClassVar[bool] = True
    learns: ClassVar[frozenset[Lesson]] = frozenset({"rows"})

    kind: Kind = "lora"
    epochs: int = Field(default=3, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    rank: int = Field(default=16, ge=1)
    batch_size: int = Field(default=0, ge=0)
    template: str = SHOWS
    skip: int = Field(default=0, ge=0)

    @property
    def trains(self) -> StageKind:
        """``lora`` or ``full``."""
        return self.kind

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the weights of the epoch that scores best on dev, by generation.

        Raises:
            ArmFailure: If no row ends with the user's turn, as plain text does not.
        """
        every = make_training_rows(start.prompt, start.rows(bench.train))
        rows = [row for row in every if row.messages and row.messages[-1].role == "user"]
        if left := len(every) - len(rows):
            bench.note("left", f"{left} rows that do not end with the user's turn")
        if not rows:
            raise ArmFailure(
                "no row ends with the user's turn: there is nothing to answer",
                remedy="give rows with inputs, or learn text by `corpus+sft`",
            )
        settings = SDFTSettings(
            **self.model_dump(exclude={"batch_size"}),
            batch_size=self.batch_size or choose_batch_size(len(rows)),
            max_tokens=start.decoding.max_tokens,
        )
        start = start.drop_lesson("rows")
        return bench.best_epoch(start, bench.fit(start, settings, rows, self.name))
