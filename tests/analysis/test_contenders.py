"""The choice against its runner-up: the answer, what to take, and what it costs."""

from __future__ import annotations

import random

import pytest

from whatworks.analysis.contenders import Contender, compare_two
from whatworks.analysis.cost import Cost, find_break_even, rate_value
from whatworks.analysis.score_table import Scores
from whatworks.analysis.verdict import Option, choose


def answers(rate: float, n: int, seed: int) -> dict[tuple[int, str], float]:
    rng = random.Random(seed)
    return {(0, f"e{i}"): float(rng.random() < rate) for i in range(n)}


def change(scores: Scores, gains: int, losses: int) -> dict[tuple[int, str], float]:
    """The same with so many answers mended and spoilt."""
    wrong = [key for key, value in scores.items() if not value]
    right = [key for key, value in scores.items() if value]
    changed = {key: 1.0 for key in wrong[:gains]} | {key: 0.0 for key in right[:losses]}
    return {**scores, **changed}


BASE = answers(0.6, 400, 1)
DEAR = Cost(12.0, 0.001, "usd")
CHEAP = Cost(0.0, 0.004, "usd")


def test_what_is_better_is_taken() -> None:
    a, b = Contender("a", answers(0.7, 400, 1)), Contender("b", answers(0.3, 400, 2))
    better, worse = compare_two(a, b, margin=0.02), compare_two(b, a, margin=0.02)
    assert better.answer == "better" and better.words.endswith("points; take a.")
    assert worse.answer == "worse" and worse.take == "a"
    assert worse.words.endswith("though dev chose b: take a.")


def test_of_two_that_are_the_same_the_cheaper_is_taken() -> None:
    near = Contender("rag", change(BASE, 1, 1), tokens=400)
    tuned = Contender("rag+sft", BASE, tokens=395, trained=True)
    found = compare_two(tuned, near, margin=0.02)
    assert found.answer == "same" and found.take == "rag"
    assert "are the same within 2.0 points (0.0 [" in found.words
    assert found.words.endswith("rag costs no training: take rag.")
    short = compare_two(tuned, Contender("few-shot", near.scores, tokens=900), margin=0.02)
    assert short.take == "rag+sft" and "fewer tokens a request, 395 against 900" in short.words


def test_where_it_cannot_be_told_a_small_gap_is_left_to_the_price_and_a_large_one_to_dev() -> None:
    tuned = Contender("rag+sft", change(BASE, 25, 20), tokens=400, trained=True)
    found = compare_two(tuned, Contender("rag", BASE, tokens=400), margin=0.02)
    assert found.answer == "cannot tell"
    assert found.words.startswith("rag+sft or rag: cannot tell (+1.2 [")
    assert "rag costs no training: take rag; about " in found.words
    assert found.words.endswith("more examples would tell.")
    ahead = Contender("rag+sft", change(BASE, 40, 25), tokens=400, trained=True)
    open_ = compare_two(ahead, Contender("rag", BASE, tokens=400), margin=0.02)
    assert open_.answer == "cannot tell" and open_.take == "rag+sft"
    assert "rag+sft was chosen on dev: take rag+sft" in open_.words


@pytest.mark.parametrize(("requests", "taken"), [(1_000, "shots"), (100_000, "tuned")])
def test_the_requests_a_month_decide_between_making_and_asking(requests: int, taken: str) -> None:
    pair = (
        Contender("tuned", BASE, DEAR, tokens=100, trained=True),
        Contender("shots", change(BASE, 1, 1), CHEAP, tokens=900),
    )
    found = compare_two(*pair, margin=0.02, requests=requests)
    assert (
        found.take == taken
        and f"{taken} costs less at {requests:,} requests a month" in found.words
    )
    assert found.prices.startswith(
        "Price: tuned $1.00 for 1,000 requests, $12.00 to make; "
        "shots $4.00 for 1,000 requests, nothing to make"
    )
    assert found.prices.endswith("tuned is the cheaper from about 4,000 requests on.")


def test_without_a_price_it_is_time() -> None:
    pair = (
        Contender("a", BASE, Cost(90.0, 0.5, "seconds")),
        Contender("b", change(BASE, 1, 1), Cost(0.0, 0.4, "seconds")),
    )
    found = compare_two(*pair, margin=0.02)
    assert found.prices == (
        "No price is known, so time: a 0.50 s a request, 1 min 30 s to make; "
        "b 0.40 s a request, nothing to make."
    )
    other = Contender("b", BASE, CHEAP)
    assert compare_two(pair[0], other, margin=0.02).prices == "", "units that cannot be compared"


def test_where_two_break_even() -> None:
    assert find_break_even(DEAR, CHEAP) == find_break_even(CHEAP, DEAR) == pytest.approx(4000)
    assert find_break_even(CHEAP, Cost(1.0, 0.004, "usd")) is None
    assert find_break_even(CHEAP, Cost(1.0, 0.005, "usd")) is None
    assert DEAR.compute_total(4000) == pytest.approx(CHEAP.compute_total(4000))
    with pytest.raises(ValueError, match="units"):
        find_break_even(CHEAP, Cost(0.0, 1.0, "tokens"))


def test_the_choice_on_dev_weighs_score_against_price() -> None:
    options = [
        Option("shots", 0.81, 900, False, cost=CHEAP),
        Option("tuned", 0.80, 100, True, cost=DEAR),
        Option("dull", 0.40, 10, False, cost=Cost(0.0, 1e-6, "usd")),
    ]
    assert choose(options, requests=1_000) == "shots"
    assert choose(options, requests=100_000) == "tuned"
    assert choose(options) == "tuned", "without a number, the shorter request"
    assert rate_value(0.5, Cost(0.0, 0.0, "usd"), 10) == float("inf")
    assert rate_value(0.8, DEAR, 1000) == pytest.approx(0.8 / 13)
