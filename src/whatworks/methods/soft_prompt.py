"""soft-prompt: learned positions before the prompt, the model left as it is."""

from __future__ import annotations

from typing import ClassVar

from whatworks.methods.supervised import Job, Supervised
from whatworks.training.settings import SoftPromptSettings


class SoftPrompt(Supervised, SoftPromptSettings):
    """Learn a soft prompt on (prompt, target) rows; dev chooses among the epochs.

    The settings are those of ``SoftPromptSettings``.
    """

    name: ClassVar[str] = "soft-prompt"
    job: ClassVar[type[Job]] = SoftPromptSettings
