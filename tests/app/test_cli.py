"""Wrong input: one or two lines that say cause, place and remedy, exit code 2, nothing written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from whatworks.app.cli import main

ROWS = [{"input": f"say {i * 7919}", "target": f"{i}"} for i in range(20)]


def lines(rows: list[dict[str, str]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "study"
    place.mkdir()
    (place / "rows.jsonl").write_text(lines(ROWS))
    (place / "docs").mkdir()
    (place / "docs" / "a.txt").write_text("Some text.")
    (place / "study.yaml").write_text(
        "task: {train: rows.jsonl, metric: exact, documents: docs}\n"
        "model: 'fake:'\n"
        "arms: [zero-shot, few-shot]\n"
    )
    return place


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def content(name: str, text: str | bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = text.encode() if isinstance(text, str) else text
        (folder / name).write_bytes(data)

    return change


def model_folder(folder: Path) -> None:
    (folder / "model").mkdir()
    replace("study.yaml", "'fake:'", "model")(folder)


WRONG = {
    "missing study": (lambda f: (f / "study.yaml").unlink(), ["no such study file", "study.yaml"]),
    "missing file": (lambda f: (f / "rows.jsonl").unlink(), ["no such file", "rows.jsonl"]),
    "empty file": (content("rows.jsonl", ""), ["empty", "rows.jsonl"]),
    "broken line": (
        content("rows.jsonl", lines(ROWS[:2]) + '{"input": "x", \n'),
        ["rows.jsonl", "3"],
    ),
    "binary": (content("rows.jsonl", bytes(range(256)) * 20), ["rows.jsonl"]),
    "lacking fields": (
        content("rows.jsonl", lines([*ROWS, {"input": "only"}, {"input": "these"}])),
        ["target", "2", "21"],
    ),
    "duplicate ids": (
        content("rows.jsonl", lines([{**row, "id": "same"} for row in ROWS])),
        ["duplicate", "same"],
    ),
    "overlap": (
        replace("study.yaml", "train: rows.jsonl", "train: rows.jsonl, test: rows.jsonl"),
        ["share 20 rows", "rows-", "on_overlap"],
    ),
    "not a model": (model_folder, ["model", "config.json"]),
    "hub model": (replace("study.yaml", "'fake:'", "nobody/nothing-7b"), ["nobody/nothing-7b"]),
    "unknown arm": (replace("study.yaml", "few-shot", "few-shots"), ["few-shots", "'few-shot'"]),
    "unknown metric": (replace("study.yaml", "exact", "exakt"), ["exakt", "exact"]),
    "unknown key": (replace("study.yaml", "metric:", "metrics:"), ["task.metrics", "metric"]),
    "no reward": (
        replace("study.yaml", "few-shot", "{best-of-n: {reward: {name: facts}}}"),
        ["best-of-n", "compares with a target", "`schema`"],
    ),
    "cannot stack": (replace("study.yaml", "few-shot", "sft+sft"), ["sft+sft", "twice"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input(
    name: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change, said = WRONG[name]
    change(folder)
    out = tmp_path / "out"
    command = ["whatworks", "run", str(folder / "study.yaml"), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    error = capsys.readouterr().err.strip()
    assert 1 <= len(error.splitlines()) <= 2, error
    for part in said:
        assert part in error, error
    assert not out.exists(), "nothing half-written"


def test_a_right_study_runs_and_reports(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: object
) -> None:
    assert isinstance(monkeypatch, pytest.MonkeyPatch)
    out = tmp_path / "out"
    for command in (["run", str(folder), "--out", str(out)], ["report", str(out)]):
        monkeypatch.setattr(sys, "argv", ["whatworks", *command])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        assert "zero-shot" in capsys.readouterr().out
    assert (out / "report.html").stat().st_size > 1000


def test_report_of_a_folder_without_a_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["whatworks", "report", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "no finished study" in capsys.readouterr().err
