"""What a client asks to have trained, checked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from whatworks.app.serve.protocol import RequestRefusal
from whatworks.app.serve.tuning.training_file import Method
from whatworks.training.schedule import choose_batch_size
from whatworks.training.settings import DPOSettings, SFTSettings

EPOCHS = 3
"""Where the client leaves them to the server."""

Auto = Literal["auto"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Hyperparameters(_Shape):
    """Knobs; ``auto`` leaves one to the server."""

    n_epochs: Auto | int = Field(default="auto")
    batch_size: Auto | int = Field(default="auto")
    learning_rate_multiplier: Auto | float = Field(default="auto")
    beta: Auto | float = Field(default="auto")

    @model_validator(mode="after")
    def _positive(self) -> Hyperparameters:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value != "auto" and value <= 0:
                raise ValueError(f"{name} is {value}, and has to be more than 0")
        return self


class Knobs(_Shape):
    """The knobs of a method."""

    hyperparameters: Hyperparameters = Hyperparameters()


class MethodChoice(_Shape):
    """How to train."""

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: Knobs = Knobs()
    dpo: Knobs = Knobs()


class JobRequest(_Shape):
    """``POST /v1/fine_tuning/jobs``."""

    model: str
    training_file: str
    validation_file: str | None = None
    method: MethodChoice = MethodChoice(type="supervised")
    hyperparameters: Hyperparameters | None = None
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    suffix: str | None = Field(default=None, max_length=64, pattern=r"^[\w.-]*$")
    integrations: list[Any] | None = Field(default=None, max_length=0)
    metadata: dict[str, str] | None = None

    @property
    def kind(self) -> Method:
        """How to train.

        Raises:
            RequestRefusal: If it is by a way that is not offered.
        """
        if self.method.type == "reinforcement":
            raise RequestRefusal("models are trained by supervised and dpo here", param="method")
        return self.method.type

    @property
    def knobs(self) -> Hyperparameters:
        """The knobs, also where they stand outside of the method, as before there were several."""
        chosen = self.method.dpo if self.kind == "dpo" else self.method.supervised
        return self.hyperparameters or chosen.hyperparameters


def make_settings(
    kind: Method, knobs: Hyperparameters, rows: int, width: int
) -> SFTSettings | DPOSettings:
    """The training's settings: an adapter.

    Args:
        kind: How to train.
        knobs: As the client chose them.
        rows: How many there are.
        width: The model's hidden size, by which the usual learning rate goes.
    """
    chosen: dict[str, Any] = {
        "epochs": EPOCHS if knobs.n_epochs == "auto" else knobs.n_epochs,
        "batch_size": choose_batch_size(rows) if knobs.batch_size == "auto" else knobs.batch_size,
    }
    if kind == "dpo" and knobs.beta != "auto":
        chosen["beta"] = knobs.beta
    settings = (DPOSettings if kind == "dpo" else SFTSettings)(**chosen)
    if knobs.learning_rate_multiplier == "auto":
        return settings
    rate = knobs.learning_rate_multiplier * settings.learning_rate_for(width)
    return settings.replace(learning_rate=rate)
