"""A judge by a rubric: several weighted questions about an answer, and no target."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from whatworks.app.run_study import run_study
from whatworks.base.errors import ArmFailure, InputError
from whatworks.data.task import Example, MetricSpec
from whatworks.metrics.registry import load
from whatworks.metrics.rubric import read_yes

PARTS: list[dict[str, Any]] = [
    {"part": "fact", "ask": "Does it name the period?", "weight": 3},
    {"part": "polite", "ask": "Is it polite?"},
    {"part": "promises", "ask": "Does it promise money?", "weight": -2},
]
ROW = Example(id="r", inputs={"q": "How long may I take?"})
SCRIPT = [
    {"contains": ["odd", "polite?"], "answer": "Hard to say."},
    {"contains": ["[Answer]\nsilent"], "answer": "Hm."},
    {"contains": ["45 days", "period?"], "answer": "It does. [[yes]]"},
    {"contains": ["Please", "polite?"], "answer": "[[ YES ]]"},
    {"contains": ["refund", "money?"], "answer": "Yes, it does."},
    {"contains": ["short", "short?"], "answer": "yes"},
]


def make_metric(folder: Path, **options: Any) -> Any:
    path = folder / "judge.json"
    path.write_text(json.dumps({"answers": SCRIPT, "default": "No. [[no]]"}))
    return load(MetricSpec(name="judge", options={"model": f"fake:{path}", **options}))


@pytest.mark.parametrize(
    ("text", "value", "kind", "parts"),
    [
        ("Please, 45 days.", 1, "correct", {"fact": 1, "polite": 1, "promises": 0, "failed": 0}),
        ("45 days.", 3 / 4, "wrong", {"fact": 1, "polite": 0, "promises": 0, "failed": 0}),
        ("45 days, refund.", 1 / 4, "wrong", {"fact": 1, "polite": 0, "promises": 1, "failed": 0}),
        ("refund", 0, "wrong", {"fact": 0, "polite": 0, "promises": 1, "failed": 0}),
        ("odd 45 days", 1, "correct", {"fact": 1, "promises": 0, "failed": pytest.approx(1 / 3)}),
        ("silent", 0, "wrong", {"failed": 1}),
        (" ", 0, "wrong", {"failed": 0}),
    ],
)
def test_weights_by_hand(tmp_path: Path, text: str, value: float, kind: str, parts: Any) -> None:
    score = make_metric(tmp_path, rubric=PARTS)(ROW, text)
    assert score.value == pytest.approx(value) and score.kind == kind
    assert dict(score.parts) == parts
    if kind == "wrong" and parts.get("polite") == 0:
        assert "Is it polite?" in score.feedback


def test_a_row_brings_its_own_parts(tmp_path: Path) -> None:
    own = [{"part": "short", "ask": "Is it short?", "weight": 4}]
    row = ROW.replace(meta={"rubric": own})
    score = make_metric(tmp_path)(row, "short")
    assert score.value == 1.0 and dict(score.parts) == {"failed": 0.0}
    score = make_metric(tmp_path, rubric=PARTS)(row, "short")
    assert score.value == 4 / 8 and "short" not in score.parts and score.parts["fact"] == 0.0
    for bad in ([{"part": "fact", "ask": "Again?"}], [{"ask": "No name?"}], "text", [3]):
        with pytest.raises(InputError, match="rubric cannot be used"):
            make_metric(tmp_path, rubric=PARTS)(ROW.replace(meta={"rubric": bad}), "short")
    with pytest.raises(InputError, match="above 0"):
        make_metric(tmp_path, rubric=PARTS[2:])(ROW, "short")
    with pytest.raises(InputError, match="rubric"):
        make_metric(tmp_path, rubric=[{"part": "a", "ask": "b?", "weigth": 2}])


@pytest.mark.parametrize(
    ("reply", "said"),
    [("[[yes]]", True), ("[[no]] no: [[ Yes ]]", True), ("No, never.", False), ("nothing", None),
     ("I would say yes", None), ("", None)],
)  # fmt: skip
def test_verdicts(reply: str, said: bool | None) -> None:
    assert read_yes(reply) is said


def test_a_judge_that_cannot_be_reached_fails_the_arm(tmp_path: Path) -> None:
    path = tmp_path / "judge.json"
    path.write_text(json.dumps({"fail": "45 days"}))
    metric = load(MetricSpec(name="judge", options={"model": f"fake:{path}", "rubric": PARTS}))
    with pytest.raises(ArmFailure):
        metric(ROW, "45 days")


def test_the_interval_holds_the_mean_that_people_would_give(tmp_path: Path) -> None:
    """The judge takes every polite answer for one that names the period, people do not."""
    (tmp_path / "judge.json").write_text("{}")
    rng = random.Random(3)
    texts = [rng.choice(["Please, 45 days.", "45 days.", "no"]) for _ in range(60)]
    human = {"Please, 45 days.": 0.5, "45 days.": 0.75, "no": 0.0}
    labelled = [
        {
            "input": f"How long, {n}?",
            "target": "",
            "meta": {"answer": text, "human": human[text]},
        }
        for n, text in enumerate(texts[:30])
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, labelled)))
    metric = make_metric(tmp_path, rubric=PARTS, labels=str(tmp_path / "labels.jsonl"))
    rows = [ROW.replace(id=str(n)) for n in range(60)]
    scores = [metric(row, text) for row, text in zip(rows, texts, strict=True)]
    figures = metric.summary(rows, scores)
    true = sum(human[text] for text in texts) / len(texts)
    judged = sum(score.value for score in scores) / len(scores)
    assert judged > true + 0.1, "the judge is not biased here"
    assert figures["powered_low"] < true < figures["powered_high"] < judged + 0.02
    assert abs(figures["powered"] - true) < 0.06
    assert figures["human_agreement"] == 1.0 and "corrected" not in figures
    assert 0 < figures["fact"] < 1


def test_a_study_without_targets(tmp_path: Path) -> None:
    rows = [{"input": f"How long, {n}?"} for n in range(12)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    make_metric(tmp_path)
    (tmp_path / "model.json").write_text(
        json.dumps({"answers": [{"contains": "kindly", "answer": "Please, 45 days."}],
                    "default": "45 days."})
    )  # fmt: skip
    study = {
        "task": {"train": "rows.jsonl", "metric": {"judge": {"rubric": PARTS}}, "missing": "keep",
                 "columns": {"input": "input", "target": ""},
                 "instructions": "Answer."},
        "model": "fake:model.json",
        "helper": "fake:judge.json",
        "arms": ["zero-shot", {"prompt": {"variants": ["Answer kindly."]}}],
    }  # fmt: skip
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    summary, _ = run_study(tmp_path / "study.yaml", out=tmp_path / "out")
    values = {arm.name: arm.score.value for arm in summary.arms if arm.score is not None}
    assert values == {"zero-shot": 0.75, "prompt": 1.0}
