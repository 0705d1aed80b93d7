"""A rubric: questions to a judge about one answer, each with its weight, and what they come to.

No target is needed. Each question is asked by itself and answered by yes or no. The score is that
of HealthBench (Arora et al. 2025, "HealthBench: Evaluating Large Language Models Towards Improved
Human Health", arXiv 2505.08775): the weights of what is met, those below zero included, over the
sum of the weights above zero, within [0, 1]. A reply without a verdict takes its question out of
both sums and is counted. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example, Message
from whatworks.metrics.score import Score

_VERDICT = re.compile(r"\[\[\s*(yes|no)\s*\]\]", re.IGNORECASE)
_BARE = re.compile(r"^\W*(yes|no)\b", re.IGNORECASE)
_REMEDY = 'write [{"part": "polite", "ask": "Is it polite?", "weight": 1}]'


class RubricPart(BaseModel):
    """One question about an answer.

    Attributes:
        part: Its name in the figures.
        ask: A question that yes or no answers.
        weight: What it counts when the answer is yes; below zero for what must not be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str = Field(min_length=1)
    ask: str = Field(min_length=1)
    weight: float = Field(default=1.0, allow_inf_nan=False)


class Rubric(BaseModel):
    """Parts that can be scored together."""

    model_config = ConfigDict(frozen=True)

    parts: tuple[RubricPart, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [one.part for one in self.parts]
        if len(set(names)) < len(names):
            raise ValueError("two parts have the same name")
        if "failed" in names:
            raise ValueError("a part cannot be called 'failed': that counts missing verdicts")
        if not any(one.weight > 0 for one in self.parts):
            raise ValueError("no part has a weight above 0")
        return self


def read_rubric(given: Sequence[RubricPart], example: Example) -> Rubric:
    """The parts of every row, and those that the row brings itself in ``meta["rubric"]``.

    Raises:
        InputError: If the row's are none, or all of them together cannot be scored.
    """
    own: Any = example.meta.get("rubric") or ()
    if not isinstance(own, list | tuple):
        own = [own]
    try:
        return Rubric.model_validate({"parts": [*given, *cast("Sequence[Any]", own)]})
    except ValidationError as error:
        raise InputError(
            f"the rubric cannot be used: {error.errors()[0]['msg']}",
            place=f"example {example.id!r}",
            remedy=_REMEDY,
        ) from None


def build_question(example: Example, answer: str, part: RubricPart) -> tuple[Message, ...]:
    """What a judge is asked about one part of an answer."""
    request = "\n".join(f"{m.role}: {m.content}" for m in example.messages) or example.text
    return (
        Message(
            role="system",
            content="One question about an answer is decided, and nothing else about it. Its "
            "length must not matter. Give one short reason, then your verdict in double brackets: "
            "[[yes]] or [[no]].",
        ),
        Message(
            role="user",
            content=f"[Request]\n{request}\n\n[Answer]\n{answer}\n[End of answer]\n\n"
            f"[Question]\n{part.ask}",
        ),
    )


def read_yes(reply: str) -> bool | None:
    """Whether a judge says yes; None if it says neither."""
    marks = _VERDICT.findall(reply) or _BARE.findall(reply)
    return marks[-1].lower() == "yes" if marks else None


def score_parts(rubric: Rubric, replies: Sequence[str], counted: Sequence[RubricPart]) -> Score:
    """The score of an answer from a judge's reply to each part.

    Args:
        rubric: The parts.
        replies: In their order.
        counted: Those that every row has: their share of yes becomes a figure.
    """
    said = [(part, read_yes(reply)) for part, reply in zip(rubric.parts, replies, strict=True)]
    told = [(part, met) for part, met in said if met is not None]
    parts = {"failed": 1 - len(told) / len(said)}
    parts |= {part.part: float(met) for part, met in told if part in counted}
    most = sum(part.weight for part, _ in told if part.weight > 0)
    if not most:
        words = f"the judge gave no verdict: {quote_briefly(replies[0])}"
        return Score(0.0, "wrong", words, parts=parts)
    value = min(1.0, max(0.0, sum(part.weight for part, met in told if met) / most))
    missed = [part.ask for part, met in told if met == (part.weight < 0)]
    if not missed:
        return Score(value, "correct", parts=parts)
    feedback = f"not as wanted: {quote_briefly('; '.join(missed), 200)}"
    return Score(value, "wrong", feedback, parts=parts)
