"""The frozen job: everything that decides how training ends, and nothing about where it runs.

Two jobs with the same key, on the same rows and the same base, end in the same weights on the
same machine. Paths are handed to ``train`` beside the job, so the key does not depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import Field, model_validator

from whatworks.analysis.method_outcomes import ReinforcementStep
from whatworks.base.frozen import Frozen
from whatworks.models.weights import Stacking, StageKind
from whatworks.training.schedule import Schedule
from whatworks.training.settings import SETTINGS, AnySettings, SFTSettings


class TrainingJob(Frozen):
    """What a training process needs, beside rows and paths.

    Attributes:
        trainer: Which trainer runs: that of the settings.
        stacking: How this training stands on what was trained before (``Weights.stack``):
            ``new`` starts an adapter, or tunes the base; ``continue`` trains the given adapter,
            or the already tuned base, further; ``merge`` merges the adapter into the base first.
        template: Name of a chat template, or ``auto``.
        seed: Decides the adapter's first values and the order of the rows.
        settings: The trainer's knobs.
    """

    trainer: str = ""
    stacking: Stacking = "new"
    template: str = "auto"
    seed: int = 0
    settings: AnySettings = Field(default_factory=SFTSettings)

    @model_validator(mode="before")
    @classmethod
    def _settings_of_trainer(cls, data: Any) -> Any:
        """The trainer tells the settings that were read from a file, and the other way round."""
        fields = dict(cast("Mapping[str, Any]", data))
        settings = fields.get("settings", SFTSettings())
        if not isinstance(settings, Schedule):
            settings = SETTINGS[fields["trainer"]].model_validate(settings)
        if fields.setdefault("trainer", settings.trainer) != settings.trainer:
            raise ValueError(f"{fields['trainer']} does not take settings of {settings.trainer}")
        return {**fields, "settings": settings}

    @property
    def kind(self) -> StageKind:
        """What is trained: an adapter, every weight or a soft prompt."""
        return self.settings.stage

    @property
    def takes_adapter(self) -> bool:
        """Whether an existing adapter must be given."""
        return self.stacking == "merge" or (self.stacking == "continue" and self.kind == "lora")


class Checkpoint(Frozen):
    """Weights kept at the end of an epoch, or of the part of one that a leash allowed.

    Attributes:
        name: Folder below the run's folder: a PEFT adapter (``lora``) or a Hugging Face model
            with its tokenizer (``full``).
        epoch: 1 for the first.
        step: Optimiser steps taken.
    """

    name: str
    epoch: int
    step: int


class TrainingProgress(Frozen):
    """Where a running training stands.

    Attributes:
        step: Optimiser steps taken.
        steps: Optimiser steps in all.
        loss: Mean loss per trained token of the last step, in nats.
        seconds: Seconds spent so far, interrupted parts included.
        seconds_left: Estimated from the pace of this process.
    """

    step: int
    steps: int
    loss: float
    seconds: float
    seconds_left: float


class Trained(Frozen):
    """What a finished training left.

    Attributes:
        checkpoints: One per epoch, oldest first.
        losses: Mean loss per trained token, in nats, of each optimiser step.
        seconds: Time spent in optimiser steps and checkpoints, interrupted parts included.
        tokens: Tokens read, prompts and answers, over the epochs that ran.
        dropped_rows: Rows left out because they are longer than the model can read.
        parameters: Number of trained parameters.
        learning_rate: The peak rate that was used.
        trace: Of reinforcement: one point per step.
        stopped: Why training ended before its time; empty where it did not.
    """

    checkpoints: tuple[Checkpoint, ...]
    losses: tuple[float, ...]
    seconds: float
    tokens: int
    dropped_rows: int
    parameters: int
    learning_rate: float
    trace: tuple[ReinforcementStep, ...] = ()
    stopped: str = ""
