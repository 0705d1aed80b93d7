"""soft-prompt: learned positions before the prompt, the model left as it is."""

from __future__ import annotations

from typing import ClassVar

from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.models.weights import StageKind
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson
from whatworks.training.rows import training_rows
from whatworks.training.settings import SoftPromptSettings


class SoftPrompt(Method, SoftPromptSettings):
    """Learn a soft prompt on (prompt, target) rows; dev chooses among the epochs.

    The settings are those of ``SoftPromptSettings``.
    """

    name: ClassVar[str] = "soft-prompt"
    owns: ClassVar[frozenset[str]] = frozenset({"weights", "lessons"})
    stochastic: ClassVar[bool] = True
    learns: ClassVar[frozenset[Lesson]] = frozenset({"rows"})

    @property
    def trains(self) -> StageKind:
        """``soft-prompt``."""
        return self.stage

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the soft prompt of the epoch that scores best on dev, by generation."""
        settings = SoftPromptSettings(**self.model_dump())
        rows = training_rows(start.prompt, start.rows(bench.train))
        start = start.learned("rows")
        weights = bench.fit(start, settings, rows, self.name, patience=self.patience)
        return bench.best_epoch(start, weights)
