"""What every trainer can be told: its knobs, their defaults and where those come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from whatworks.base.frozen import Frozen
from whatworks.data.task import MetricSpec
from whatworks.metrics.pay import Pay
from whatworks.models.weights import StageKind
from whatworks.training.rows import LabelledRow, PairRow, PromptRow, RenderedRow, TrainingRow

Kind = Literal["lora", "full"]

ADAPTER_ONLY = ("rank", "variant")
"""Settings that describe an adapter, and do nothing where none is made."""
SOFT_RATE = 0.1
"""Default learning rate of a soft prompt: it wants far more than weights do."""
ALPHA = 32
"""Scale of an adapter, which is multiplied by ``ALPHA / rank``: 32 whatever the rank makes the best
learning rate nearly independent of it (Schulman et al. 2025, "LoRA Without Regret")."""
SHOWS = (
    "{prompt}\n\nThis is an example of a response to that:\n{privileged_context}\n\n"
    "Now answer with a response of your own."
)
"""What the teacher of self-distillation is shown, after Shenfeld et al. 2026."""
LEAST_STEPS = 12
"""Steps that a pass over the rows has at least, down to ``SMALLEST_BATCH`` rows a step."""
SMALLEST_BATCH = 4
LARGEST_BATCH = 16


def choose_batch_size(rows: int) -> int:
    """Rows per optimiser step of supervised fine-tuning on so many rows: 4, 8 or 16.

    Few rows want small steps: with 16 rows a step, 56 rows are learned in four steps a pass. The
    measurements stand in docs/methods/sft.md. OpenAI's fine-tuning goes the same way, from one row
    a step on (0.2% of the rows by default).
    """
    size = LARGEST_BATCH
    while size > SMALLEST_BATCH and rows < LEAST_STEPS * size:
        size //= 2
    return size


class Schedule(Frozen):
    """The knobs that every trainer has; ``trainer`` and ``row`` say which one and what it reads.

    Attributes:
        epochs: Passes over the rows. One checkpoint is kept per epoch, so that the best can be
            chosen by the task metric on dev: more epochs cost time, not the result.
        learning_rate: Peak rate of AdamW. A tenth of the steps warm up, then a cosine falls to 0.
        batch_size: Rows per optimiser step, whatever fits into memory at once.
        max_length: Most tokens of prompt and answer together; the model's context by default.
            Longer rows are left out and counted, never cut.
    """

    trainer: ClassVar[str]
    row: ClassVar[type[RenderedRow]]
    room: ClassVar[int] = 0
    """Tokens that must stay free beside a row."""
    recomputes: ClassVar[bool] = True
    """Whether activations can be recomputed in the backward pass to save memory."""
    least: ClassVar[int] = 1
    """Rows that must be in memory at once."""
    shuffled: ClassVar[bool] = True
    """Whether every epoch has the rows in another order."""

    epochs: int = Field(default=3, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    batch_size: int = Field(default=16, ge=1)
    max_length: int | None = Field(default=None, ge=2)

    @property
    def rows_a_step(self) -> int:
        """Rows per optimiser step."""
        return self.batch_size

    def steps(self, rows: int) -> int:
        """Optimiser steps in all."""
        return -(-rows // self.rows_a_step) * self.epochs

    @property
    def stage(self) -> StageKind:
        """What is trained."""
        raise NotImplementedError

    def learning_rate_for(self, width: int) -> float:
        """The learning rate on a model of this hidden size."""
        raise NotImplementedError


class Settings(Schedule):
    """The knobs of every trainer of weights.

    Attributes:
        kind: ``lora`` trains an adapter on every linear layer, ``full`` every weight.
        learning_rate: By default from kind and model width (``learning_rate_for``).
        rank: Rank of the adapter; its scale is ``ALPHA``.
    """

    rate: ClassVar[float] = 1.0
    """Default learning rate as a share of that of supervised fine-tuning."""

    kind: Kind = "lora"
    rank: int = Field(default=16, ge=1)

    @field_validator(*ADAPTER_ONLY, check_fields=False)
    @classmethod
    def _only_of_an_adapter(cls, value: object, info: ValidationInfo) -> object:
        # A job that is read again has every default written out.
        default = cls.model_fields[info.field_name or ""].default
        if info.data.get("kind") == "full" and value != default:
            raise ValueError(f"{value!r} describes an adapter, and `kind: full` trains none")
        return value

    @property
    def stage(self) -> StageKind:
        """``lora`` or ``full``."""
        return self.kind

    def learning_rate_for(self, width: int) -> float:
        """The learning rate on a model of this hidden size.

        ``5e-5 * (10 if lora else 1) * (2000 / width) ** 0.781``: the rule that Schulman et al.
        ("LoRA Without Regret", 2025; Tinker cookbook, ``hyperparam_utils``) fitted to sweeps over
        Llama models, LoRA wanting ten times the rate of full tuning. Models as small as the
        embedded one are outside of what it was fitted to.
        """
        if self.learning_rate is not None:
            return self.learning_rate
        base = 5e-5 * (10 if self.kind == "lora" else 1) * (2000 / width) ** 0.781
        return self.rate * base


class SFTSettings(Settings):
    """The knobs of supervised fine-tuning, on (prompt, target).

    Attributes:
        variant: How an adapter is built: ``lora`` (Hu et al. 2021); ``rslora``, scaled by
            ``ALPHA / sqrt(rank)`` for high ranks (Kalajdzievski 2023); ``dora``, magnitude and
            direction apart, slower (Liu et al. 2024); ``qlora``, on weights in 4 bits (Dettmers
            et al. 2023), which takes an NVIDIA GPU and bitsandbytes.
        patience: Stop when dev has not improved for so many epochs; None trains all of them.
    """

    trainer: ClassVar[str] = "sft"
    row: ClassVar[type[RenderedRow]] = TrainingRow

    variant: Literal["lora", "rslora", "dora", "qlora"] = "lora"
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


class SDFTSettings(Settings):
    """The knobs of self-distillation (Shenfeld et al. 2026, "Self-Distillation Enables Continual
    Learning", arXiv 2601.19897).

    The model answers each prompt itself; its next-token distribution is drawn, by reverse KL over
    the whole vocabulary, to the one that it has as it starts with the row's target shown.

    Attributes:
        max_tokens: Most tokens of an answer.
        template: How the last user message and the target, ``{prompt}`` and
            ``{privileged_context}``, are shown to the teacher.
        skip: First tokens of an answer that teach nothing: there a teacher that was shown an
            answer may say so.
        batch_size: Answers per optimiser step.
    """

    trainer: ClassVar[str] = "sdft"
    row: ClassVar[type[RenderedRow]] = TrainingRow
    shuffled: ClassVar[bool] = False
    shown: ClassVar[int] = 64
    """Tokens that must stay free for what the template says."""

    max_tokens: int = Field(default=64, ge=1)
    template: str = SHOWS
    skip: int = Field(default=0, ge=0)

    @field_validator("template")
    @classmethod
    def _shows_both(cls, template: str) -> str:
        try:
            said = template.format(prompt="\0", privileged_context="\1")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"cannot be filled in: {error!r}") from error
        if "\0" not in said or "\1" not in said:
            raise ValueError("holds no {prompt} or no {privileged_context}")
        return template

    @property
    def room(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The answer, and what stands around the target."""
        return self.max_tokens + self.shown


AnySettings = (
    SFTSettings
    | SDFTSettings
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
        SoftPromptSettings,
        DPOSettings,
        KTOSettings,
        RewardSettings,
        RLSettings,
    )
}
