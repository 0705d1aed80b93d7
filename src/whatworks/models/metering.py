"""Budgets and the ledger: what an arm may spend, and what it has spent.

A limit holds before a request leaves: what it may take at most is set against what is left, and
what it took in the end is charged. ``Meter`` is that counter.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields

from whatworks.base.errors import BudgetExceeded
from whatworks.base.frozen import Frozen
from whatworks.models.engine import Generation, Unanswered
from whatworks.models.prices import FREE, Price


class Budget(Frozen):
    """Limits for adapting one arm (its chain, one seed); None is no limit.

    Attributes:
        requests: Generations on train and dev rows, and requests to the helper.
        tokens: Prompt and completion tokens of these.
        seconds: Seconds of generation and training together.
        usd: US dollars. This one also covers the arm's dev and test rows, and needs a price for
            every served model.
    """

    requests: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    usd: float | None = None


@dataclass
class Ledger:
    """What was spent. Cached answers are charged like fresh ones, so a resumed run adds up.

    The helper's share (``helper_...``) stands apart from that of the model itself.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    generation_seconds: float = 0.0
    training_seconds: float = 0.0
    training_tokens: int = 0
    usd: float = 0.0
    helper_requests: int = 0
    helper_tokens: int = 0
    helper_seconds: float = 0.0
    helper_usd: float = 0.0

    def add(self, other: Ledger) -> None:
        """Add another ledger's entries to this one."""
        for entry in fields(self):
            setattr(self, entry.name, getattr(self, entry.name) + getattr(other, entry.name))

    def share(self, budget: Budget) -> float:
        """The largest share of a limit that is spent; 0 without limits."""
        pairs = (
            (self.all_requests, budget.requests),
            (self.all_tokens, budget.tokens),
            (self.all_seconds, budget.seconds),
            (self.all_usd, budget.usd),
        )
        return max((spent / limit for spent, limit in pairs if limit), default=0.0)

    def require(self, budget: Budget, requests: int = 0) -> None:
        """Refuse what would pass a limit, before it is done.

        Raises:
            BudgetExceeded: Naming the limit.
        """
        # How many requests leave is known beforehand; of the others some must be left.
        passed = (
            ("requests", budget.requests, self.all_requests + requests, False),
            ("tokens", budget.tokens, self.all_tokens, True),
            ("seconds", budget.seconds, self.all_seconds, True),
            ("usd", budget.usd, self.all_usd, True),
        )
        for name, limit, spent, equal_is_over in passed:
            if limit is not None and (spent > limit or (equal_is_over and spent == limit)):
                raise _make_budget_error(name, limit)

    @property
    def all_requests(self) -> int:
        """Requests to the model and to the helper."""
        return self.requests + self.helper_requests

    @property
    def all_tokens(self) -> int:
        """Tokens of model and helper, read and written."""
        return self.prompt_tokens + self.completion_tokens + self.helper_tokens

    @property
    def all_seconds(self) -> float:
        """Seconds of model, helper and training."""
        return self.generation_seconds + self.training_seconds + self.helper_seconds

    @property
    def all_usd(self) -> float:
        """US dollars for model and helper."""
        return self.usd + self.helper_usd


Most = tuple[int, int]
"""The most that a request can take: (tokens read, tokens written)."""


@dataclass
class Meter:
    """Counts one model's requests against a budget.

    Attributes:
        budget: The limits; none by default.
        ledger: Where spending is written down.
        price: Of the model; None is unknown, which a limit in money does not allow.
        helper: Whether the model is the helper.
    """

    budget: Budget = field(default_factory=Budget)
    ledger: Ledger = field(default_factory=Ledger)
    price: Price | None = FREE
    helper: bool = False

    def require(self, requests: int) -> None:
        """Refuse a batch of requests that would pass a limit for certain.

        Raises:
            BudgetExceeded: Naming the limit, or the missing price.
        """
        if self.budget.usd is not None and self.price is None:
            raise BudgetExceeded(
                "a budget in money needs the model's price, and no table names it",
                remedy="write `prices: {MODEL: {input: 1, output: 2}}` into the study file",
            )
        self.ledger.require(self.budget, requests=requests)

    def admit(self, most: Sequence[Most]) -> int:
        """How many of these requests may leave now, in order: what they can take still fits.

        Raises:
            BudgetExceeded: If not even the first one may.
        """
        tokens, usd = self.ledger.all_tokens, self.ledger.all_usd
        for at, (read, written) in enumerate(most):
            tokens += read + written
            usd += self.price.compute_cost(read, written) if self.price else 0.0
            for name, limit, spent in (
                ("tokens", self.budget.tokens, tokens),
                ("usd", self.budget.usd, usd),
            ):
                if limit is not None and spent > limit:
                    if at:
                        return at
                    raise _make_budget_error(name, limit)
        return len(most)

    def charge(self, generations: Sequence[Generation]) -> None:
        """Write down what came back; what was never asked costs nothing."""
        generations = [g for g in generations if g.finish != "overflow"]
        requests = sum(g.samples for g in generations)
        read = sum(g.prompt_tokens for g in generations)
        written = sum(g.completion_tokens for g in generations)
        seconds = sum(g.seconds for g in generations)
        cached = sum(g.cached_tokens for g in generations)
        usd = 0.0
        if self.price:
            usd = self.price.compute_cost(read, written, cached=cached, seconds=seconds)
        if self.helper:
            spent = Ledger(
                helper_requests=requests,
                helper_tokens=read + written,
                helper_seconds=seconds,
                helper_usd=usd,
            )
        else:
            spent = Ledger(
                requests=requests,
                prompt_tokens=read,
                completion_tokens=written,
                generation_seconds=seconds,
                usd=usd,
            )
        self.ledger.add(spent)

    @contextmanager
    def failing(self) -> Generator[None]:
        """Charge also what was answered in a call of which a request failed."""
        try:
            yield
        except Unanswered as failure:
            self.charge(failure.answered)
            raise


def _make_budget_error(name: str, limit: float) -> BudgetExceeded:
    return BudgetExceeded(
        f"the budget of {limit:g} {name} for one arm is used up",
        remedy=f"raise `budget: {{{name}: ...}}` or choose cheaper settings",
    )
