"""A judge model: both orders, failures counted, agreement with people."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from whatworks.base.errors import ArmFailure, InputError
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.metrics.judge import Judge, correct_share, measure_agreement, read_verdict
from whatworks.metrics.registry import load
from whatworks.models.fake import FakeEngine
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

CASES = 1_000
ROW = Example(id="e", inputs={"text": "Who lives here?"}, target="Dora Berran.")
FAIR = [
    {"contains": "[Answer A]\nbad", "answer": "Poor. [[B]]"},
    {"contains": "[Answer B]\nbad", "answer": "Poor. [[A]]"},
    {"contains": "\nfine\n", "answer": "Alike. [[C]]"},
    {"contains": "\nodd\n", "answer": "I cannot say."},
    {"contains": "[Answer A]\nhalf", "answer": "[[A]] or rather [[B]]"},
    {"contains": "\nhalf", "answer": "well..."},
]
"""Whoever shows ``first`` gets a judge that always takes what it is shown first."""


def judge_of(folder: Path, **script: Any) -> str:
    path = folder / "judge.json"
    path.write_text(json.dumps({"answers": FAIR, "default": "[[A]]", **script}))
    return f"fake:{path}"


@pytest.mark.parametrize(
    ("text", "value", "lenient", "parts"),
    [
        ("fine", 1.0, 1.0, {"failed": 0.0, "consistent": 1.0}),
        ("bad", 0.0, 0.0, {"failed": 0.0, "consistent": 1.0, "first": 0.5}),
        ("swayed by the order", 0.5, 1.0, {"failed": 0.0, "consistent": 0.0, "first": 1.0}),
        ("odd", 0.0, 0.0, {"failed": 1.0}),
        ("half", 0.0, 0.0, {"failed": 0.5, "first": 0.0}),
        ("Dora Berran.", 1.0, 1.0, {"failed": 0.0}),
        (" ", 0.0, 0.0, {"failed": 0.0}),
    ],
)
def test_answers_by_hand(
    tmp_path: Path, text: str, value: float, lenient: float, parts: dict[str, float]
):
    metric = load(MetricSpec(name="judge", options={"model": judge_of(tmp_path)}))
    score = metric(ROW, text)
    assert (score.value, score.forgiving, dict(score.parts)) == (value, lenient, parts)
    assert (score.kind == "correct") == (value == 1.0)
    figures = metric.summary([ROW, ROW], [score, metric(ROW, "odd")])
    assert all(math.isfinite(figure) for figure in figures.values())
    assert figures["failed"] == pytest.approx((parts["failed"] + 1) / 2)


@pytest.mark.parametrize(
    ("reply", "points"),
    [
        ("[[A]]", (1.0, 0.0)),
        ("Because. [[ b ]]", (0.0, 1.0)),
        ("[[tie]]", (1.0, 1.0)),
        ("First [[A]], no: [[C]]", (1.0, 1.0)),
        (" B.", (0.0, 1.0)),
        ("Answer A", (1.0, 0.0)),
        ("A better one would be B", None),
        ("", None),
    ],
)
def test_verdicts(reply: str, points: tuple[float, float] | None):
    assert read_verdict(reply) == points


def test_a_judge_that_cannot_be_reached_fails_the_arm(tmp_path: Path):
    options = {"model": judge_of(tmp_path, fail="fine")}
    with pytest.raises(ArmFailure):
        load(MetricSpec(name="judge", options=options))(ROW, "fine")


def test_what_is_too_long_for_the_judge_is_a_failure_that_counts(tmp_path: Path):
    metric = load(MetricSpec(name="judge", options={"model": judge_of(tmp_path, context=400)}))
    assert metric(ROW, "fine " + "word " * 500).parts == {"failed": 1.0}
    assert metric(ROW, "fine").value == 1.0


def test_replies_are_kept(tmp_path: Path):
    prompt = [(Message(role="user", content="[Answer A]\nbad"),)]
    name = judge_of(tmp_path)
    assert Judge(name, tmp_path / "kept").ask(prompt) == ["Poor. [[B]]"]
    again = Judge(name, tmp_path / "kept")
    engine = again._engine
    assert isinstance(engine, FakeEngine)
    engine.seen.clear()
    assert again.ask(prompt) == ["Poor. [[B]]"]
    assert engine.seen == []


def test_calibration_against_people(tmp_path: Path):
    rows = [("fine", 1), ("fine", True), ("bad", 0), ("bad", 0.9), ("odd", 1), ("swayed", 0)]
    labelled = [
        {"input": "Who?", "target": "Dora.", "meta": {"answer": answer, "human": human}}
        for answer, human in rows
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, labelled)))
    options = {"model": judge_of(tmp_path), "labels": str(tmp_path / "labels.jsonl")}
    metric = load(MetricSpec(name="judge", options=options))
    figures = metric.summary([ROW, ROW], [metric(ROW, "fine"), metric(ROW, "bad")])
    # Of the five with a verdict: good are fine, fine and one bad; the judge says fine, fine.
    assert figures["human_agreement"] == pytest.approx(4 / 5)
    assert figures["sensitivity"] == pytest.approx(2 / 3) and figures["specificity"] == 1.0
    assert figures["corrected"] == pytest.approx(0.5 / (2 / 3))
    (tmp_path / "labels.jsonl").write_text(json.dumps({"input": "Who?", "target": "Dora."}))
    other = {**options, "criteria": "which is nicer"}
    with pytest.raises(InputError, match="no `answer` or no `human`"):
        load(MetricSpec(name="judge", options=other)).summary([ROW], [metric(ROW, "fine")])


def test_agreement_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = random.Random(7)
    for _ in range(CASES):
        size, bias = rng.randint(2, 20), rng.random()
        human = [rng.random() < bias for _ in range(size)]
        said = [h if rng.random() < 0.7 else rng.random() < 0.5 for h in human]
        found = measure_agreement(human, said)
        pairs = Counter(zip(human, said, strict=True))
        refused, taken = pairs[False, False], pairs[False, True]
        missed, hit = pairs[True, False], pairs[True, True]
        assert found["human_agreement"] == pytest.approx((refused + hit) / size)
        assert found["sensitivity"] == pytest.approx(hit / (missed + hit) if missed + hit else 1)
        assert found["specificity"] == pytest.approx(
            refused / (refused + taken) if refused + taken else 1
        )
        if len({*human}) > 1 and len({*said}) > 1:
            assert found["human_kappa"] == pytest.approx(metrics.cohen_kappa_score(human, said))


def test_a_judges_known_mistakes_are_taken_out():
    rng = random.Random(8)
    for true in (0.1, 0.5, 0.9):
        good = [rng.random() < true for _ in range(20_000)]
        said = [rng.random() < (0.8 if g else 0.3) for g in good]
        found = measure_agreement(good, said)
        share = sum(said) / len(said)
        assert abs(share - true) > 0.05 or true == 0.5
        assert correct_share(share, found) == pytest.approx(sum(good) / len(good))
    assert correct_share(0.4, {"sensitivity": 0.5, "specificity": 0.5}) == 0.4


def test_the_helper_of_a_study_is_its_judge(tmp_path: Path):
    rows = [{"input": f"Who is {i}?", "target": f"Number {i}."} for i in range(9)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    study = {
        "task": {"train": "rows.jsonl", "metric": {"judge": {"keep": "replies"}}},
        "helper": "fake:",
        "arms": ["zero-shot"],
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    task = read_task(read_study(tmp_path / "study.yaml"), tmp_path)
    assert dict(task.metric.options) == {"model": "fake:", "keep": str(tmp_path / "replies")}
