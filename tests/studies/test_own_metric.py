"""A function of the user's own as a metric: it runs where metrics run, its errors name rows."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import pytest

from whatworks.app.cli import main
from whatworks.app.run_study import run_study
from whatworks.base.errors import InputError
from whatworks.studies.open_study import open_study
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

OWN = """
def score(example, text):
    if "7" in example.id and FAULT:
        raise KeyError("seven")
    return 1.0 if text.strip().lower() == example.target.lower() else 0.25
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    rows = [
        {"id": f"row {i}", "input": f"say {i * 7919} back to me", "target": f"word {i}"}
        for i in range(40)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "own.py").write_text(OWN.replace("FAULT", "False"))
    path = tmp_path / "study.yaml"
    path.write_text(
        "task: {train: rows.jsonl, metric: {python: own.py:score}}\n"
        "model: 'fake:'\narms: [zero-shot, few-shot]\nseeds: 1\n"
    )
    return path


def test_it_scores_a_study(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary, _ = run_study(study, out=tmp_path / "run")
    assert not any(arm.failures for arm in summary.arms)
    lines = (tmp_path / "run" / "results.jsonl").read_text().splitlines()
    scores = {json.loads(line)["value"] for line in lines}
    assert scores and scores <= {0.25, 1.0}
    assert "own.py" in capsys.readouterr().err


def test_an_error_in_it_names_the_row_before_anything_runs(study: Path, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN.replace("FAULT", "True"))
    with pytest.raises(InputError, match=r"row \d*7"):
        run_study(study, out=tmp_path / "run")
    assert not (tmp_path / "run" / "results.jsonl").exists()


@pytest.mark.parametrize("opens", ["read_study", "read_task", "open_study", "check", "plan"])
def test_the_file_is_not_run_without_saying_so(
    study: Path,
    opens: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Opening a study runs nothing; a command that has to score says what it runs first."""
    ran = study.parent / "ran"
    own = study.parent / "own.py"
    own.write_text(f"open({str(ran)!r}, 'w').close()\n{own.read_text()}".replace("FAULT", "False"))
    if opens == "read_study":
        read_study(study)
    elif opens == "read_task":
        task = read_task(read_study(study), study.parent)
        assert task.metric.name == "python" and task.key
    elif opens == "open_study":
        open_study(study, checked=False).close()
    else:
        monkeypatch.setattr(sys, "argv", ["whatworks", opens, str(study)])
        with contextlib.suppress(SystemExit):
            main()
    said = capsys.readouterr().err
    assert ran.exists() == (f"running {own}" in said)
    if opens in ("read_study", "read_task"):
        assert not ran.exists()
