"""What a study counts, what it compares with, and the answer that no model gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from whatworks.analysis.figures import Summary
from whatworks.analysis.result_rows import CONSTANT, Results
from whatworks.app.run_study import report_study, run_study
from whatworks.base.progress import Silent

ARMS = "- zero-shot\n- {prompt: {variants: [Plainly., Only the name.]}}\n"


def study(folder: Path, more: str = "", arms: str = ARMS) -> tuple[Summary, Path]:
    """Sixty questions to a scripted model: a sentence, or the name where only that is asked for."""
    folder.mkdir(exist_ok=True)
    rows = [
        {"input": f"Who is {i:03}?", "output": "Ada" if i % 3 == 0 else f"Name{i:03}"}
        for i in range(60)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answers: list[dict[str, Any]] = []
    for row in rows:
        name, asked = row["output"], row["input"]
        answers.append({"contains": "Only", "last": asked, "answer": name})
        answers.append({"last": asked, "answer": f"It is {name}."})
    (folder / "script.json").write_text(json.dumps({"answers": answers}))
    (folder / "study.yaml").write_text(
        "task: {train: rows.jsonl, metric: facts, split: {dev: 15, test: 30}}\n"
        f"model: fake:script.json\n{more}arms:\n{arms}"
    )
    return run_study(folder / "study.yaml", out=folder / "out", watcher=Silent())


def test_the_baseline_is_the_best_hand_written_prompt_on_dev(tmp_path: Path) -> None:
    found, page = study(tmp_path)
    assert found.study.baseline == "prompt"
    assert found.study.decisions == [
        "The baseline is prompt, the best hand-written prompt on dev: zero-shot 0.0% and prompt "
        "100.0%."
    ]
    assert found.study.decisions[0].split(":")[0] in page.read_text()
    named, _ = study(tmp_path / "named", "baseline: zero-shot\n")
    assert named.study.baseline == "zero-shot" and not named.study.decisions


def test_what_counts_is_the_study_files_to_say(tmp_path: Path) -> None:
    strict, _ = study(tmp_path / "strict")
    lenient, _ = study(tmp_path / "lenient", "score: lenient\n")
    for found, worth in ((strict, 0.0), (lenient, 1.0)):
        arm = found.arm("zero-shot")
        assert arm is not None and arm.score is not None and arm.content is not None
        assert arm.info.dev_score == arm.score.value == worth
        assert arm.content.share.value == 1 and arm.form is not None and arm.form.hits == 0
    assert lenient.study.baseline == "zero-shot", "its content is as good, and it stands first"


def test_the_best_constant_answer_is_a_row_without_a_model(tmp_path: Path) -> None:
    found, page = study(tmp_path)
    out = tmp_path / "out"
    decided = json.loads((out / "decisions.json").read_text())
    assert decided["constant"] == "Ada"
    rows = Results(out / "results.jsonl")
    assert len(rows.constant()) == 30 and all(row.arm != CONSTANT for row in rows.rows())
    assert found.constant is not None and "always “Ada”" in page.read_text()
    right = sum(row.value for row in rows.constant()) / 30
    assert found.constant.score.value == pytest.approx(right) and right > 0
    again, _ = study(tmp_path)
    assert again.constant == found.constant and len(rows.constant()) == 30
    assert report_study(out)[0].constant == found.constant
