from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from sample_summary import RATES, failure, infos, rows, study, summary
from sample_summary import examples as make
from whatworks.analysis.figures import ArmInfo, Summary
from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.summarise import summarise


def test_figures_follow_from_the_rows() -> None:
    found, made, _ = summary(100)
    for arm in found.arms:
        mine = [r for r in made if r.arm == arm.name and r.status == "scored"]
        if not mine:
            assert arm.verdict.label == "failed"
            assert arm.failures[0].cause.startswith("out of memory")
            assert arm.failures[0].seeds == (0, 1, 2)
            continue
        assert arm.score is not None
        assert arm.score.value == pytest.approx(sum(r.value for r in mine) / len(mine))
        assert arm.score.low <= arm.score.value <= arm.score.high
        tokens = sum(r.prompt_tokens for r in mine) / len(mine)
        assert arm.prompt_tokens == pytest.approx(tokens)
        assert sum(arm.kinds.values()) == len(mine)
    assert (found.n_test, found.n_groups) == (100, 50)


def test_what_is_planted_is_found() -> None:
    found, _, _ = summary(200)
    verdicts = {arm.name: arm.verdict.label for arm in found.arms}
    assert verdicts["zero-shot"] == "baseline"
    assert verdicts["rag"] == verdicts["rag+sft"] == "works"
    assert verdicts["dpo"] == "failed"
    assert found.recommendation.winner == "rag+sft"
    assert "rag+sft" in found.recommendation.headline
    json.dumps(TypeAdapter(Summary).dump_python(found, mode="json"))


def test_order_of_rows_does_not_matter() -> None:
    items = make(40)
    made = [*rows(items), failure()]
    arms = infos([*RATES, "dpo"])
    one = summarise(made, arms=arms, study=study())
    two = summarise(reversed(made), arms=arms, study=study())
    assert one.arm("rag+sft") == two.arm("rag+sft")
    assert one.recommendation == two.recommendation


def test_every_arm_failed_and_no_baseline() -> None:
    only = summarise([failure()], arms=infos(["dpo"]), study=study(winner=""))
    assert only.recommendation.winner is None
    assert "No arm finished" in only.recommendation.headline
    lone = summarise(rows(make(10), {"rag": 0.9}), arms=infos(["rag"]), study=study(winner="rag"))
    assert lone.arms[0].verdict.label == "cannot tell"


def test_the_verdict_is_that_of_the_interval_shown() -> None:
    """Significant alone, not as one of twelve: the corrected interval holds a gain that counts."""
    ids, right = range(60), set(range(20))
    worse = (right - set(range(10))) | {30, 31}
    answered = {"base": right, "bad": worse}
    for i in range(11):  # as good as the baseline, four rows better and four worse
        rng = random.Random(i)
        answered[f"same{i}"] = (right - {*rng.sample(range(20), 4)}) | {
            *rng.sample(range(20, 60), 4)
        }
    made = [
        ResultRow(arm, 0, "scored", example=str(i), group=str(i), value=float(i in known))
        for arm, known in answered.items()
        for i in ids
    ]
    arms = [ArmInfo(name, dev_score=0.3) for name in answered]
    found = summarise(made, arms=arms, study=study(baseline="base", winner="base")).arm("bad")
    assert found is not None and found.difference is not None
    assert found.difference.high > 0.02
    assert found.verdict.label == "cannot tell"


def test_the_first_lines_say_what_is_shipped_and_what_failed() -> None:
    """Three seeds of which one failed: it counts as wrong, and the adapter is judged by itself."""
    ids = range(120)
    rng = random.Random(4)
    right = {
        ("base", 0): {i for i in ids if rng.random() < 0.3},
        ("sft", 0): {i for i in ids if rng.random() < 0.7},
        ("sft", 1): {i for i in ids if rng.random() < 0.8},
    }
    made = [
        ResultRow(arm, seed, "scored", example=str(i), group=str(i), value=float(i in known))
        for (arm, seed), known in right.items()
        for i in ids
    ]
    made = [replace(row, lenient=row.value) for row in made] + [failure("sft", 2)]
    arms = [
        ArmInfo("base", dev_score=0.3),
        ArmInfo("sft", dev_score=0.5, training_seconds=9.0, seeds=3, exported=1),
    ]
    found = summarise(made, arms=arms, study=study(baseline="base", winner="sft"))
    sft = found.arm("sft")
    assert sft is not None and sft.score is not None and sft.exported is not None
    kept = sum(len(known) for (arm, _), known in right.items() if arm == "sft")
    assert sft.score.value == pytest.approx(kept / (3 * len(ids)))
    assert sft.lost == 1 and sft.verdict.label == "cannot tell"
    assert sft.verdict.reason.startswith("1 of 3 seeds failed and counts as wrong")
    assert sft.exported.seed == 1 and sft.exported.verdict.label == "works"
    said = found.recommendation
    assert said.headline.endswith("Of sft 1 of 3 seeds failed and counts as wrong.")
    this, again = said.details[:2]
    assert this.startswith("This adapter works: seed 1, best on dev")
    assert again.startswith("Whether training again will work cannot be told: +")
