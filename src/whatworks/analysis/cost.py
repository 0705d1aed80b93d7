"""What an arm costs: once, to be made, and then for every request; where two arms break even. Pure.

Money where the model has a price: what it takes per million tokens, times the tokens of a request.
A model on this machine has none: then it is the seconds that this machine takes. The choice on dev
counts tokens in their place, since measured times would choose differently the next time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from whatworks.base.phrasing import format_duration, format_money, format_rough

Unit = Literal["usd", "seconds", "tokens"]

TRAINED = 3
"""Times the work of a token that is only read, for one that is trained on: the backward pass takes
twice the forward pass (Kaplan et al. 2020, section 2.1)."""
MANY = 1000
"""Requests that a price is quoted for."""


@dataclass(frozen=True)
class Cost:
    """What an arm costs, in one unit.

    Attributes:
        once: To be made: training, searching prompts, the helper.
        request: For each request.
        unit: What both are counted in.
    """

    once: float
    request: float
    unit: Unit

    def compute_total(self, requests: float) -> float:
        """The cost of so many requests, adapting included."""
        return self.once + requests * self.request

    @property
    def words(self) -> str:
        """``$0.42 for 1,000 requests, $2.10 to make``; ``0.3 s a request, 3 min to make``."""
        if self.unit == "usd":
            text = f"{format_money(MANY * self.request)} for {MANY:,} requests"
        elif self.unit == "seconds":
            text = f"{format_duration(self.request)} a request"
        else:
            text = f"{self.request:,.0f} tokens a request"
        return f"{text}, {self.format(self.once) if self.once else 'nothing'} to make"

    def format(self, amount: float) -> str:
        """An amount in its unit."""
        if self.unit == "usd":
            return format_money(amount)
        return format_duration(amount) if self.unit == "seconds" else f"{amount:,.0f} tokens"


def find_break_even(first: Cost, second: Cost) -> float | None:
    """Requests from which the one that is dearer to make is the cheaper in all.

    None where one of them is the cheaper, or as cheap, for any number of requests.

    Raises:
        ValueError: If the two are counted in different units.
    """
    if first.unit != second.unit:
        raise ValueError("costs in different units")
    adapting, asked = second.once - first.once, first.request - second.request
    return adapting / asked if adapting * asked > 0 else None


def rate_value(score: float, cost: Cost, requests: int) -> float:
    """Score per price of a month with so many requests, what it took to make the arm included."""
    total = cost.compute_total(requests)
    return score / total if total > 0 else float("inf") if score > 0 else 0.0


def describe_break_even(names: tuple[str, str], costs: tuple[Cost, Cost]) -> str:
    """From how many requests on which of two arms is the cheaper; "" where none of them turns."""
    number = find_break_even(*costs)
    if number is None:
        return ""
    later = names[0] if costs[0].once > costs[1].once else names[1]
    return f"{later} is the cheaper from about {format_rough(max(1, round(number)))} requests on"
