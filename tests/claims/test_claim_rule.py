"""The decision rule: three answers, the need before the effect, null data, planted effects."""

from __future__ import annotations

import random

import pytest

from whatworks.claims import chosen, claims, needed, steps
from whatworks.claims.claim import Contrast, Evidence, Need
from whatworks.claims.rule import decide
from whatworks.errors import InputError
from whatworks.stats import Estimate, Scores, mean_interval


def drawn(rng: random.Random, share: float, n: int = 80, seeds: int = 1) -> Scores:
    return {(s, f"e{i}"): float(rng.random() < share) for s in range(seeds) for i in range(n)}


def evidence(*pairs: tuple[Scores, Scores], needs: tuple[Need, ...] = ()) -> Evidence:
    made = tuple(Contrast(f"c{i}", one, other) for i, (one, other) in enumerate(pairs))
    return Evidence(contrasts=made, needs=needs)


def test_the_three_answers():
    rng = random.Random(1)
    high, low, same = drawn(rng, 0.9), drawn(rng, 0.3), drawn(rng, 0.35)
    assert decide("x", evidence((high, low))).answer == "holds"
    assert decide("x", evidence((low, high))).answer == "does not hold"
    finding = decide("x", evidence((same, low)))
    assert finding.answer == "cannot tell" and "more examples" in finding.reason
    assert decide("x", evidence((high, low), (low, high))).answer == "does not hold"
    assert decide("x", evidence()).answer == "cannot tell"
    assert decide("x", Evidence(missing="no arm")).reason == "no arm"
    assert decide("x", evidence((high, {}))).answer == "cannot tell"


def test_a_model_that_lacks_the_ability_decides_nothing():
    rng = random.Random(2)
    pair = (drawn(rng, 0.9), drawn(rng, 0.1))
    lacking = Need("recall", mean_interval(drawn(rng, 0.1)), 0.3)
    able = Need("recall", mean_interval(drawn(rng, 0.9)), 0.3)
    assert decide("x", evidence(pair, needs=(able,))).answer == "holds"
    finding = decide("x", evidence(pair, needs=(able, lacking)))
    assert finding.answer == "cannot tell" and "recall" in finding.reason


def test_that_nothing_is_lost_is_a_claim_too():
    same = drawn(random.Random(3), 0.8, 400)
    kept = Contrast("kept", same, same, smallest=-0.1)
    assert decide("x", Evidence(contrasts=(kept,))).answer == "holds"


def test_more_contrasts_make_wider_intervals():
    rng = random.Random(4)
    pair = (drawn(rng, 0.6), drawn(rng, 0.4))
    alone = decide("x", evidence(pair)).measured[0].found
    beside = decide("x", evidence(pair, pair, pair)).measured[0].found
    assert beside.low < alone.low and beside.high > alone.high


@pytest.mark.parametrize("seeds", [1, 3])
def test_shuffled_labels_are_no_effect(seeds: int):
    """Null check: arms that do not differ come out as an effect in at most 5% of repetitions."""
    rng, effects, held = random.Random(5), 0, 0
    for _ in range(200):
        pool = [drawn(rng, 0.5, 60, seeds) for _ in range(2)]
        for item in {item for _, item in pool[0]}:
            if rng.random() < 0.5:  # which arm an answer belongs to is shuffled
                for seed in range(seeds):
                    pair = pool[0][seed, item], pool[1][seed, item]
                    pool[1][seed, item], pool[0][seed, item] = pair
        finding = decide("x", evidence((pool[0], pool[1])))
        found = finding.measured[0].found
        effects += found.low > 0 or found.high < 0
        held += finding.answer == "holds"
    assert effects <= 0.05 * 200 + 5 and held <= 3


def test_claims_and_their_studies_fit_together():
    made = steps()
    ids = [claim.id for claim in claims()]
    assert len(ids) == len(set(ids))
    for claim in claims():
        assert claim.says.endswith(".") and claim.protocol.endswith(".")
        assert claim.studies and set(claim.studies) <= set(made), claim.id
    for step in made.values():
        assert set(step.after) <= set(made)
    order = [step.name for step in needed(claims())]
    assert len(order) == len(set(order))
    assert all(order.index(b) < order.index(name) for name in order for b in made[name].after)


def test_claims_are_chosen_by_id_or_group():
    assert [c.id for c in chosen(("form.json",))] == ["form.json"]
    assert {c.id.split(".")[0] for c in chosen(("form",))} == {"form"}
    with pytest.raises(InputError, match=r"form\.json"):
        chosen(("form.jsn",))


def test_an_estimate_without_answers_meets_no_need():
    assert not Need("x", Estimate(0.0, 0.0, 1.0), 0.1).met
