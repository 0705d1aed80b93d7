from __future__ import annotations

from dataclasses import replace

import pytest

from whatworks.analysis.comparison import Comparison, Estimate, compare
from whatworks.analysis.recommendation import ArmStanding, Recommendation, recommend
from whatworks.analysis.verdict import Option, Verdict, choose, judge


def pair(right: int, base: int, n: int) -> Comparison:
    """An arm and a baseline whose right answers overlap as much as they can."""
    arm = {(0, str(i)): float(i < right) for i in range(n)}
    return compare(arm, {(0, str(i)): float(i < base) for i in range(n)})


def test_labels() -> None:
    found = judge(
        {
            "better": pair(80, 40, 100),
            "worse": pair(20, 60, 100),
            "too small": pair(2003, 2000, 4000),
            "unclear": pair(13, 10, 20),
            "failed": None,
        }
    )
    assert {name: verdict.label for name, verdict in found.items()} == {
        "better": "works",
        "worse": "does not work",
        "too small": "does not work",
        "unclear": "cannot tell",
        "failed": "failed",
    }
    assert found["unclear"].more_examples is not None
    assert found["unclear"].more_examples > 0
    assert "below" in found["too small"].reason


def test_correction_for_the_number_of_arms() -> None:
    """Six discordant answers, all better: p = .03 alone, not enough as one of ten arms."""
    lucky = pair(26, 20, 60)
    assert lucky.p == pytest.approx(2 / 2**6)
    assert judge({"a": lucky})["a"].label == "works"
    crowd = judge({f"arm {i}": lucky for i in range(10)})
    assert {verdict.label for verdict in crowd.values()} == {"cannot tell"}
    assert "not as one of 10" in crowd["arm 0"].reason


def test_choice_is_by_dev_and_cost() -> None:
    options = [
        Option("zero-shot", 0.50, tokens=20),
        Option("few-shot", 0.795, tokens=300),
        Option("sft", 0.79, tokens=20, trained=True),
        Option("broken", None),
    ]
    assert choose(options) == "sft", "within two points the cheaper request wins"
    assert choose(options, min_effect=0.0) == "few-shot"
    assert choose([Option("broken", None)]) is None
    none_right = [Option("zero-shot", 0.0, 90.0), Option("sft", 0.0, 80.0, True)]
    assert choose(none_right) == "zero-shot", "wrong answers are not better for being short"


def advice(arms: dict[str, tuple[int, float]], winner: str, n: int = 100) -> Recommendation:
    """Recommendation for arms given as (right on test, dev score); zero-shot is the baseline."""
    base = arms["zero-shot"][0]
    found = {name: pair(right, base, n) for name, (right, _) in arms.items() if name != "zero-shot"}
    verdicts = {"zero-shot": Verdict("baseline", ""), **judge(found)}
    standings = [
        ArmStanding(
            name,
            verdicts[name],
            Estimate(right / n, 0.0, 1.0),
            found.get(name),
            dev,
            prompt_tokens=100.0 * (1 + i),
            seconds=0.5,
            training_seconds=90.0 if name == "sft" else 0.0,
        )
        for i, (name, (right, dev)) in enumerate(arms.items())
    ]
    return recommend(standings, baseline="zero-shot", winner=winner)


def test_a_fraction_of_a_token_is_not_cheaper():
    options = [Option("sft", 0.878, 33.4, True), Option("sft+dpo", 0.872, 33.2, True)]
    assert choose(options) == "sft"
    assert choose([options[0], Option("short", 0.872, 20.0, True)]) == "short"


def test_a_winner_is_named_with_its_gain_and_its_cost() -> None:
    said = advice({"zero-shot": (40, 0.4), "rag": (62, 0.6), "sft": (80, 0.8)}, "sft")
    assert said.headline.startswith("sft works: 80.0% on test against 40.0% for zero-shot, +40.0")
    assert "Also works: rag (+22.0)" in said.details[0]
    assert "300 prompt tokens (zero-shot: 100)" in said.details[1]
    assert "1 min 30 s of training" in said.details[1]


def test_a_winner_that_proves_nothing_is_not_praised() -> None:
    said = advice({"zero-shot": (10, 0.5), "rag": (13, 0.6)}, "rag", n=20)
    assert said.headline.startswith("Cannot tell")
    assert "20 test examples do not settle" in said.headline and " more examples." in said.headline
    worse = advice({"zero-shot": (60, 0.5), "rag": (30, 0.6)}, "rag")
    assert worse.headline.startswith("Keep zero-shot") and "does not work" in worse.headline
    none = advice({"zero-shot": (60, 0.7), "rag": (30, 0.6)}, "zero-shot")
    assert none.headline.startswith("Keep zero-shot: nothing did better on dev")


def test_test_scores_do_not_change_the_choice_but_are_told() -> None:
    said = advice({"zero-shot": (40, 0.4), "rag": (80, 0.6), "sft": (70, 0.8)}, "sft")
    assert said.winner == "sft" and said.headline.startswith("sft works")
    assert any("On test rag scored higher, 80.0% against 70.0%" in line for line in said.details)


def test_ties_on_dev_are_told() -> None:
    arms = {"zero-shot": (40, 0.4), "rag": (70, 0.79), "sft": (70, 0.80)}
    assert any("rag came within 2.0 points" in line for line in advice(arms, "sft").details)
    cheaper = advice(arms, "rag").details
    assert any("sft was 1.0 points ahead" in line and "cheaper" in line for line in cheaper)


def test_nothing_finished() -> None:
    failed = ArmStanding("sft", Verdict("failed", ""), None, None, None, 0, 0, 0, "out of memory")
    said = recommend([failed], baseline="zero-shot", winner=None)
    assert said.headline.startswith("No arm finished") and "out of memory" in said.details[0]


def test_an_oracle_is_no_alternative() -> None:
    base = Verdict("baseline", "")
    works = Verdict("works", "")
    plain = ArmStanding("zero-shot", base, Estimate(0.1, 0.0, 1.0), None, 0.1, 10, 0.1, 0)
    rag = ArmStanding("rag", works, Estimate(0.5, 0.0, 1.0), None, 0.5, 100, 0.1, 0)
    gold = ArmStanding("gold", works, Estimate(0.9, 0.0, 1.0), None, 0.9, 50, 0.1, 0, oracle=True)
    said = recommend([plain, rag, gold], baseline="zero-shot", winner="rag")
    assert "gold" not in said.details[-1] and "cheaper" not in " ".join(said.details)
    open_ = recommend([plain, rag, replace(gold, oracle=False)], baseline="zero-shot", winner="rag")
    assert "gold scored higher" in " ".join(open_.details)


def test_arms_with_the_same_remark_are_told_together() -> None:
    text = " ".join(advice({"zero-shot": (40, 0.4), "a": (20, 0.1), "b": (20, 0.1),
                            "sft": (90, 0.9)}, "sft").details)  # fmt: skip
    assert "a and b (each −20.0)" in text


def test_nothing_right_anywhere_is_no_reason_to_keep_anything() -> None:
    said = advice({"zero-shot": (0, 0.0), "sft": (0, 0.0)}, "zero-shot")
    assert said.headline.startswith("No arm gives one right answer")
    assert "Keep" not in said.headline
