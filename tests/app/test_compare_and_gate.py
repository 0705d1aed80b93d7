"""`whatworks compare` and `whatworks gate` on finished studies of the scripted engine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whatworks.app.cli import main
from whatworks.app.run_study import run_study

STUDY = """
name: towns
task: {train: rows.jsonl, dev: dev.jsonl, test: test.jsonl, metric: exact, documents: docs.jsonl}
model: fake:script.json
arms:
- zero-shot
- {rag: {k: 2, search: lexical}}
seeds: 1
"""


class Quiet:
    def start(self, name: str, total: int) -> None: ...
    def advance(self, name: str, n: int = 1, note: str = "") -> None: ...
    def done(self, name: str, note: str = "") -> None: ...
    def say(self, text: str) -> None: ...


def make(place: Path, *, chance: float = 0.3, test: int = 160, metric: str = "exact") -> Path:
    """A study that has run; with a passage the model is right, without one by ``chance``."""
    place.mkdir()
    parts = {"rows": range(40), "dev": range(40, 70), "test": range(70, 70 + test)}
    towns = {i: f"Town{i * 7 % 13}" for part in parts.values() for i in part}
    for name, numbers in parts.items():
        rows = [
            {"id": f"r{i}", "input": f"Where does person {i} live?", "target": towns[i]}
            for i in numbers
        ]
        (place / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    docs = [{"id": f"d{i}", "text": f"Person {i} lives in {town}."} for i, town in towns.items()]
    (place / "docs.jsonl").write_text("\n".join(map(json.dumps, docs)))
    answers: list[dict[str, Any]] = [
        {"contains": f"Person {i} lives in {town}.", "last": f"person {i} live", "answer": town}
        for i, town in towns.items()
    ]
    answers += [
        {"last": f"person {i} live", "answer": town, "chance": chance} for i, town in towns.items()
    ]
    (place / "script.json").write_text(json.dumps({"answers": answers, "default": "Nowhere"}))
    (place / "study.yaml").write_text(STUDY.replace("metric: exact", f"metric: {metric}"))
    out = place / "out"
    run_study(place / "study.yaml", out=out, watcher=Quiet())
    return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("runs")
    return {
        "old": make(root / "old"),
        "worse": make(root / "worse", chance=0.05),
        "short": make(root / "short", test=150),
    }


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def call(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["whatworks", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


def test_two_runs_arm_by_arm(runs: dict[str, Path], command: Any) -> None:
    code, out, _ = command("compare", runs["old"], runs["worse"])
    assert code == 0
    assert "160 rows that both have" in out
    lines = {line.split()[0]: line for line in out.splitlines() if line.startswith("  ")}
    assert "worse" in lines["zero-shot"] and "−" in lines["zero-shot"]
    assert "100.0% to 100.0%" in lines["rag"] and "0.0 [" in lines["rag"]
    assert "rag is best, and is told from all others; zero-shot is behind, −" in out
    code, out, _ = command("compare", runs["old"] / "zero-shot", runs["old"] / "rag")
    assert code == 0 and "zero-shot to rag" in out and ": better" in out
    code, out, _ = command("compare", runs["old"])
    assert code == 0 and out.startswith(f"in {runs['old']}: rag is best")


def test_rows_that_one_run_lacks_are_left_out_of_a_comparison(
    runs: dict[str, Path], command: Any
) -> None:
    _, out, _ = command("compare", runs["old"], runs["short"])
    assert "150 rows that both have; left out: 10 that the first alone has" in out


def test_the_gate(runs: dict[str, Path], command: Any, tmp_path: Path) -> None:
    old = runs["old"]
    code, out, err = command("gate", runs["worse"], "--against", old, "--no-worse-than", "0.02")
    assert code == 0 and not err and "passed: no worse by 2.0 points or more" in out
    files = ["--json", tmp_path / "g.json", "--markdown", tmp_path / "g.md"]
    code, out, err = command("gate", runs["worse"] / "zero-shot", "--against", old, *files)
    assert code == 3 and len(err.strip().splitlines()) == 1
    assert "the gate is shut: it is worse: −" in err
    record = json.loads((tmp_path / "g.json").read_text())
    assert record["passed"] is False and record["rows"] == 160
    assert record["interval"][0] < record["difference"] < record["interval"][1] < 0
    comment = (tmp_path / "g.md").read_text()
    assert comment.startswith("### whatworks gate: stopped\n") and "| rows missing | 0 |" in comment
    assert "zero\\-shot" in comment


def test_the_gate_is_shut_by_missing_and_failed_rows(
    runs: dict[str, Path], command: Any, tmp_path: Path
) -> None:
    code, _, err = command("gate", runs["short"], "--against", runs["old"], "--no-worse-than", 0.5)
    assert code == 3 and "10 of 160 rows of" in err and "are missing" in err
    code, _, _ = command("gate", runs["old"], "--against", runs["short"], "--no-worse-than", 0.05)
    assert code == 0
    broken = make(tmp_path / "broken")
    rows = (broken / "results.jsonl").read_text().splitlines()
    lost = next(i for i, row in enumerate(rows) if '"rag"' in row and '"r99"' in row)
    (broken / "results.jsonl").write_text("\n".join([*rows[:lost], *rows[lost + 1 :], ""]))
    code, _, err = command("gate", broken, "--against", runs["old"], "--no-worse-than", 0.5)
    assert code == 3 and "1 answers of" in err and "missing or failed" in err


def test_what_cannot_be_compared_is_said(
    runs: dict[str, Path], command: Any, tmp_path: Path
) -> None:
    for words, said in (
        (("gate", runs["old"], "--against", tmp_path / "none"), "no finished study"),
        (("gate", runs["old"], "--against", runs["old"], "--no-worse-than", 0), "no share"),
        (("compare", runs["old"] / "rga", runs["old"]), "no arm 'rga'"),
    ):
        code, _, err = command(*words)
        assert code == 2 and said in err and len(err.strip().splitlines()) <= 2
    contains = make(tmp_path / "contains", metric="contains")
    code, _, err = command("gate", contains, "--against", runs["old"])
    assert code == 2 and "scored in different ways: exact (strict) and contains (strict)" in err


def test_an_arm_that_was_not_opened_on_test_is_named(
    runs: dict[str, Path], command: Any, tmp_path: Path
) -> None:
    raced = make(tmp_path / "raced")
    rows = (raced / "results.jsonl").read_text().splitlines()
    kept = [row for row in rows if '"arm": "zero-shot"' not in row]
    (raced / "results.jsonl").write_text("\n".join([*kept, ""]))
    code, out, _ = command("compare", runs["old"], raced)
    assert code == 0 and "  without test rows in one of the runs: zero-shot" in out
    code, _, err = command("gate", raced / "zero-shot", "--against", runs["old"])
    assert code == 3 and "no answered row in common" in err
