"""rl: reinforcement on the candidate's own answers, with the task's metric as the reward."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from whatworks.analysis.method_outcomes import EpochScores
from whatworks.base.errors import ArmFailure
from whatworks.base.validation import find_problem
from whatworks.data.task import MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.metrics.pay import Pay
from whatworks.metrics.registry import strip_reasoning
from whatworks.models.weights import StageKind, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.training.rows import make_prompt_rows
from whatworks.training.settings import RLSettings


class Reinforced(Method):
    """What both kinds of reinforcement share: REINFORCE, leave one out, on a leash.

    Attributes:
        kind: ``lora`` or ``full``.
        epochs: Passes over the train rows' prompts; dev chooses among them.
        learning_rate: A fifth of the rate for supervised tuning by default.
        batch_size: Answers per optimiser step.
        samples: Answers drawn for each prompt, at temperature 1.
        beta: How much of the divergence from the start (KL, nats per answer) is taken off the
            reward.
        leash: KL at which training stops; the last weights within it are kept, and it is noted.
    """

    owns: ClassVar[frozenset[str]] = frozenset({"weights"})
    stochastic: ClassVar[bool] = True

    kind: Literal["lora", "full"] = "lora"
    epochs: int = Field(default=3, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    batch_size: int = Field(default=32, ge=2)
    samples: int = Field(default=4, ge=2)
    beta: float = Field(default=0.05, gt=0)
    leash: float = Field(default=10.0, gt=0)

    @property
    def trains(self) -> StageKind:
        """``lora`` or ``full``."""
        return self.kind

    def settings_for(self, start: Candidate, metric: MetricSpec) -> RLSettings:
        """The job's settings, under which an answer ends and is scored as the start's are.

        Raises:
            ArmFailure: If the answers of a step are no whole groups.
        """
        shared = self.model_dump(include=set(Reinforced.model_fields))
        try:
            return RLSettings(
                **shared,
                metric=metric,
                max_tokens=start.decoding.max_tokens,
                stop=start.decoding.stop,
                cite=start.prompt.context is not None and start.prompt.context.cite,
            )
        except ValidationError as error:
            raise ArmFailure(
                find_problem(error).reason, remedy="make `batch_size` a multiple of `samples`"
            ) from error

    def reinforce(
        self,
        start: Candidate,
        bench: Bench,
        *,
        pay: Pay = "score",
        wrong_costs: float = 0.0,
        reward: Weights | None = None,
    ) -> Candidate:
        """The start with the weights of the epoch that scores best on dev, by generation."""
        settings = self.settings_for(start, bench.examiner.metric.spec).replace(
            pay=pay, wrong_costs=wrong_costs, reward=reward.key if reward else ""
        )
        rows = make_prompt_rows(start.prompt, bench.train)
        epochs = bench.fit(start, settings, rows, self.name, second=reward)
        best, scores = bench.best([start.with_weights(weights) for weights in epochs])
        bench.tell(EpochScores(values=tuple(round(score, 4) for score in scores)))
        return best


class RL(Reinforced):
    """Reinforce answers that the task's metric scores well.

    Attributes:
        reward: How an answer is paid: ``score`` is the metric's; ``ternary`` 1 for a right answer,
            0 for an abstention, -1 for the rest (TruthRL, arXiv 2509.25760); ``brier`` pays right
            answers less the square of how far the confidence that they state is off (Damani et al.
            2025, arXiv 2507.16806), for a metric that reads one.
        wrong_costs: With ``score``, taken off that of a wrong or malformed answer, so that saying
            "I don't know" can be worth more than a guess.
    """

    name: ClassVar[str] = "rl"

    reward: Pay = "score"
    wrong_costs: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if self.wrong_costs and self.reward != "score":
            raise ValueError(f"`wrong_costs` does nothing with `reward: {self.reward}`")
        return self

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with reinforced weights.

        Raises:
            ArmFailure: If all answers to each prompt are paid the same, or if confidence is to be
                paid and the metric reads none.
        """
        if self.reward == "brier":
            _require_confidence(bench)
        return self.reinforce(start, bench, pay=self.reward, wrong_costs=self.wrong_costs)


def _require_confidence(bench: Bench) -> None:
    """Refuse a metric that reads no confidence: every answer would be paid the same."""
    metric, row = bench.examiner.metric, bench.train[0]
    said = strip_reasoning(row).target or "yes"
    if metric.asks or "confidence" not in metric(row, f"{said} (50%)").parts:
        raise ArmFailure(
            f"the metric {metric.name!r} reads no confidence, so none can be paid",
            remedy="`metric: {facts: {confidence: true}}`, and ask for it in the instructions",
        )
