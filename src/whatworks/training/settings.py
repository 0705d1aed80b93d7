"""What every trainer can be told: its knobs, their defaults and where those come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from whatworks.data.task import MetricSpec
from whatworks.metrics.pay import Pay
from whatworks.models.weights import StageKind
from whatworks.training.distillation_settings import GKDSettings, SDFTSettings
from whatworks.training.rows import LabelledRow, PairRow, PromptRow, RenderedRow, TrainingRow
from whatworks.training.schedule import Schedule, Settings

SOFT_RATE = 0.1
"""Default learning rate of a soft prompt: it wants far more than weights do."""


Modules = Literal["all", "attention", "mlp"]


class SFTSettings(Settings):
    """The knobs of supervised fine-tuning, on (prompt, target).

    Attributes:
        variant: How an adapter is built: ``lora`` (Hu et al. 2021); ``rslora``, scaled by
            ``ALPHA / sqrt(rank)`` for high ranks (Kalajdzievski 2023); ``dora``, magnitude and
            direction apart, slower (Liu et al. 2024); ``qlora``, on weights in 4 bits (Dettmers
            et al. 2023), which takes an NVIDIA GPU and bitsandbytes.
        modules: On which linear layers an adapter is put: ``all``, those of ``attention``, or those
            of the ``mlp`` beside it.
        patience: Stop when dev has not improved for so many epochs; None trains all of them.
    """

    trainer: ClassVar[str] = "sft"
    row: ClassVar[type[RenderedRow]] = TrainingRow

    variant: Literal["lora", "rslora", "dora", "qlora"] = "lora"
    modules: Modules = "all"
    patience: int | None = Field(default=None, ge=1)


class SoftPromptSettings(Schedule):
    """The knobs of a soft prompt: the model stays as it is, some positions before it are learned.

    Attributes:
        form: ``prompt`` learns input vectors (Lester et al. 2021, "The Power of Scale"), from
            random words of the vocabulary; ``prefix`` learns keys and values in every layer (Li
            and Liang 2021, "Prefix-Tuning").
        tokens: How many positions.
        learning_rate: 0.1 by default, whatever the size of the model.
        patience: Stop when dev has not improved for so many epochs; None trains all of them.
    """

    trainer: ClassVar[str] = "soft-prompt"
    row: ClassVar[type[RenderedRow]] = TrainingRow

    form: Literal["prompt", "prefix"] = "prompt"
    tokens: int = Field(default=16, ge=1)
    patience: int | None = Field(default=None, ge=1)

    @property
    def stage(self) -> StageKind:
        """``soft-prompt``."""
        return "soft-prompt"

    @property
    def room(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The positions."""
        return self.tokens

    @property
    def recomputes(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Not with keys and values that stand before the first layer runs."""
        return self.form == "prompt"

    def learning_rate_for(self, width: int) -> float:
        """The given learning rate, or ``SOFT_RATE``."""
        del width
        return self.learning_rate or SOFT_RATE


class DPOSettings(Settings):
    """The knobs of preference tuning on pairs.

    Attributes:
        loss: Against the model as it starts, ``sigmoid`` (Rafailov et al. 2023, "Direct Preference
            Optimization") or ``ipo`` (Azar et al. 2023, "A General Theoretical Paradigm", Eq. 17);
            without a reference, ``simpo`` (Meng et al. 2024, margin .5) or ``orpo`` (Hong et al.
            2024, which also learns the chosen answers).
        beta: How strongly the reference holds; IPO's tau; SimPO's scale; the weight of ORPO's
            odds ratio. 2 for ``simpo`` and .1 for the others by default.
    """

    trainer: ClassVar[str] = "dpo"
    row: ClassVar[type[RenderedRow]] = PairRow
    rate: ClassVar[float] = 0.1

    loss: Literal["sigmoid", "ipo", "simpo", "orpo"] = "sigmoid"
    beta: float | None = Field(default=None, gt=0)

    @property
    def strength(self) -> float:
        """``beta``, or the default of the loss."""
        return self.beta or (2.0 if self.loss == "simpo" else 0.1)


class KTOSettings(Settings):
    """The knobs of preference tuning on single labelled answers.

    Attributes:
        beta: How strongly the reference holds (Ethayarajh et al. 2024, "KTO").
    """

    trainer: ClassVar[str] = "kto"
    row: ClassVar[type[RenderedRow]] = LabelledRow
    rate: ClassVar[float] = 0.1
    least: ClassVar[int] = 2
    """An answer is measured against that to another prompt."""
    shuffled: ClassVar[bool] = False

    batch_size: int = Field(default=16, ge=2)
    beta: float = Field(default=0.1, gt=0)


class RewardSettings(Settings):
    """The knobs of a reward model: one number for an answer, from pairs.

    It stands on the untouched base, with a score in the place of the next token (Ouyang et al.
    2022, section 3.5; Bradley and Terry 1952).
    """

    trainer: ClassVar[str] = "reward"
    row: ClassVar[type[RenderedRow]] = PairRow


class RLSettings(Settings):
    """The knobs of policy gradients on the model's own answers: REINFORCE, leave one out (Ahmadian
    et al. 2024, "Back to Basics").

    Attributes:
        metric: Scores every answer. It is the reward, unless there is a reward model; then it is
            only recorded, so that over-optimisation is seen.
        reward: Key of the reward model; empty where the metric is the reward.
        pay: How the metric's score is paid (``metrics.pay``).
        samples: Answers drawn for each prompt; each is measured against the others.
        max_tokens: Most tokens of an answer.
        stop: Strings that end an answer beside the template's, as ``Decoding.stop``.
        cite: Whether the prompt asks for citations, which are taken off before the metric scores.
        beta: How much of the divergence from the start (KL, nats per answer) is taken off the
            reward.
        leash: KL in nats per answer at which training stops, with the last weights within it.
        wrong_costs: Taken off the metric's score of a wrong or malformed answer, so that saying
            "I don't know" can be worth more than a guess.
        batch_size: Answers per optimiser step.
    """

    trainer: ClassVar[str] = "rl"
    row: ClassVar[type[RenderedRow]] = PromptRow
    rate: ClassVar[float] = 0.2
    shuffled: ClassVar[bool] = False

    metric: MetricSpec
    reward: str = ""
    pay: Pay = "score"
    samples: int = Field(default=4, ge=2)
    max_tokens: int = Field(default=64, ge=1)
    stop: tuple[str, ...] = ()
    cite: bool = False
    beta: float = Field(default=0.05, gt=0)
    leash: float = Field(default=10.0, gt=0)
    wrong_costs: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _whole_groups(self) -> Self:
        if self.batch_size % self.samples:
            raise ValueError(
                f"a batch of {self.batch_size} answers cannot be made of {self.samples} a prompt"
            )
        return self

    @property
    def room(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The answer, which the model writes itself."""
        return self.max_tokens

    @property
    def rows_a_step(self) -> int:
        """Prompts per optimiser step; the last of a pass is filled up with the first ones."""
        return self.batch_size // self.samples


AnySettings = (
    SFTSettings
    | SDFTSettings
    | GKDSettings
    | SoftPromptSettings
    | DPOSettings
    | KTOSettings
    | RewardSettings
    | RLSettings
)
SETTINGS: Mapping[str, type[Schedule]] = {
    kind.trainer: kind
    for kind in (
        SFTSettings,
        SDFTSettings,
        GKDSettings,
        SoftPromptSettings,
        DPOSettings,
        KTOSettings,
        RewardSettings,
        RLSettings,
    )
}
