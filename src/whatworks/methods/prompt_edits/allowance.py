"""What a search may take: requests for searching, and as many again for deciding after it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from whatworks.methods.bench.bench import Bench


@dataclass(frozen=True)
class Allowance:
    """A search's own limit, within what the study's budget of requests leaves.

    Attributes:
        bench: Counts requests, and has the budget.
        calls: Most requests for searching, and most for deciding.
        samples: Requests that one answer takes.
        helped: Answers to each request to the helper, which only the budget covers; 0 without one.
    """

    bench: Bench
    calls: int
    samples: int = 1
    helped: int = 0
    _before: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_before", self.bench.ledger.requests)

    @property
    def spent(self) -> int:
        """Requests to the model since this was made."""
        return self.bench.ledger.requests - self._before

    def pays(self, searching: int, deciding: int) -> bool:
        """Whether so many more answers for searching are covered, and then so many for deciding."""
        search, decision = searching * self.samples, deciding * self.samples
        if self.spent + search > self.calls or decision > self.calls:
            return False
        helper = 1 + searching // self.helped if self.helped else 0
        budget, spent = self.bench.budget.requests, self.bench.ledger.all_requests
        return budget is None or spent + search + helper + decision <= budget

    def most(self, deciding: int) -> int:
        """Most answers for searching that leave enough for deciding."""
        refused = range(1, self.calls + 1)
        return bisect_left(refused, True, key=lambda count: not self.pays(count, deciding))
