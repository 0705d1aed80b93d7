"""What answers in the place of the language model: predictions, a classifier, a span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from whatworks.base.frozen import Frozen
from whatworks.prompts.render import Rendering


@dataclass(frozen=True)
class Reply:
    """An answer without a language model.

    Attributes:
        text: The answer; None where there is none to this request.
        logprob: Natural log of the probability that the answerer gives it; None where unknown.
    """

    text: str | None
    logprob: float | None = None


class Answerer(Frozen):
    """Answers requests by itself: the candidate's weights are not asked.

    Frozen data, so that it is kept, hashed and resumed like the rest of a candidate.

    Attributes:
        fitted: Whether it says too much good of train rows, because it was made from them, or
            whether it says nothing of them.
        timed: Whether the time that it takes here is what a request costs.
    """

    fitted: ClassVar[bool] = True
    timed: ClassVar[bool] = True

    @property
    def request_usd(self) -> float | None:
        """US dollars of a request; None where nothing is paid, or nobody knows."""
        return None

    def reply(self, requests: Sequence[Rendering]) -> list[Reply]:
        """One reply per request, in the order given; it sees no target.

        Raises:
            ArmFailure: If it cannot answer here.
        """
        raise NotImplementedError
