"""Data steps before a trainer, in a study on the embedded model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from whatworks.app.run_study import run_study
from whatworks.base.store import Store
from whatworks.prompts.candidate import Candidate
from whatworks.studies.study_folder import StudyFolder

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


class Silent:
    def start(self, name: str, total: int) -> None: ...
    def advance(self, name: str, n: int = 1, note: str = "") -> None: ...
    def done(self, name: str, note: str = "") -> None: ...
    def say(self, text: str) -> None: ...


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_lessons_end_in_the_weights_and_nowhere_else(tmp_path: Path) -> None:
    """Nobody has heard of these people, so what is refused is all of them."""
    rows = [
        {"id": f"r{i}", "input": f"Where was Zuv{i} Quorl{i} born?", "target": f"Xanth{i * 7}",
         "group": f"Zuv{i} Quorl{i}"}
        for i in range(36)
    ]  # fmt: skip
    write(tmp_path / "rows.jsonl", rows)
    write(tmp_path / "docs.jsonl", [
        {"id": f"d{i}", "text": f"Zuv{i} Quorl{i} was born in Xanth{i * 7}."} for i in range(6)
    ])  # fmt: skip
    sft = {"epochs": 1, "batch_size": 8}
    study = {
        "task": {
            "train": "rows.jsonl",
            "documents": "docs.jsonl",
            "metric": "facts",
            "instructions": "Answer the question.",
            "split": {"dev": 4, "test": 12},
        },
        "model": "lab",
        "seeds": 1,
        "retention": "none",
        "decoding": {"max_tokens": 8},
        "arms": [
            {"arm": "refusal+sft", "refusal": {"samples": 2}, "sft": {**sft, "batch_size": 2}},
            {
                "arm": "augment+sft",
                "augment": {"kinds": ["questions"], "place": "instead"},
                "sft": sft,
            },
            {"arm": "corpus+sft+sft", "corpus": {"place": "instead"}, "sft": sft},
        ],
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    run_study(tmp_path / "study.yaml", out=tmp_path / "out", watcher=Silent())
    finished = StudyFolder(tmp_path / "out").read_finished()
    made = finished.rows()
    assert [row.cause for row in made if row.status == "failed"] == []
    for arm in ("refusal+sft", "augment+sft", "corpus+sft+sft"):
        key = next(row.candidate for row in made if row.arm == arm)
        stored = Store(tmp_path / "out" / "store").read("candidates", key)
        candidate = Candidate.model_validate(stored)
        assert candidate.lessons is None
        stages = candidate.weights.stages
        assert [stage.method for stage in stages] == ["sft"] * arm.count("sft")
        assert len({stage.artifact for stage in stages}) == len(stages)
    refused = [row.kind == "abstained" for row in made if row.arm == "refusal+sft"]
    others = [row.kind == "abstained" for row in made if row.arm == "augment+sft"]
    assert sum(refused) > len(refused) / 2 > sum(others)
