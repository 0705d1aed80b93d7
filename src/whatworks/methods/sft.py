"""sft: supervised fine-tuning on the train rows or lessons, as the start's prompt renders them."""

from __future__ import annotations

from typing import ClassVar

from whatworks.methods.supervised import Job, Supervised
from whatworks.training.settings import SFTSettings


class SFT(Supervised, SFTSettings):
    """Train LoRA or all weights on (prompt, target) rows; dev chooses among the epochs.

    The settings are those of ``SFTSettings``.
    """

    name: ClassVar[str] = "sft"
    job: ClassVar[type[Job]] = SFTSettings
