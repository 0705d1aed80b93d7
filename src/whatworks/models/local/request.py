"""A request in a batch of the local engine, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch


@dataclass
class RequestRow:
    """One request on its way.

    Attributes:
        position: Where its prompt stands in the call.
        prompt: Its prompt ids.
        limit: Most tokens it may write.
        key: Names its random stream.
        new: Ids written so far.
        logprob: Sum of their log-probabilities by the model itself.
        last: That of the newest one.
        matcher: Follows the answer under a constraint; None without one.
        tops: The likeliest tokens in its place, with their log-probabilities, where asked for.
        seconds: Its share of the time of the forward passes it took part in.
        finish: Why it ended, None while it goes on.
    """

    position: int
    prompt: list[int]
    limit: int
    key: str
    new: list[int] = field(default_factory=list[int])
    logprob: float = 0.0
    last: float = 0.0
    tops: Sequence[tuple[int, float]] = ()
    seconds: float = 0.0
    finish: Literal["stop", "length"] | None = None
    generator: torch.Generator | None = None
    matcher: Any = None

    def restart(self) -> None:
        """Forget what was written; the random stream begins anew."""
        self.new, self.logprob, self.finish, self.generator = [], 0.0, None, None
        if self.matcher is not None:
            self.matcher.reset()


Done = Callable[[RequestRow], None]
"""Called with each row as it finishes."""
