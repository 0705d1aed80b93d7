"""dpo: preference tuning on pairs, given or made of the candidate's own answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from whatworks.analysis.method_outcomes import EpochScores
from whatworks.data.task import MetricSpec, Pair
from whatworks.methods.bench.bench import Bench
from whatworks.methods.drawn_answers import draw_answers, is_cut_off, pair_best_and_worst, rescore
from whatworks.methods.method import Method
from whatworks.methods.preference_pairs import find_pairs, keep_differing
from whatworks.metrics.registry import load, resolve_metric
from whatworks.models.weights import StageKind
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson
from whatworks.training.rows import make_labelled_rows, make_pair_rows
from whatworks.training.settings import DPOSettings, KTOSettings


class DPO(Method):
    """Make better answers likelier than worse ones, measured against the model as it starts.

    After ``sft`` the same adapter is trained on, and the tuned state is the reference.

    Attributes:
        loss: ``sigmoid``, ``ipo``, ``simpo``, ``orpo`` (see ``DPOSettings``), or ``kto`` for
            answers that are labelled one by one (Ethayarajh et al. 2024).
        beta: How strongly the start holds; by default that of the loss.
        pairs: ``given`` are the study's preferences, or a data step's (``refusal+dpo``);
            ``samples`` are the best and the worst of the candidate's own answers to each train
            row, by the task's metric; another metric, by name and options (a reward model:
            ``{reward: {folder: ...}}``), ranks them instead of it; by default given
            pairs where there are some.
        samples: How many answers are drawn for each train row.
        temperature: At which they are drawn.
        kind: ``lora`` or ``full``.
        epochs: Passes over the pairs; dev chooses among them.
        learning_rate: A tenth of the rate for supervised tuning by default.
    """

    name: ClassVar[str] = "dpo"
    owns: ClassVar[frozenset[str]] = frozenset({"weights", "lessons"})
    stochastic: ClassVar[bool] = True

    loss: Literal["sigmoid", "ipo", "simpo", "orpo", "kto"] = "sigmoid"
    beta: float | None = Field(default=None, gt=0)
    pairs: Literal["given", "samples"] | MetricSpec | None = None
    samples: int = Field(default=4, ge=2)
    temperature: float = Field(default=1.0, gt=0)
    kind: Literal["lora", "full"] = "lora"
    epochs: int = Field(default=3, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)

    @field_validator("pairs", mode="before")
    @classmethod
    def _as_written(cls, pairs: Any) -> Any:
        return MetricSpec.read(pairs) if isinstance(pairs, Mapping) else pairs

    def locate(self, root: Path) -> DPO:
        """The method with the files of the ranking metric located."""
        if not isinstance(self.pairs, MetricSpec):
            return self
        return self.replace(pairs=resolve_metric(self.pairs, root))

    @property
    def trains(self) -> StageKind:
        """``lora`` or ``full``."""
        return self.kind

    @property
    def learns(self) -> frozenset[Lesson]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Pairs, unless it is told to make its own."""
        return frozenset({"pairs"}) if self.pairs in (None, "given") else frozenset()

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the weights of the epoch that scores best on dev, by generation.

        Raises:
            ArmFailure: If there are no pairs, or none whose answers differ.
        """
        pairs = self._pairs(start, bench)
        start = start.drop_lesson("pairs")
        shared = self.model_dump(include={"kind", "epochs", "learning_rate"})
        if self.loss == "kto":
            kto = KTOSettings(**shared, beta=self.beta or 0.1)
            weights = bench.fit(start, kto, make_labelled_rows(start.prompt, pairs), self.name)
        else:
            pairs = keep_differing(pairs)
            dpo = DPOSettings(**shared, loss=self.loss, beta=self.beta)
            weights = bench.fit(start, dpo, make_pair_rows(start.prompt, pairs), self.name)
        bench.note("pairs", len(pairs))
        best, scores = bench.best([start.with_weights(each) for each in weights])
        bench.tell(EpochScores(values=tuple(round(score, 4) for score in scores)))
        return best

    def _pairs(self, start: Candidate, bench: Bench) -> tuple[Pair, ...]:
        has_pairs = start.lessons is not None and start.lessons.pairs is not None
        source = self.pairs or ("given" if has_pairs or bench.preferences else "samples")
        if source == "given":
            return find_pairs(start, bench.preferences)
        answers = draw_answers(bench, start, bench.train, self.samples, self.temperature)
        if cut := sum(is_cut_off(answer) for draws in answers for answer in draws):
            bench.note("cut_off", cut)
        if isinstance(source, MetricSpec):
            answers = rescore(load(source), answers)
        return tuple(pair_best_and_worst(answers))
