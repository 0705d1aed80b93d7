"""Causes planted in rows for the embedded model, whose world is known to the last fact.

It has read of none of these people, so it cannot know what is asked of them; an unanswerable row
has no answer in any document; a row that calls its person by another name can't be found by words.
What the model then does is its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from whatworks.analysis.diagnosis.arm_diagnosis import ArmDiagnosis
from whatworks.base.progress import Silent
from whatworks.data.task import Document, Example, MetricSpec, Splits, Task
from whatworks.models.decoding import Decoding
from whatworks.models.local.engine import LocalEngine
from whatworks.models.weights import Weights
from whatworks.studies.arm_entries import read_arm
from whatworks.studies.diagnosis import diagnose_arm
from whatworks.studies.study import Study
from whatworks_lab import make_facts_rows

ROWS, UNANSWERABLE, RENAMED = 130, 30, 50
UNKNOWN, MADE_UP, MISSED = "does not know the fact", "made up", "passage not found"


def plant(kind: str) -> tuple[Task, dict[str, str]]:
    """A task, and the cause of each row of dev that has one."""
    raw, texts = make_facts_rows(ROWS * 10 // 7 + 20, 417)
    rows = [
        Example(
            id=row["id"],
            inputs={"text": row["input"]},
            target=row["target"],
            group=row["group"],
            evidence=tuple(row["evidence"]),
        )
        for row in raw
        if row["split"] == "train"
    ]
    dev, rest = rows[:ROWS], rows[ROWS:]
    causes: dict[str, str] = {}
    if kind == "closed book":
        for i, row in enumerate(dev):
            causes[row.id] = MADE_UP if i < UNANSWERABLE else UNKNOWN
            if i < UNANSWERABLE:
                dev[i] = row.replace(target="", evidence=(), meta={"answerable": False})
    else:
        for i, row in enumerate(dev[:RENAMED]):
            causes[row.id] = MISSED
            asked = row.inputs["text"].replace(row.group or "", "the one of whom we spoke")
            dev[i] = row.replace(inputs={"text": asked})
            assert asked != row.inputs["text"]
    splits = Splits(train=tuple(rest[: len(rest) // 2]), dev=tuple(dev),
                    test=tuple(rest[len(rest) // 2 :]))  # fmt: skip
    documents = tuple(Document(id=one["id"], text=one["text"]) for one in texts)
    task = Task(
        name="planted",
        splits=splits,
        metric=MetricSpec(name="facts"),
        documents=documents,
        instructions="Answer the question from the text.",
    )
    return task, causes


def diagnose(kind: str, arm: str | dict[str, object], out: Path) -> tuple[ArmDiagnosis, float]:
    """What is found, and the share of the planted rows that are wrong whose cause it names."""
    task, causes = plant(kind)
    engine = LocalEngine()
    try:
        study = Study(task, [read_arm(arm)], engine, Weights(base="lab"), out,
                      decoding=Decoding(max_tokens=12), seeds=1)  # fmt: skip
        run = study.run_whole(study.arms[0], 0, Silent())
        assert run.failure is None
        found = diagnose_arm(study, run, 3 * ROWS, Silent())
    finally:
        engine.close()
    planted = [row for row in found.rows if row.row in causes]
    assert len(planted) > 0.8 * len(causes), "what cannot be known is rarely right"
    hits = [row.cause == causes[row.row] for row in planted]
    return found, sum(hits) / len(hits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "arm", "least"),
    [
        ("closed book", "zero-shot", UNKNOWN),
        ("with passages", {"rag": {"k": 1, "search": "lexical"}}, MISSED),
    ],
)
def test_nine_of_ten_planted_causes_are_named(
    kind: str, arm: str | dict[str, object], least: str, tmp_path: Path
) -> None:
    found, agreement = diagnose(kind, arm, tmp_path)
    assert agreement >= 0.9
    assert max(found.causes, key=lambda one: one.count).cause == least
