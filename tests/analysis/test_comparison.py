"""Statistics against independent computations, planted effects and exchangeable arms."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from whatworks.analysis.comparison import (
    Comparison,
    compare,
    estimate_mean,
)
from whatworks.analysis.correction import adjust_holm
from whatworks.analysis.further_rows import compute_detectable_effect, estimate_needs

Scores = dict[tuple[int, str], float]


def scores(values: list[float], seed: int = 0) -> Scores:
    return {(seed, f"e{i}"): value for i, value in enumerate(values)}


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
def test_mcnemar_is_the_binomial_test_of_the_discordant(pairs: list[tuple[bool, bool]]) -> None:
    arm, base = (scores([float(p[i]) for p in pairs]) for i in (0, 1))
    found = compare(arm, base)
    better = sum(a and not b for a, b in pairs)
    worse = sum(b and not a for a, b in pairs)
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert found.test == "mcnemar"
    assert found.p == pytest.approx(expected)
    assert found.difference == pytest.approx((better - worse) / len(pairs))
    assert found.low <= found.difference <= found.high
    assert found.low >= -1 and found.high <= 1


def test_only_shared_examples_are_compared() -> None:
    arm = {(0, "a"): 1.0, (0, "b"): 0.0, (0, "only"): 1.0}
    found = compare(arm, {(0, "a"): 0.0, (0, "b"): 0.0})
    assert (found.n_items, found.difference) == (2, 0.5)
    with pytest.raises(ValueError, match="share no example"):
        compare(arm, {(0, "z"): 1.0})
    with pytest.raises(ValueError, match="share no example"):
        compare(arm, {})
    with pytest.raises(ValueError, match="between 0 and 1"):
        compare({(0, "a"): 2.0}, {(0, "a"): 0.0})


def study(
    rng: random.Random, *, groups: int, size: int, seeds: int, effect: float, fractional: bool
) -> tuple[Scores, Scores, dict[str, str]]:
    """An arm and a baseline whose examples agree within a group; the arm is better by effect."""
    arm: Scores = {}
    base: Scores = {}
    labels: dict[str, str] = {}
    shifts = [rng.gauss(0, 0.03) if seeds > 1 else 0.0 for _ in range(seeds)]
    for group in range(groups):
        level = min(0.85, max(0.15, rng.gauss(0.5, 0.15)))
        tilt = rng.gauss(0, 0.08)  # a group may favour one of the two
        for item in range(size):
            name = f"{group}.{item}"
            labels[name] = str(group)

            def draw(p: float) -> float:
                p = min(1.0, max(0.0, p))
                noise = 0.5 * (rng.random() < p) + 0.5 * p
                return noise if fractional else float(rng.random() < p)

            base[0, name] = draw(level - tilt)
            for seed in range(seeds):
                arm[seed, name] = draw(level + tilt + effect + shifts[seed])
    return arm, base, labels


DESIGNS = [
    pytest.param({"groups": 100, "size": 1, "seeds": 1, "fractional": False}, id="mcnemar"),
    pytest.param({"groups": 25, "size": 4, "seeds": 1, "fractional": False}, id="clusters"),
    pytest.param({"groups": 80, "size": 1, "seeds": 3, "fractional": False}, id="seeds"),
    pytest.param({"groups": 30, "size": 2, "seeds": 3, "fractional": True}, id="all"),
]


@pytest.mark.parametrize("design", DESIGNS)
def test_no_effect_is_rarely_called_one(design: dict[str, int]) -> None:
    rng = random.Random(7)
    repeats = 250
    hits = 0
    for _ in range(repeats):
        arm, base, labels = study(rng, effect=0.0, **design)  # type: ignore[arg-type]
        hits += compare(arm, base, labels).p < 0.05
    # 5% of 250 is 12.5; 22 is its 99.5th percentile.
    assert hits <= 22, f"{hits} of {repeats} comparisons without an effect came out as one"


@pytest.mark.parametrize("design", DESIGNS)
def test_a_planted_effect_lies_in_its_interval(design: dict[str, int]) -> None:
    rng = random.Random(11)
    repeats = 120
    covered = found = 0
    for _ in range(repeats):
        arm, base, labels = study(rng, effect=0.2, **design)  # type: ignore[arg-type]
        result = compare(arm, base, labels)
        # Levels near the ends are cut: the planted mean stays within a point of 0.2.
        covered += result.low - 0.01 <= 0.2 <= result.high + 0.01
        found += result.p < 0.05
    assert covered >= 0.9 * repeats
    assert found >= 0.3 * repeats


def test_same_input_same_output() -> None:
    arm, base, labels = study(
        random.Random(1), groups=20, size=3, seeds=2, effect=0.1, fractional=True
    )
    shuffled = dict(sorted(arm.items(), key=lambda item: hash(item[0])))
    assert compare(arm, base, labels) == compare(shuffled, base, labels)


def test_clusters_widen_the_interval() -> None:
    rng = random.Random(3)
    arm, base, labels = {}, {}, {}
    for group in range(12):
        right = float(rng.random() < 0.7)
        for item in range(10):  # ten copies of one answer tell no more than one
            arm[0, f"{group}.{item}"] = right
            base[0, f"{group}.{item}"] = 0.0
            labels[f"{group}.{item}"] = str(group)
    clustered, flat = compare(arm, base, labels), compare(arm, base)
    assert clustered.high - clustered.low > 2 * (flat.high - flat.low)
    assert clustered.p > 100 * flat.p


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_wilson_interval(counts: tuple[int, int]) -> None:
    n, right = counts
    found = estimate_mean(scores([1.0] * right + [0.0] * (n - right)))
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert found.value == pytest.approx(right / n)
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)


def test_intervals_have_a_width_at_the_ends() -> None:
    for value in (0.0, 1.0):
        one = {(seed, f"e{i}"): value for i in range(30) for seed in range(3)}
        found = estimate_mean(one, {f"e{i}": str(i // 3) for i in range(30)})
        assert found.high - found.low > 0.1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_its_definition(ps: list[float]) -> None:
    adjusted = adjust_holm(ps)
    order = np.argsort(ps, kind="stable")
    for level in (0.01, 0.05, 0.2):
        rejected = set()
        for rank, i in enumerate(order):
            if ps[i] * (len(ps) - rank) >= level:
                break
            rejected.add(int(i))
        assert {i for i, p in enumerate(adjusted) if p < level} == rejected


def test_more_examples_show_what_was_promised() -> None:
    """The number of further examples asked for gives the promised power, roughly."""
    rng = random.Random(5)

    def pair(n: int) -> tuple[Scores, Scores]:
        base = [float(rng.random() < 0.5) for _ in range(n)]
        arm = [b if rng.random() < 0.7 else float(rng.random() < 0.67) for b in base]
        return scores(arm), scores(base)

    small = compare(*pair(100))
    effect = 0.05  # 30% redrawn at 0.67 instead of 0.5
    more = estimate_needs(small, effect).examples
    assert more is not None and 200 < more < 5000
    hits = sum(compare(*pair(100 + more)).p < 0.05 for _ in range(60))
    assert 0.6 * 60 <= hits <= 60
    assert compute_detectable_effect(compare(*pair(100 + more))) < 1.6 * effect


def test_seeds_that_differ_ask_for_seeds() -> None:
    rng = random.Random(2)
    arm = {
        (seed, f"e{i}"): float(rng.random() < p)
        for seed, p in enumerate((0.3, 0.6, 0.9))
        for i in range(400)
    }
    base = scores([float(rng.random() < 0.5) for _ in range(400)])
    found = compare(arm, base)
    assert found.se_seeds > 3 * found.se_items
    assert found.p > 0.05
    assert estimate_needs(found, 0.05).examples is None


@pytest.mark.parametrize("seeds", [2, 3])
def test_few_seeds_ask_for_seeds_and_get_what_they_asked_for(seeds: int) -> None:
    """A large effect, a small spread of seeds, a strict level: seeds are short, not examples."""
    rng = random.Random(6)
    base = scores([0.0] * 100)

    def arm(count: int) -> Scores:
        levels = [min(1.0, rng.gauss(0.93, 0.02)) for _ in range(count)]
        return {(s, f"e{i}"): float(rng.random() < p) for s, p in enumerate(levels)
                for i in range(100)}  # fmt: skip

    found = next(c for c in (compare(arm(seeds), base) for _ in range(99)) if c.spread > 0.015)
    more = estimate_needs(found, found.difference, arms=200)
    assert more.examples is None and more.seeds is not None and more.seeds >= 1
    enough = compare(arm(seeds + more.seeds), base, alpha=0.05 / 200)
    assert enough.low > 0


def test_a_difference_that_never_varies_is_not_certain() -> None:
    arm = {(seed, f"e{i}"): 1.0 for seed in range(3) for i in range(40)}
    base = {(0, f"e{i}"): 0.0 for i in range(40)}
    found = compare(arm, base)
    assert found.difference == found.high == 1.0 and 0.8 < found.low < 0.97


def test_what_examples_or_seeds_alone_would_not_tell_asks_for_some_of_both() -> None:
    """Neither ten times the examples nor many times the seeds, but a few of each."""
    found = Comparison(
        0.08, -0.05, 0.21, 0.2, "bootstrap", n_items=90, n_groups=90, n_seeds=3,
        se_items=0.03, se_seeds=0.02, spread=0.03, df=3.0,
    )  # fmt: skip
    more = estimate_needs(found, 0.08, arms=5)
    assert more.examples and more.seeds
    assert (90 + more.examples) * (3 + more.seeds) < 10 * 90 * 3
