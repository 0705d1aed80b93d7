"""The shipped example studies read and plan; what they hold is what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from whatworks.candidate import Weights
from whatworks.lab import category_rows, json_rows, mr_rows
from whatworks.metrics import load
from whatworks.studyfile import read_arms, read_study, read_task

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
STUDIES = sorted(path.parent.name for path in EXAMPLES.glob("*/study.yaml"))


@pytest.mark.parametrize("name", STUDIES)
def test_it_reads_and_every_target_scores_one(name: str) -> None:
    path = EXAMPLES / name / "study.yaml"
    study = read_study(path)
    task = read_task(study, path.parent)
    metric = load(task.metric, task.splits.train)
    for split in (task.splits.train, task.splits.dev, task.splits.test):
        assert len(split) >= 50
        assert all(metric(example, example.target).value == 1.0 for example in split)
    for arm in read_arms(study):
        arm.chain.plan(Weights(base="lab"))


def test_facts_are_about_other_people_in_test() -> None:
    path = EXAMPLES / "facts" / "study.yaml"
    task = read_task(read_study(path), path.parent)
    train, dev, test = (
        {e.group for e in part} for part in (task.splits.train, task.splits.dev, task.splits.test)
    )
    assert not train & test and not train & dev and not dev & test
    documents = {document.id: document.text for document in task.documents}
    for example in task.splits.test:
        told = " ".join(documents[name] for name in example.evidence)
        assert example.target.casefold() in told.casefold()


def test_the_data_is_what_the_generator_writes() -> None:
    import json

    for name, made in (
        ("json", json_rows(400)),
        ("mr", mr_rows(700)),
        ("category", category_rows(700)),
    ):
        text = (EXAMPLES / name / "messages.jsonl").read_text(encoding="utf-8")
        assert [json.loads(line) for line in text.splitlines()] == made
