from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from whatworks.analysis.aspects import Against, measure_aspects
from whatworks.analysis.comparison import Comparison
from whatworks.analysis.figures import ArmInfo, StudyInfo, Summary
from whatworks.analysis.form import Marks, compare_forms, measure_usable
from whatworks.analysis.result_rows import CONSTANT, ResultRow
from whatworks.analysis.summarise import summarise
from whatworks.data.task import Counted


def marks(answers: dict[str, tuple[float, float]], seed: int = 0) -> Marks:
    """Scores by example: (strict, lenient)."""
    return Marks(
        {(seed, name): strict for name, (strict, _) in answers.items()},
        {(seed, name): lenient for name, (_, lenient) in answers.items()},
    )


def compare_form(
    arm: Marks, baseline: Marks, groups: Mapping[str, str] | None = None
) -> Comparison | None:
    """The form of one arm against the baseline's; None where they have nothing in common."""
    return compare_forms({"": arm}, baseline, groups).get("")


def first(content: int, usable: int, n: int = 100) -> Marks:
    """The first so many examples are right in content, the first of these are usable."""
    return marks({str(i): (float(i < usable), float(i < content)) for i in range(n)})


def test_the_form_is_a_share_of_the_answers_with_the_right_content() -> None:
    found = measure_usable(first(40, 10))
    assert found is not None
    assert (found.usable, found.right, found.share.value) == (10, 40, 0.25)
    assert 0.1 < found.share.low < 0.25 < found.share.high < 0.45
    assert measure_usable(first(0, 0)) is None


def test_the_difference_is_over_what_both_have_right() -> None:
    found = compare_form(first(40, 36), first(20, 2))
    assert found is not None
    assert (found.n_items, found.test) == (20, "mcnemar")
    assert found.difference == pytest.approx(20 / 20 - 2 / 20)
    assert found.low > 0.5 and found.p < 0.001
    assert compare_form(first(40, 36), first(0, 0)) is None


def test_forms_that_all_fail_are_not_told_apart_by_many_examples_without_content() -> None:
    found = compare_form(first(37, 0, 1000), first(10, 0, 1000))
    assert found is not None
    assert (found.difference, found.p) == (0, 1)
    assert found.low < -0.2 and found.high > 0.2, "ten answers say little of their form"


