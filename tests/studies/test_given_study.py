"""A study with an arm whose answers are given: the system in use, beside a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from whatworks.app.run_study import run_study
from whatworks.base.progress import Silent
from whatworks.studies.study_folder import StudyFolder


@pytest.fixture
def ran(study: Callable[..., Path], tmp_path: Path) -> Path:
    """A study of a scripted model that is always wrong, beside a system that is mostly right."""
    theirs = [
        {"id": f"{part}-{i}", "prediction": json.dumps({"count": i * 7919 if i % 4 else -1})}
        for part, count in (("dev", 20), ("test", 45))
        for i in range(count)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in theirs)
    (tmp_path / "theirs.jsonl").write_text(lines)
    path = study(
        more="model: 'fake:'\nrequests_per_month: 1000\ndiagnose: false\n"
        "not_worse: {arm: given, than: zero-shot, margin: 0.02}\n"
    )
    arms = "arms: [zero-shot, {arm: given, predictions: theirs.jsonl, usd: 0.01}]"
    path.write_text(path.read_text().replace("arms: [zero-shot]", arms))
    return path


def test_a_study_compares_it_names_missing_rows_and_asks_no_model(
    ran: Path, tmp_path: Path
) -> None:
    summary, page = run_study(ran, out=tmp_path / "run", watcher=Silent())
    given = summary.arm("given")
    assert given is not None and given.score is not None
    right = sum(1 for i in range(45) if i % 4)
    assert given.score.value == pytest.approx(right / 50)  # five rows without an answer are wrong
    assert given.verdict.label == "works" and given.prompt_tokens == 0
    missing = (
        "given: 5 of 50 test rows have no answer and count as wrong: test-45, test-46, test-47"
    )
    assert any(line.startswith(missing) for line in summary.study.findings)
    assert "no answer to this row was given" in {
        row.feedback for row in StudyFolder(page.parent).results.rows() if row.finish == "missing"
    }
    (asked,) = summary.not_worse
    assert asked.answer == "yes" and "1,000 requests a month: given $10.00" in asked.words
    assert asked.words.split("?")[0] in page.read_text()


def test_other_answers_are_another_candidate(ran: Path, tmp_path: Path) -> None:
    first, _ = run_study(ran, out=tmp_path / "run", watcher=Silent())
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text(theirs.read_text().replace("7919", "1"))
    again, _ = run_study(ran, out=tmp_path / "run", watcher=Silent())
    scores = [summary.arm("given") for summary in (first, again)]
    assert scores[0] and scores[1] and scores[0].score and scores[1].score
    assert scores[1].score.value < scores[0].score.value
