"""What `sft` and `soft-prompt` share: training on (prompt, target) rows, dev choosing the epoch."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.models.weights import StageKind
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson
from whatworks.training.rows import make_training_rows
from whatworks.training.schedule import Schedule, choose_batch_size
from whatworks.training.settings import SFTSettings, SoftPromptSettings

Job = SFTSettings | SoftPromptSettings


class Supervised(Method, Schedule):
    """Learn the train rows, or those that an earlier step left, as the start's prompt renders them.

    The loss is on the answer and its end-of-turn token only.

    Attributes:
        batch_size: Rows per optimiser step; 0 is by their number (``choose_batch_size``).
    """

    owns: ClassVar[frozenset[str]] = frozenset({"weights", "lessons"})
    stochastic: ClassVar[bool] = True
    learns: ClassVar[frozenset[Lesson]] = frozenset({"rows"})
    job: ClassVar[type[Job]]
    """What is trained, with the settings that the method has."""

    batch_size: int = Field(default=0, ge=0)
    patience: int | None = Field(default=None, ge=1)

    @property
    def trains(self) -> StageKind:
        """What the settings say."""
        return self.stage

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the weights of the epoch that scores best on dev, by generation."""
        rows = make_training_rows(start.prompt, start.rows(bench.train))
        size = self.batch_size or choose_batch_size(len(rows))
        settings = self.job.model_validate({**self.model_dump(), "batch_size": size})
        start = start.drop_lesson("rows")
        weights = bench.fit(start, settings, rows, self.name, patience=self.patience)
        return bench.best_epoch(start, weights)
