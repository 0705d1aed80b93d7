"""The decision rule: three answers, the need before the effect, null data, planted effects."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from whatworks.analysis.comparison import Estimate, Scores, compare, estimate_mean
from whatworks.base.errors import InputError
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.examiner import Examiner
from whatworks.metrics.registry import load
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks_claims.claims_choosing import pool_scores
from whatworks_claims.decision_rule import decide
from whatworks_claims.evidence import Contrast, Evidence, Need
from whatworks_claims.registry import choose_claims, find_steps, list_claims, list_steps


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
    lacking = Need("recall", estimate_mean(drawn(rng, 0.1)), 0.3)
    able = Need("recall", estimate_mean(drawn(rng, 0.9)), 0.3)
    assert decide("x", evidence(pair, needs=(able,))).answer == "holds"
    finding = decide("x", evidence(pair, needs=(able, lacking)))
    assert finding.answer == "cannot tell" and "recall" in finding.reason


def test_that_nothing_is_lost_is_a_claim_too():
    same = drawn(random.Random(3), 0.8, 400)
    kept = Contrast("kept", same, same, smallest=-0.1)
    assert decide("x", Evidence(contrasts=(kept,))).answer == "holds"


def test_studies_are_pooled_with_the_spread_of_their_seeds():
    """One arm of three seeds that differ, one that needs no seed: the interval has the spread."""
    levels = (0.5, 0.7, 0.9)
    rng = random.Random(5)
    several = {(s, f"e{i}"): float(rng.random() < levels[s]) for s in range(3) for i in range(200)}
    single = {(0, f"e{i}"): float(i % 2) for i in range(200)}
    both = {**pool_scores(several, "a", 3), **pool_scores(single, "b", 3)}
    assert len(both) == 3 * 400
    found = compare(both, dict.fromkeys(both, 0.0))
    assert found.n_seeds == 3 and found.se_seeds > 0.02


def test_more_contrasts_make_wider_intervals():
    rng = random.Random(4)
    pair = (drawn(rng, 0.6), drawn(rng, 0.4))
    alone = decide("x", evidence(pair)).measured[0].comparison
    beside = decide("x", evidence(pair, pair, pair)).measured[0].comparison
    assert beside.low < alone.low and beside.high > alone.high


CLAIMS_LIKE = {
    # seeds of the two arms, examples, examples of one source
    "neither trained": (1, 1, 60, 1),
    "one trained": (3, 1, 60, 1),
    "both trained": (3, 3, 60, 1),
    "five seeds, by source": (5, 1, 90, 3),
}


def shuffled(rng: random.Random, seeds: int, others: int, n: int, size: int) -> Contrast:
    """Two arms between which every source's answers were dealt out by chance.

    Examples are easy or hard for both, examples of a source alike, and a trained arm's seeds
    differ by more than chance.
    """
    groups = {f"e{i}": f"g{i // size}" for i in range(n)}
    level = {g: rng.betavariate(2, 2) for g in dict.fromkeys(groups.values())}
    first, second = ([rng.gauss(0, 0.05) * (k > 1) for _ in range(k)] for k in (seeds, others))
    pools: tuple[dict[tuple[int, str], float], ...] = ({}, {})
    for pool, shifts in zip(pools, (first, second), strict=True):
        for seed, shift in enumerate(shifts):
            for example, group in groups.items():
                pool[seed, example] = float(rng.random() < level[group] + shift)
    if seeds == others:  # which arm an answer belongs to is drawn anew for every source
        flipped = {g for g in level if rng.random() < 0.5}
        for key in pools[0]:
            if groups[key[1]] in flipped:
                pools[0][key], pools[1][key] = pools[1][key], pools[0][key]
    return Contrast("c", *pools, groups)


@pytest.mark.parametrize("batch", range(4))
def test_shuffled_labels_are_an_effect_in_at_most_5_percent(batch: int):
    """200 claims-like comparisons without an effect; beyond 0 on either side counts as one."""
    rng, designs = random.Random(f"null {batch}"), list(CLAIMS_LIKE.values())
    effects = held = 0
    for i in range(200):
        finding = decide("x", Evidence((shuffled(rng, *designs[i % len(designs)]),)))
        found = finding.measured[0].comparison
        effects += found.low > 0 or found.high < 0
        held += finding.answer == "holds"
    assert effects <= 10 and held <= 5


def test_shuffled_labels_are_no_effect_through_engine_and_metric(tmp_path: Path):
    """Two prompts on a scripted engine; which message has which label is dealt out 200 times."""
    labels = ["billing", "delivery", "login", "returns"]
    texts = [f"message {i}" for i in range(60)]

    def scripted(messages: Sequence[Message]) -> str:
        number = int(messages[-1].content.split()[-1])
        careful = "carefully" in messages[0].content
        return labels[(number * number + 1) % 4 if careful else number // 3 % 4]

    examiner = Examiner(FakeEngine(scripted), load(MetricSpec(name="exact")), Store(tmp_path))
    arms = [
        Candidate(prompt=Prompt(instructions=told), weights=Weights(base="fake", digest="f"))
        for told in ("Label it.", "Label it carefully.")
    ]
    rng, effects, held, right = random.Random("shuffled"), 0, 0, []
    for _ in range(200):
        dealt = rng.sample(labels * 15, 60)
        rows = [
            Example(id=str(i), inputs={"text": text}, target=label)
            for i, (text, label) in enumerate(zip(texts, dealt, strict=True))
        ]
        one, other = (
            {(0, answer.example.id): answer.score.value for answer in examiner.ask(arm, rows)}
            for arm in arms
        )
        right += one.values()
        finding = decide("x", evidence((one, other)))
        found = finding.measured[0].comparison
        effects += found.low > 0 or found.high < 0
        held += finding.answer == "holds"
    assert 0.22 < sum(right) / len(right) < 0.28, "chance"
    assert effects <= 10 and held <= 5


def test_claims_and_their_studies_fit_together():
    made = list_steps()
    ids = [claim.id for claim in list_claims()]
    assert len(ids) == len(set(ids))
    for claim in list_claims():
        assert claim.says.endswith(".") and claim.protocol.endswith(".")
        assert claim.studies and {*claim.studies, *claim.beside} <= set(made), claim.id
        assert all(made[name].data is None for name in claim.studies), "a claim rests on both kinds"
    for step in made.values():
        assert set(step.after) <= set(made)
    order = [step.name for step in find_steps(list_claims())]
    assert len(order) == len(set(order))
    assert all(order.index(b) < order.index(name) for name in order for b in made[name].after)
    real = {step.name for step in find_steps(list_claims(), data="real")}
    assert real - set(order) == {name for name, step in made.items() if step.data == "real"}


def test_claims_are_chosen_by_id_or_group():
    assert [c.id for c in choose_claims(("form.json",))] == ["form.json"]
    assert {c.id.split(".")[0] for c in choose_claims(("form",))} == {"form"}
    with pytest.raises(InputError, match=r"form\.json"):
        choose_claims(("form.jsn",))


def test_an_estimate_without_answers_meets_no_need():
    assert not Need("x", Estimate(0.0, 0.0, 1.0), 0.1).met
