"""The knobs of learning from a teacher's distribution over the next token, on own answers."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from whatworks.training.rows import RenderedRow, TaughtRow, TrainingRow
from whatworks.training.schedule import Settings

SHOWS = (
    "{prompt}\n\nThis is an example of a response to that:\n{privileged_context}\n\n"
    "Now answer with a response of your own."
)
"""What the teacher of self-distillation is shown, after Shenfeld et al. 2026."""


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


class GKDSettings(Settings):
    """The knobs of on-policy distillation (Agarwal et al. 2024, "On-Policy Distillation of Language
    Models", arXiv 2306.13649, with every answer drawn by the learner).

    The learner answers each prompt itself; its next-token distribution is drawn to the teacher's
    over the whole vocabulary.

    Attributes:
        teacher: Key of the teacher, a model with the same tokenizer that sees the same prompt;
            empty where it is the model itself as it starts, shown what each row says
            (``TaughtRow.shown``).
        beta: Which divergence: 0 the forward KL, 1 the reverse KL, between them the generalised
            Jensen-Shannon divergence (Eq. 1 there).
        max_tokens: Most tokens of an answer.
        batch_size: Answers per optimiser step.
    """

    trainer: ClassVar[str] = "gkd"
    row: ClassVar[type[RenderedRow]] = TaughtRow
    shuffled: ClassVar[bool] = False

    teacher: str = ""
    beta: float = Field(default=1.0, ge=0, le=1)
    max_tokens: int = Field(default=64, ge=1)

    @property
    def room(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The answer, which the model writes itself."""
        return self.max_tokens
