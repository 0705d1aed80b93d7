"""What all trainings have in common: epochs, rate and batch, and their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from whatworks.base.frozen import Frozen
from whatworks.models.weights import StageKind
from whatworks.training.rows import RenderedRow

Kind = Literal["lora", "full"]

RATES: Mapping[Kind, tuple[float, ...]] = {
    "lora": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    "full": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3),
}
"""Learning rates that ``search: {learning_rate: auto}`` tries: around the default of models from a
hidden size of 100 to one of 10,000, as far for the one kind as for the other."""
ADAPTER_ONLY = ("rank", "variant", "modules")
"""Settings that describe an adapter, and do nothing where none is made."""
ALPHA = 32
"""Scale of an adapter, which is multiplied by ``ALPHA / rank``: 32 whatever the rank makes the best
learning rate nearly independent of it (Schulman et al. 2025, "LoRA Without Regret")."""
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
