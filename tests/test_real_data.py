"""The main job on data and a model that this project did not make: every arm ends as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from whatworks.analysis.result_rows import Results
from whatworks.app.run_study import run_study
from whatworks.base.progress import Silent
from whatworks.data.task import Task
from whatworks.metrics.registry import load
from whatworks.studies.study_file import read_arms, read_study

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SIZES = {"train": 48, "dev": 6, "test": 12}


def smaller(study: dict[str, Any]) -> dict[str, Any]:
    """The example study with fewer rows and one epoch."""
    study["task"]["limit"] = SIZES
    del study["curve"]
    arms = [arm for arm in study["arms"] if not isinstance(arm, dict) or "arm" not in arm]
    one = {"sft": {"epochs": 1}}
    study["arms"] = [one if arm == "sft" else arm for arm in arms]
    study["arms"].append({"arm": "knn+sft", "knn": {"k": 1}, **one})
    return study


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mr", "category"])
@pytest.mark.parametrize("model", ["lab", "stories260K"])
def test_every_arm_ends_as_rows(
    name: str, model: str, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHATWORKS_DATA", str(real_data))
    study = smaller(yaml.safe_load((EXAMPLES / name / "real.yaml").read_text()))
    study["model"] = model if model == "lab" else str(real_data / model)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    out = tmp_path / "out"
    summary, page = run_study(path, out=out, watcher=Silent())
    rows = Results(out / "results.jsonl").rows()
    arms = {row.arm for row in rows}
    assert arms == {arm.name for arm in read_arms(read_study(path))}
    assert arms >= {"zero-shot", "few-shot", "knn", "sft", "knn+sft", "constrained"}
    for arm in arms:
        mine = [row for row in rows if row.arm == arm]
        assert [row.cause for row in mine if row.status == "failed"] == []
        assert len(mine) == SIZES["test"]
    task = Task.model_validate_json((out / "task.json").read_text())
    metric = load(task.metric, task.splits.train)
    tests = {example.id: example for example in task.splits.test}
    for row in rows:
        # Scores are those of the recorded answers, computed here a second time.
        if row.completion_tokens:
            assert metric(tests[row.example], row.output).value == row.value
    for example in tests.values():
        assert metric(example, example.target).value == 1.0
    assert page.exists() and len(summary.arms) == len(arms)
