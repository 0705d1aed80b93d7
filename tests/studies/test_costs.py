"""What a run costs, by its dev rows: in money where the model has a price, else in tokens."""

from __future__ import annotations

import pytest

from whatworks.analysis.cost import TRAINED, Cost
from whatworks.models.metering import Ledger
from whatworks.models.prices import Price
from whatworks.studies.decisions import (
    ArmRun,
    ChoiceRule,
    Decision,
    choose_winner,
    measure_cost,
)

PRICE = Price(input=2.0, output=8.0)


def run(making: Ledger, rows: int, *, priced: bool) -> ArmRun:
    """A run whose dev rows read 100 tokens and write 10."""
    one = ArmRun("a", 0, dev_score=0.5, dev_tokens=110.0, ledger=making)
    one.total.add(making)
    usd = PRICE.compute_cost(100 * rows, 10 * rows) if priced else 0.0
    one.total.add(Ledger(prompt_tokens=100 * rows, completion_tokens=10 * rows, usd=usd))
    return one


@pytest.mark.parametrize("rows", [10, 60])
def test_a_request_costs_what_a_dev_row_does(rows: int) -> None:
    making = Ledger(prompt_tokens=1000, usd=0.3, helper_usd=0.2)
    found = measure_cost(run(making, rows, priced=True))
    assert found.unit == "usd" and found.once == pytest.approx(0.5)
    assert found.request == pytest.approx(PRICE.compute_cost(100, 10))


def test_without_a_price_tokens_count_and_trained_ones_more() -> None:
    making = Ledger(prompt_tokens=500, training_tokens=9000)
    assert measure_cost(run(making, 60, priced=False)) == Cost(
        500 + TRAINED * 9000, 110.0, "tokens"
    )


def decide(arm: str, score: float, cost: Cost, seed: int = 0) -> Decision:
    return Decision(arm, seed, "key", score, cost.request, False, False, cost=cost)


def test_the_requests_a_month_decide_among_arms_that_tie() -> None:
    tuned = [decide("tuned", 0.80, Cost(900_000, 110, "tokens"), seed) for seed in range(3)]
    shots = decide("shots", 0.81, Cost(0, 400, "tokens"))
    better = decide("better", 0.95, Cost(0, 90_000, "tokens"))
    rule = ChoiceRule(requests=1_000)
    assert choose_winner([*tuned, shots], rule) == "shots"
    assert choose_winner([*tuned, shots], ChoiceRule(requests=50_000)) == "tuned"
    assert choose_winner([*tuned, shots, better], rule) == "better", "a price buys no tie"
    assert choose_winner([*tuned, shots], ChoiceRule()) == "tuned", "the shorter request"
