"""Decoding: how an answer is drawn from a model."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from whatworks.base.frozen import Frozen
from whatworks.data.task import MetricSpec
from whatworks.models.constraint import Constraint
from whatworks.models.token_rules import TokenRules


class Decoding(Frozen):
    """How text is drawn from the model.

    Attributes:
        max_tokens: Upper limit of new tokens.
        temperature: 0 is greedy.
        top_p: Nucleus mass, used when ``temperature`` is above 0.
        seed: Seed of sampling; each request gets a stream of its own from it.
        stop: Strings that end the answer; they are not part of it. Under a constraint they do not
            apply: the answer ends where its form is complete.
        constraint: The form that the answer must have.
        samples: How many answers are drawn; one of them counts (``samples.py``).
        pick: Which one: ``majority`` (the label with most votes), ``likeliest`` (by mean
            log-probability) or ``reward``.
        reward: The metric behind ``reward``; it sees no target.
        rules: Further rules for each token, as a server's requests give them.
    """

    max_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None
    samples: int = 1
    pick: Literal["majority", "likeliest", "reward"] = "majority"
    reward: MetricSpec | None = None
    rules: TokenRules | None = None

    @model_serializer(mode="wrap")
    def _leave_out_rules(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without rules, what is written and its key are as they were before there were any."""
        content: dict[str, Any] = write(self)
        if self.rules is None:
            del content["rules"]
        return content
