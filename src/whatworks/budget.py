"""Budgets and the ledger: what an arm may spend, and what it has spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from whatworks.engines import Generation
from whatworks.errors import BudgetExceeded
from whatworks.identity import Frozen


class Budget(Frozen):
    """Limits for adapting one arm (its chain, one seed); None is no limit.

    Attributes:
        requests: Generations on train and dev rows.
        tokens: Prompt and completion tokens of these.
        seconds: Seconds of generation and training together.
    """

    requests: int | None = None
    tokens: int | None = None
    seconds: float | None = None


@dataclass
class Ledger:
    """What was spent. Cached answers are charged like fresh ones, so a resumed run adds up."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    generation_seconds: float = 0.0
    training_seconds: float = 0.0
    training_tokens: int = 0

    def charge(self, generations: Sequence[Generation]) -> None:
        """Add the cost of some generations."""
        self.requests += len(generations)
        self.prompt_tokens += sum(g.prompt_tokens for g in generations)
        self.completion_tokens += sum(g.completion_tokens for g in generations)
        self.generation_seconds += sum(g.seconds for g in generations)

    def add(self, other: Ledger) -> None:
        """Add another ledger's entries to this one."""
        for entry in fields(self):
            setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))

    def require(self, budget: Budget, requests: int = 0) -> None:
        """Refuse what would pass a limit, before it is done.

        Raises:
            BudgetExceeded: Naming the limit.
        """
        tokens = self.prompt_tokens + self.completion_tokens
        seconds = self.generation_seconds + self.training_seconds
        # How many requests leave is known beforehand; of tokens and seconds some must be left.
        passed = (
            ("requests", budget.requests, self.requests + requests, False),
            ("tokens", budget.tokens, tokens, True),
            ("seconds", budget.seconds, seconds, True),
        )
        for name, limit, spent, equal_is_over in passed:
            if limit is not None and (spent > limit or (equal_is_over and spent == limit)):
                raise BudgetExceeded(
                    f"the budget of {limit:g} {name} for one arm is used up",
                    remedy=f"raise `budget: {{{name}: ...}}` or choose cheaper settings",
                )
