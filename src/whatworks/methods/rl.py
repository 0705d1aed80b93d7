"""rl: reinforcement on the candidate's own answers, with the task's metric as the reward."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, ValidationError

from whatworks.analysis.method_outcomes import EpochScores
from whatworks.base.errors import ArmFailure
from whatworks.base.validation import find_problem
from whatworks.data.task import MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.demand import Demand, Sizes
from whatworks.methods.method import Method
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
    answer: ClassVar[float] = 4.0
    """Cost of drawing and learning an answer to that of a row of supervised tuning."""
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

    def demand(self, sizes: Sizes) -> Demand:
        """Each epoch draws and learns answers to the train rows, and is asked on dev."""
        rows = self.answer * self.samples * sizes.train
        return Demand(requests=sizes.dev * self.epochs, learned=rows * self.epochs)

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
        self, start: Candidate, bench: Bench, *, wrong_costs: float, reward: Weights | None
    ) -> Candidate:
        """The start with the weights of the epoch that scores best on dev, by generation."""
        settings = self.settings_for(start, bench.examiner.metric.spec).replace(
            wrong_costs=wrong_costs, reward=reward.key if reward else ""
        )
        rows = make_prompt_rows(start.prompt, bench.train)
        epochs = bench.fit(start, settings, rows, self.name, reward=reward)
        best, scores = bench.best([start.with_weights(weights) for weights in epochs])
        bench.tell(EpochScores(values=tuple(round(score, 4) for score in scores)))
        return best


class RL(Reinforced):
    """Reinforce answers that the task's metric scores well.

    Attributes:
        wrong_costs: Taken off the score of a wrong or malformed answer, so that saying "I don't
            know" can be worth more than a guess.
    """

    name: ClassVar[str] = "rl"

    wrong_costs: float = Field(default=0.0, ge=0)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with reinforced weights.

        Raises:
            ArmFailure: If all answers to each prompt score the same.
        """
        return self.reinforce(start, bench, wrong_costs=self.wrong_costs, reward=None)
