"""How a request says what is done to the chances of tokens: penalties, bias, cuts, alternatives."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from whatworks.models.token_rules import TokenRules

MOST_ALTERNATIVES = 20
"""As in OpenAI's protocol."""
_MOST_BIASED = 1024


class RuleFields(BaseModel):
    """Fields of a request that ``TokenRules`` are made of.

    ``top_k`` and ``min_p`` are those of vLLM, which llama.cpp and Ollama have as well; so is
    ``repetition_penalty``.
    """

    frequency_penalty: float = Field(default=0.0, ge=-2.0, le=2.0)
    presence_penalty: float = Field(default=0.0, ge=-2.0, le=2.0)
    repetition_penalty: float = Field(default=1.0, gt=0.0, le=10.0)
    logit_bias: dict[int, float] | None = Field(default=None, max_length=_MOST_BIASED)
    top_k: int = Field(default=0, ge=-1)
    min_p: float = Field(default=0.0, ge=0.0, le=1.0)

    def rules(self, alternatives: int = 0) -> TokenRules | None:
        """The rules; None where they change nothing.

        Args:
            alternatives: How many of the likeliest tokens are to be told of.
        """
        bias = self.logit_bias or {}
        settings: dict[str, Any] = {
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "repetition_penalty": self.repetition_penalty,
            "logit_bias": tuple((token, bias[token]) for token in sorted(bias) if bias[token]),
            "top_k": max(0, self.top_k),
            "min_p": self.min_p,
            "alternatives": alternatives,
        }
        rules = TokenRules(**settings)
        return None if rules == TokenRules() else rules
