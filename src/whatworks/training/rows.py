"""Candidate + examples to training rows, through the one renderer.

A row holds the messages that the engine would be asked with, and the answer to learn. Which tokens
that makes is decided by ``whatworks.engines.templates``, for training and generation alike.
"""

from __future__ import annotations

from collections.abc import Iterable

from whatworks.identity import Frozen
from whatworks.prompt import Prompt, render
from whatworks.task import Example, Message


class TrainingRow(Frozen):
    """Messages and the answer to learn; only the answer and its end token are trained."""

    id: str
    messages: tuple[Message, ...]
    target: str


def training_rows(prompt: Prompt, examples: Iterable[Example]) -> list[TrainingRow]:
    """One row per example, rendered as for evaluation: the row itself never helps in its prompt."""
    return [
        TrainingRow(id=e.id, messages=render(prompt, e, exclude=[e]), target=e.target)
        for e in examples
    ]
