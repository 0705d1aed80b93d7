"""sft: supervised fine-tuning on the train rows or lessons, as the start's prompt renders them."""

from __future__ import annotations

from typing import ClassVar

from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.models.weights import StageKind
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson
from whatworks.training.rows import training_rows
from whatworks.training.settings import SFTSettings


class SFT(Method, SFTSettings):
    """Train LoRA or all weights on (prompt, target) rows; dev chooses among the epochs.

    The loss is on the answer and its end-of-turn token only. The settings are those of
    ``SFTSettings``.
    """

    name: ClassVar[str] = "sft"
    owns: ClassVar[frozenset[str]] = frozenset({"weights", "lessons"})
    stochastic: ClassVar[bool] = True
    learns: ClassVar[frozenset[Lesson]] = frozenset({"rows"})

    @property
    def trains(self) -> StageKind:
        """``lora`` or ``full``."""
        return self.kind

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the weights of the epoch that scores best on dev, by generation."""
        settings = SFTSettings(**self.model_dump())
        rows = training_rows(start.prompt, start.rows(bench.train))
        start = start.learned("rows")
        weights = bench.fit(start, settings, rows, self.name, patience=self.patience)
        return bench.best_epoch(start, weights)