def test_seeds_and_groups_are_in_the_interval() -> None:
    rng = np.random.default_rng(0)

    def drawn(seeds: int, share: float) -> Marks:
        strict, lenient = {}, {}
        for seed in range(seeds):
            for i in range(60):
                right = float(i % 4 > 0)
                strict[seed, str(i)] = right * float(rng.random() < share)
                lenient[seed, str(i)] = right
        return Marks(strict, lenient)

    arm, base = drawn(3, 0.8), drawn(1, 0.3)
    alone = compare_form(arm, base)
    grouped = compare_form(arm, base, {str(i): str(i // 10) for i in range(60)})
    assert alone is not None and grouped is not None
    assert alone.n_seeds == 3 and alone.difference == pytest.approx(grouped.difference)
    assert alone.n_items == alone.n_groups == 45 and grouped.n_groups == 6


@pytest.mark.parametrize(
    ("content", "form"),
    [((0.4, 0.4), 0.3), ((0.37, 0.1), 0.5), ((0.9, 0.1), 0.1), ((0.9, 0.1), 0.9)],
)
def test_equal_forms_are_told_apart_in_one_of_twenty_at_most(
    content: tuple[float, float], form: float
) -> None:
    """Where contents differ and share the difficulty of the examples; 400 studies of 100 rows."""
    rng = np.random.default_rng(1)
    rejected = 0
    for _ in range(400):
        hard = rng.normal(size=100)
        arms: list[Marks] = []
        for share in content:
            logit = math.log(share / (1 - share)) - hard
            right = rng.random(100) < 1 / (1 + np.exp(-logit))
            good = right & (rng.random(100) < form)
            arms.append(marks({str(i): (float(good[i]), float(right[i])) for i in range(100)}))
        found = compare_form(arms[0], arms[1])
        rejected += found is not None and found.p < 0.05
    assert rejected <= 400 * 0.05 + 3 * math.sqrt(400 * 0.05 * 0.95)


def test_a_metric_with_one_score_has_no_aspects() -> None:
    same = {"zero-shot": first(20, 20), "sft": first(60, 60)}
    assert not measure_aspects(same, Against("zero-shot", {})).content


ARMS = {"zero-shot": (10, 0), "rag": (40, 0), "sft": (11, 11)}


def summary(
    score: Counted = "strict", arms: dict[str, tuple[int, int]] = ARMS, always: int = 0
) -> Summary:
    """A study of 100 rows; of the constant answer so many are right."""
    rows = [
        ResultRow(
            arm,
            0,
            "scored",
            example=str(i),
            group=str(i),
            value=float(i < usable),
            lenient=float(i < content),
            kind="correct" if i < usable else "wrong",
        )
        for arm, (content, usable) in arms.items()
        for i in range(100)
    ]
    constant = [
        ResultRow(
            CONSTANT,
            0,
            "scored",
            example=str(i),
            value=float(i < always),
            lenient=float(i < always),
        )
        for i in range(100)
    ]
    infos = [
        ArmInfo(
            name,
            chain=name,
            dev_score=(content if score == "lenient" else usable) / 100,
            dev_content=content / 100,
        )
        for name, (content, usable) in arms.items()
    ]
    study = StudyInfo(
        "t",
        "lab",
        "facts",
        {},
        "zero-shot",
        score=score,
        form_methods=["sft", "prompt"],
        content_methods=["rag"],
        constant="yes",
    )
    return summarise(rows, arms=infos, study=study, constant=constant if always else ())


def test_content_that_is_told_apart_is_never_untold() -> None:
    found = summary()
    rag, sft = found.arm("rag"), found.arm("sft")
    assert rag is not None and sft is not None
    assert rag.difference is not None and rag.difference.difference == 0, (
        "strictly nothing is right"
    )
    assert rag.verdict.label == "content only"
    assert "+30.0" in rag.verdict.reason and "0 of 40" in rag.verdict.reason
    assert rag.content is not None and rag.content.mended
    assert rag.form is not None and not rag.form.mended
    assert sft.verdict.label == "works"
    assert sft.form is not None and sft.form.mended and sft.form.counted == "11 of 11"
    assert rag.kinds == {"content only": 40, "wrong": 60}


def test_the_next_arm_is_a_form_on_top_of_the_content() -> None:
    said = " ".join(summary().recommendation.details)
    assert "Next to try: rag+sft or rag+prompt" in said and "0 of 40" in said
    tried = summary(arms={**ARMS, "rag+sft": (40, 38)}).recommendation
    assert tried.headline.startswith("rag+sft works")
    assert "content (+30.0" in tried.headline and "form (+100.0" in tried.headline
    assert "Next to try" not in " ".join(tried.details)


def test_the_content_is_missing_under_a_form_that_holds() -> None:
    said = summary(arms={"zero-shot": (10, 0), "sft": (12, 12)}).recommendation
    assert said.headline.startswith("sft works") and "mends the form" in said.headline
    assert any("Next to try: rag+sft" in line for line in said.details)


def test_nothing_right_on_dev_is_chosen_by_content() -> None:
    found = summary(arms={"zero-shot": (10, 0), "rag": (40, 0)})
    assert found.recommendation.winner == "rag"
    assert found.recommendation.headline.startswith("rag brings the content")
    assert "0 of 40 right answers are usable" in found.recommendation.headline


def test_what_counts_decides_the_choice_and_the_verdict() -> None:
    found = summary("lenient")
    rag, sft = found.arm("rag"), found.arm("sft")
    assert rag is not None and rag.score is not None and sft is not None
    assert rag.score.value == pytest.approx(0.4) and rag.verdict.label == "works"
    assert sft.verdict.label == "cannot tell"
    assert found.recommendation.winner == "rag"
    assert "the form still fails: 0 of 40" in found.recommendation.headline


def test_nothing_works_that_does_not_beat_a_constant_answer() -> None:
    arms = {"zero-shot": (20, 20), "sft": (60, 60), "knn": (90, 90)}
    labels = {arm.name: arm.verdict.label for arm in summary(arms=arms).arms}
    assert labels["sft"] == labels["knn"] == "works"
    found = summary(arms=arms, always=60)
    assert found.constant is not None and found.constant.in_words == "always “yes”"
    labels = {arm.name: arm.verdict for arm in found.arms}
    assert labels["knn"].label == "works"
    assert labels["sft"].label != "works" and "always “yes”" in labels["sft"].reason
    assert any("zero-shot and sft do not come above it" in d for d in found.recommendation.details)
    near = summary(arms=arms, always=55)
    assert {a.name: a.verdict.unbeaten for a in near.arms}["sft"] == "always “yes”"
    assert any(
        "sft (+40.0; not told from one answer to all" in d for d in near.recommendation.details
    )
    over = summary(arms=arms, always=80)
    assert {a.name: a.verdict.label for a in over.arms}["sft"] == "does not work"
