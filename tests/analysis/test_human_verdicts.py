"""People's verdicts: a count that may be looked at at any time, and how far people agree."""

from __future__ import annotations

import math
import random
from typing import cast

import numpy as np
import pytest

from whatworks.analysis.human_verdicts import (
    HumanVerdict,
    Said,
    compute_kappa,
    count_further,
    find_kappa_interval,
    find_share,
    measure_agreements,
    measure_evidence,
    tally,
)


def judged(first: int, second: int, same: int = 0, person: str = "anna") -> list[HumanVerdict]:
    said = cast("list[Said]", ["first"] * first + ["second"] * second + ["same"] * same)
    return [HumanVerdict(person, f"r{i}", f"r{i}", one) for i, one in enumerate(said)]


def test_looking_after_every_verdict_errs_in_one_of_twenty() -> None:
    rng = random.Random(1)
    settled = 0
    for _ in range(400):
        first = second = 0
        for _ in range(200):
            first, second = (first + 1, second) if rng.random() < 0.5 else (first, second + 1)
            if measure_evidence(first, second, 0.5) >= math.log(20):
                low, high = find_share(first, second)
                assert not low <= 0.5 <= high, "the share and the test say the same"
                settled += 1
                break
    assert settled <= 31  # the 99.5th percentile of 5%


def test_a_clear_preference_is_settled_and_the_count_says_when() -> None:
    found = tally(judged(14, 2, 3))
    assert found.is_settled and found.low > 0.5 and found.decided == 16
    assert found.describe("rag", "sft").startswith(
        "rag preferred on 14, sft on 2, as good on 3, neither of use on 0: people prefer rag; "
    )
    open_ = tally(judged(6, 3))
    assert not open_.is_settled and open_.low < 0.5 < open_.high
    more = count_further(6, 3)
    assert more is not None and f"about {more} more verdicts would tell" in open_.describe("a", "b")
    assert tally(judged(2 * (3 + more // 3) + 2, 3 + more // 3)).is_settled
    assert count_further(5, 5) is None and count_further(0, 0) is None
    assert find_share(0, 0) == (0.0, 1.0) and not tally([]).decided


def test_a_group_counts_once_and_two_people_are_of_one_row() -> None:
    verdicts = [HumanVerdict("anna", f"r{i}", "g", "first") for i in range(5)]
    assert tally(verdicts).first == 1
    verdicts = judged(1, 0) + judged(0, 1, person="ben")
    assert (tally(verdicts).first, tally(verdicts).second, tally(verdicts).same) == (0, 0, 1)
    again = [*verdicts, HumanVerdict("ben", "r0", "r0", "first")]
    assert tally(again).first == 1, "a person's later verdict counts"


def test_kappa_by_hand() -> None:
    table = [[20, 5], [10, 15]]  # Cohen's kappa is 0.4: agreement .7, by chance .5
    assert compute_kappa(table) == pytest.approx(0.4)
    assert compute_kappa([[10, 0], [0, 0]]) == 0.0
    assert compute_kappa([[5, 0], [0, 5]]) == 1.0
    low, high = find_kappa_interval([[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert 0.5 < low < 0.95 and high == 1.0, "agreement on 18 rows is no certainty"
    assert find_kappa_interval([[10, 0], [0, 0]])[0] < 0.0


@pytest.mark.parametrize("rows", [25, 80])
def test_the_interval_of_kappa_holds_it(rows: int) -> None:
    rng = np.random.default_rng(3)
    cells = np.array([[0.3, 0.06, 0.04], [0.05, 0.25, 0.05], [0.05, 0.05, 0.15]])
    truth, held = compute_kappa(cells.tolist()), 0
    for _ in range(150):
        counts = rng.multinomial(rows, cells.ravel()).reshape(3, 3).tolist()
        low, high = find_kappa_interval(counts, draws=600)
        held += low <= truth <= high
    assert held / 150 >= 0.89


def test_people_are_compared_on_what_both_judged() -> None:
    verdicts = judged(6, 4) + judged(5, 3, person="ben")
    (found,) = measure_agreements(verdicts)
    assert found.people == ("anna", "ben") and found.rows == 8
    assert found.same == 7 / 8 and found.low < found.kappa < found.high
    assert found.words.startswith("anna and ben say the same on 7 of 8 rows: kappa 0.")
    assert measure_agreements(judged(3, 0)) == []
