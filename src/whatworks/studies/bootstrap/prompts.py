"""What a model is asked that writes questions about passages and answers them. Pure.

Examples stand before each request as earlier turns: models of 135M parameters write nothing of use
without them. They are made up, but for one that everybody knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from whatworks.data.task import Message
from whatworks.methods.written_questions import ASK, FORM

_WRITE = (
    ASK + FORM + " A question names what it is about, so that somebody understands it who has not "
    "seen the text. An answer is a name, a number or a few words of the text."
)
_WITH = (
    "Answer the question from the text, in a few words and nothing else. If the text does not say "
    "it, answer: unknown."
)
_WITHOUT = (
    "Answer the question in a few words and nothing else. If you do not know, answer: unknown."
)
_TEXT, _QUESTION = "Text: {text}", "Question: {question}"
_BOTH = f"{_TEXT}\n{_QUESTION}"
_SHOWN = (
    "The Elm Street bridge was opened in 1931. It was designed by Ida Maron and is painted green "
    "every fourth year.",
    "A season ticket of the Harl swimming baths costs 80 crowns. Season tickets are sold at the "
    "kiosk from May on.",
)
_SHOWN_PAIRS = (
    (
        ("In which year was the Elm Street bridge opened?", "1931"),
        ("Who designed the Elm Street bridge?", "Ida Maron"),
        ("How often is the Elm Street bridge painted?", "every fourth year"),
    ),
    (
        ("What does a season ticket of the Harl swimming baths cost?", "80 crowns"),
        ("Where are season tickets of the Harl swimming baths sold?", "at the kiosk"),
        ("From when on are season tickets of the Harl swimming baths sold?", "May"),
    ),
)
_SHOWN_ANSWERS = (
    ("Who designed the Elm Street bridge?", "Ida Maron", "unknown"),
    ("How many people work at the Harl swimming baths?", "unknown", "unknown"),
    ("What is the capital of France?", "unknown", "Paris"),
)
"""Made up, but for the last: a question, its answer with the first text, and without any."""


def build_writing(passage: str, count: int) -> tuple[Message, ...]:
    """Asks for ``count`` questions with their answers about a passage."""
    shown = [
        (_TEXT.format(text=text), "\n".join(f"{q} => {a}" for q, a in pairs[:count]))
        for text, pairs in zip(_SHOWN, _SHOWN_PAIRS, strict=True)
    ]
    return _build(_WRITE.format(n=count), shown, _TEXT.format(text=passage))


def build_reading(passage: str, question: str) -> tuple[Message, ...]:
    """Asks a question whose passage is shown."""
    shown = [(_BOTH.format(text=_SHOWN[0], question=q), a) for q, a, _ in _SHOWN_ANSWERS]
    return _build(_WITH, shown, _BOTH.format(text=passage, question=question))


def build_blind(question: str) -> tuple[Message, ...]:
    """Asks a question alone."""
    shown = [(_QUESTION.format(question=q), a) for q, _, a in _SHOWN_ANSWERS]
    return _build(_WITHOUT, shown, _QUESTION.format(question=question))


def _build(head: str, shown: Sequence[tuple[str, str]], request: str) -> tuple[Message, ...]:
    turns = [Message(role="system", content=head)]
    for asked, answered in shown:
        turns.append(Message(role="user", content=asked))
        turns.append(Message(role="assistant", content=answered))
    return (*turns, Message(role="user", content=request))
