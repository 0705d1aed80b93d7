"""Arms compared together: pooled seeds, the joint correction, what a failed seed costs, looks."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatworks.analysis.comparison import compare, compare_all
from whatworks.analysis.correction import adjust_holm
from whatworks.analysis.exported import choose_seed, judge_exported
from whatworks.analysis.looks import spend
from whatworks.analysis.lost_seeds import count_lost
from whatworks.analysis.paired_tests import ALPHA, Flips, flip_signs, weigh
from whatworks.analysis.score_table import Scores
from whatworks.analysis.seed_spread import SeedSpread, measure_spread, pool_spreads
from whatworks.analysis.tied_set import find_tied, take_joint
from whatworks.analysis.verdict import judge


def answers(rates: Sequence[float], n: int = 100, seed: int = 0) -> dict[tuple[int, str], float]:
    rng = random.Random(seed)
    hard = [rng.gauss(0, 0.15) for _ in range(n)]
    return {
        (s, f"e{i}"): float(rng.random() < rate + hard[i] * 0.5)
        for s, rate in enumerate(rates)
        for i in range(n)
    }


def test_steady_arms_lend_their_degrees_of_freedom() -> None:
    """The first arm's own three seeds say too little; eight arms' together do not."""
    base = answers([0.19], seed=99)
    arms = {"good": answers([0.93, 0.87, 0.70], seed=1)}
    arms |= {f"a{i}": answers([0.33, 0.25, 0.16], seed=2 + i) for i in range(7)}
    alone = compare(arms["good"], base)
    together = compare_all(arms, base)["good"]
    assert together.df > 10 > alone.df
    assert together.high - together.low < 0.7 * (alone.high - alone.low)
    assert together.p < alone.p / 5
    apart = {name: compare(own, base) for name, own in arms.items()}
    joint, single = judge(compare_all(arms, base))["good"], judge(apart)["good"]
    assert joint.label == "works" and joint.matters
    assert joint.p_adjusted is not None and single.p_adjusted is not None
    assert joint.p_adjusted < single.p_adjusted / 10


def test_an_unstable_arm_is_judged_by_its_own_seeds() -> None:
    steady = [SeedSpread(0.0004, 2, 0.0004, 3)] * 7
    wild = SeedSpread(0.02, 2, 0.0004, 3)
    pooled = pool_spreads([*steady, wild])
    assert pooled[-1] == wild
    assert all(one.df == 16 for one in pooled[:-1])
    lone = SeedSpread(0.01, 2, 0.001, 3)
    assert pool_spreads([lone, SeedSpread()]) == [lone, SeedSpread()], "one seed lends nothing"


def test_the_seeds_part_is_students_t_where_chance_makes_none_of_it() -> None:
    rng = np.random.default_rng(1)
    drawn = SeedSpread(0.04, 3, 0.0, 4).draw(rng, 200_000) / 0.2
    for share, quantile in ((0.9, 1.638), (0.975, 3.182)):  # of t with 3 degrees of freedom
        assert np.quantile(drawn, share) == pytest.approx(quantile, rel=0.03)
    table = np.array([[1.0, 0.0] * 50, [0.0, 1.0] * 50])
    assert measure_spread([table], np.arange(100)).variance == 0


@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([1, 3]))
@settings(max_examples=25, deadline=None)
def test_joint_worth_lies_between_alone_and_bonferroni(seed: int, arms: int, seeds: int) -> None:
    base = answers([0.4], 60, seed)
    own = {f"a{i}": answers([0.45 + 0.05 * i] * seeds, 60, seed + i + 1) for i in range(arms)}
    found = compare_all(own, base)
    corrected = dict(zip(found, adjust_holm([one.p for one in found.values()]), strict=True))
    for name, one in found.items():
        joint = one.joint
        assert joint is not None
        assert one.p <= joint.p + 1e-12
        # Never much stricter than Holm's, up to what 4,999 draws leave to chance.
        assert joint.p * 0.9 <= corrected[name] + 0.03
        assert spend(1) / arms - 1e-12 <= joint.level <= spend(1)
        assert joint.low <= one.difference <= joint.high
        assert joint.p < ALPHA or joint.low <= 0 <= joint.high
        assert (one.p < ALPHA) == (not one.low <= 0 <= one.high)


@pytest.mark.parametrize("arms", [1, 2, 3, 8])
def test_half_of_what_may_be_erred_is_for_the_arm_that_was_chosen(arms: int) -> None:
    weights = weigh(arms, 0)
    assert sum(weights) == pytest.approx(arms) and weights[0] >= max(weights[1:], default=0.0)
    assert weigh(arms, None) == [1.0] * arms
    base = answers([0.4], 80, 1)
    own = {f"a{i}": answers([0.4 if i else 0.58], 80, i + 2) for i in range(arms)}
    plain, favoured = compare_all(own, base), compare_all(own, base, first="a0")
    assert compare_all(own, base, first="another") == plain
    for name, one in favoured.items():
        before, now = plain[name].joint, one.joint
        assert before is not None and now is not None
        assert one.p <= now.p + 1e-12
        if name == "a0":
            assert now.p <= before.p and now.level >= before.level
            assert now.level >= spend(1) / 2 - 1e-12 or arms == 1
            assert now.high - now.low <= before.high - before.low
        else:
            assert now.level <= before.level * (1 + 1e-9)


def test_an_arm_with_several_seeds_gets_no_more_than_the_others() -> None:
    """Dev and test share its seeds: chosen for lucky ones, it would be lucky on test again."""
    base = answers([0.4], 80, 1)
    own = {f"a{i}": answers([0.5, 0.6], 80, i + 2) for i in range(3)}
    assert compare_all(own, base, first="a0") == compare_all(own, base)
    once = {name: {k: v for k, v in one.items() if k[0] == 0} for name, one in own.items()}
    assert compare_all(once, base, first="a0") != compare_all(once, base)


def test_the_interval_is_what_the_test_does_not_reject() -> None:
    rng = np.random.default_rng(3)
    mean = rng.normal(0.1, 0.3, 40)
    sums, sizes = flip_signs(np.stack([mean / 40, np.full(40, 1 / 40)], axis=1), rng).T
    flips = Flips(float(mean.mean()), sums, sizes, np.zeros(len(sums)))
    low, high = flips.interval(0.05)
    for delta in np.linspace(-0.2, 0.4, 61):
        drawn = np.abs(sums - delta * sizes)
        p = (1 + int((drawn >= abs(flips.observed - delta) - 1e-12).sum())) / (len(sums) + 1)
        if min(abs(delta - low), abs(delta - high)) > 1e-9:
            assert (p >= 0.05) == (low <= delta <= high)


def test_a_failed_seed_makes_no_arm_surer() -> None:
    base = answers([0.40], 200, 5)
    three = answers([0.60, 0.55, 0.40], 200, 6)
    best = {key: v for key, v in three.items() if key[0] == 0}
    lost: Scores = count_lost(best, [1, 2])
    assert {v for (s, _), v in lost.items() if s} == {0.0} and len(lost) == 600
    assert judge(compare_all({"a": best}, base))["a"].label == "works"
    said = judge(
        compare_all({"a": lost}, base, failed=["a"]),
        failures={"a": "2 of 3 seeds failed and count as wrong"},
    )["a"]
    assert said.label != "works" and said.reason.startswith("2 of 3 seeds failed")


def test_what_is_exported_is_judged_by_itself() -> None:
    base = answers([0.3], 150, 7)
    arms = {"sft": answers([0.35, 0.62, 0.41], 150, 8), "rag": answers([0.35], 150, 9)}
    assert choose_seed({0: 0.3, 1: 0.6, 2: 0.6}) == 1
    assert choose_seed({0: None}) is None
    own = judge_exported(arms, {"sft": 1}, base)["sft"]
    assert own.verdict.label == "works" and own.difference.n_seeds == 1
    assert judge(compare_all(arms, base))["sft"].label == "cannot tell"
    assert judge_exported({}, {}, base) == {}


def test_looks_spend_one_alpha() -> None:
    assert spend(1) == pytest.approx(0.045)
    assert sum(spend(look) for look in range(1, 60)) <= ALPHA + 1e-12
    with pytest.raises(ValueError, match="from 1"):
        spend(0)
    base, arm = answers([0.3], 80, 1), answers([0.48], 80, 2)
    first, second = (compare_all({"a": arm}, base, look=look)["a"].joint for look in (1, 2))
    assert first is not None and second is not None
    assert second.p == pytest.approx(min(1.0, 10 * first.p), rel=1e-6)
    assert second.low <= first.low and second.high >= first.high
    assert first.later == pytest.approx(second.level)


def test_the_tied_set_holds_the_best_and_its_like() -> None:
    arms = {"low": answers([0.2], 200, 1), "a": answers([0.7], 200, 2), "b": answers([0.7], 200, 3)}
    found = find_tied({**arms, "none": {}})
    assert found is not None and set(found.members) == {"a", "b"}
    assert found.best == found.members[0] and list(found.behind)[-1] == "low"
    assert take_joint(found.behind["low"]).high < 0
    alone = find_tied({"a": arms["a"]})
    assert alone is not None and alone.members == ("a",)
    assert find_tied({"none": {}}) is None
