"""A training document: plain text, or turns of a conversation, with a loss weight on each part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]

# An answer's tokens weigh as much as plain text; what is put to the model weighs less, since much
# of it (fresh names, for one) cannot be foreseen.
PROMPT_WEIGHT = 0.3
ANSWER_WEIGHT = 1.0


@dataclass(frozen=True)
class DocumentTurn:
    """One message and what predicting it is worth."""

    role: Role
    text: str
    weight: float


@dataclass(frozen=True)
class Doc:
    """What the model reads at once. `kind` names the part of the mixture that wrote it."""

    kind: str
    turns: tuple[DocumentTurn, ...] = ()
    text: str = ""

    @property
    def plain(self) -> str:
        """All text of the document, one part per line."""
        return self.text if not self.turns else "\n".join(turn.text for turn in self.turns)


def make_system(text: str) -> DocumentTurn:
    """Instructions."""
    return DocumentTurn("system", text, PROMPT_WEIGHT)


def make_user(text: str) -> DocumentTurn:
    """An input."""
    return DocumentTurn("user", text, PROMPT_WEIGHT)


def make_answer(text: str, weight: float = ANSWER_WEIGHT) -> DocumentTurn:
    """A target. Weight 0 for one that nobody could know, such as that of a first demonstration."""
    return DocumentTurn("assistant", text, weight)


def make_chat(kind: str, instructions: str, *turns: DocumentTurn) -> Doc:
    """A conversation, with instructions unless they are empty."""
    head = (make_system(instructions),) if instructions else ()
    return Doc(kind, head + turns)
