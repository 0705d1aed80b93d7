"""Rules for each token that servers know beside temperature and nucleus.

In the order in which they hold: penalties and bias on the logits, then the form, temperature,
``min_p``, ``top_k`` and the nucleus.
"""

from __future__ import annotations

from whatworks.base.frozen import Frozen


class TokenRules(Frozen):
    """What is done to the chances of a token before one is drawn.

    Attributes:
        top_k: The most likely tokens of which one is drawn; 0 for all.
        min_p: Least chance of a token, as a share of that of the likeliest one (Nguyen et al. 2024,
            "Turning up the heat", section 3).
        repetition_penalty: What the logit of a token that stands in prompt or answer is divided by
            if it is above 0, and multiplied by below (Keskar et al. 2019, "CTRL", section 4.1).
        presence_penalty: Taken from the logit of a token that stands in the answer.
        frequency_penalty: Taken from it as often as it stands there.
        logit_bias: Added to the logits of these tokens: pairs of an id and a number.
        alternatives: How many of the likeliest tokens are told of beside each that is drawn.
    """

    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    alternatives: int = 0

    @property
    def changes_logits(self) -> bool:
        """Whether logits are changed before anything is drawn."""
        penalties = (self.presence_penalty, self.frequency_penalty, self.repetition_penalty - 1)
        return any(penalties) or bool(self.logit_bias)
