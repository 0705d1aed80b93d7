"""Rounds of further arms on a scripted model: kept, stopped, limited; test opened at their end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from whatworks.app.library.result import run
from whatworks.app.next_step import Limit
from whatworks.base.progress import Silent
from whatworks.studies.study_folder import StudyFolder

Command = Callable[..., tuple[int, str]]
ROWS = 150


def name_town(i: int) -> str:
    return f"Town{i * 7 % 101}ia"


def spell(i: int) -> str:
    return "".join(chr(ord("a") + int(digit)) * 2 for digit in str(i))


def write_study(folder: Path, *, documents: bool = True, found: int = 1, latency: float = 0.0,
                more: str = "", form: bool = False) -> Path:  # fmt: skip
    """A study whose model knows no town, and says it where the page stands in the prompt.

    Args:
        folder: Where.
        documents: Whether the task has the pages.
        found: Of so many rows, the page of one shares no word with its question.
        latency: Seconds of an answer.
        more: Further lines of the study file.
        form: The model says the town in a sentence until it is shown examples.
    """
    folder.mkdir(exist_ok=True)
    answers: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    pages: list[dict[str, str]] = []
    for i in range(ROWS):
        hidden = found > 1 and i % found == 0
        asked = f"keyholder {spell(i * 31)}" if hidden else f"person {spell(i)}"
        question = f"What is home to {asked} (row {spell(i)})?"
        page = f"Person {spell(i)} lives in {name_town(i)}."
        told = name_town(i)
        last = f"(row {spell(i)})"
        if form:
            answers.append({"contains": "(row bbcc)", "last": last, "answer": told})
            answers.append({"last": last, "answer": json.dumps({"x": told})})
        answers.append({"contains": page, "last": last, "answer": told})
        row = {"id": f"r{i}", "question": question, "answer": told, "group": f"g{i}"}
        rows.append({**row, "evidence": [f"d{i}"]} if documents else row)
        pages.append({"id": f"d{i}", "text": page})
    script = {"answers": answers, "default": "Elsewhere", "latency": latency}
    (folder / "script.json").write_text(json.dumps(script))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    study = folder / "study.yaml"
    study.write_text(
        "# Where people live.\n"
        "task:\n"
        "  train: rows.jsonl\n"
        "  metric: facts\n"
        "  columns: {input: question, target: answer}\n"
        + ("  documents: pages.jsonl\n" if documents else "")
        + "  split: {dev: 60, test: 60}\n"
        "model: fake:script.json\n" + more + "arms:\n  - zero-shot   # as it is\n# The end.\n"
    )
    return study


def read_record(text: str) -> dict[str, Any]:
    return json.loads(text[text.index('{"schema"') :])


def test_rounds_are_told_with_what_came_and_test_is_opened_once(
    tmp_path: Path, command: Command
) -> None:
    study, out = write_study(tmp_path / "s"), tmp_path / "run"
    text = study.read_text()
    code, said = command("run", study, "--auto", "--out", out, "--json")
    assert code == 0
    verdict = read_record(said)
    assert verdict["openings"] == 1
    [held] = verdict["predicted"]
    arms = {one["arm"]: one for one in verdict["arms"]}
    assert held["arm"] == "rag" and held["start"] == "zero-shot" and held["within"]
    assert held["came"] == pytest.approx(arms["rag"]["dev"] - arms["zero-shot"]["dev"])
    assert 0 < held["gain"]["low"] <= held["gain"]["value"] <= held["gain"]["high"] <= 1
    assert verdict["foresight"]["tested"] == verdict["foresight"]["within"] == 1
    assert verdict["foresight"]["error"] == pytest.approx(abs(held["came"] - held["gain"]["value"]))
    assert "nothing further is worth trying" in verdict["auto"]
    written = study.read_text()
    assert [one for one in written.splitlines() if one in text.splitlines()] == text.splitlines()
    assert "# proposed: rag" in written
    assert "What was foreseen, and what came" in (out / "report.html").read_text()
    assert "1 came out within the interval" in command("report", out)[1]
    again = read_record(command("run", study, "--auto", "--out", out, "--json")[1])
    [held_again] = again["predicted"]
    assert {**held_again, "took": held["took"]} == held
    assert again["openings"] == 1
    assert study.read_text() == written


def test_without_documents_no_passages_are_proposed(tmp_path: Path, command: Command) -> None:
    study, out = write_study(tmp_path / "s", documents=False), tmp_path / "run"
    text = study.read_text()
    record = read_record(command("next", study, "--out", out, "--json")[1])
    assert record["arms"] == [] and not record["written"]
    assert study.read_text() == text


@pytest.mark.parametrize(
    "limit", [Limit(seconds=0.1), Limit(rounds=1), Limit(rounds=1, seconds=1000.0)]
)
def test_limits_end_the_rounds(tmp_path: Path, limit: Limit) -> None:
    study = write_study(tmp_path / "s", latency=0.01)
    result = run(study, out=tmp_path / "run", auto=limit, watcher=Silent())
    about = result.summary.study
    short = limit.seconds is not None and limit.seconds < 1
    assert ("take more than is left" if short else "1 round is over") in about.auto
    assert about.openings == 1
    assert len(about.predicted) == (0 if short else 1)
    # The same rounds stay ended; others begin where the limit is another one.
    again = run(study, out=tmp_path / "run", auto=limit, watcher=Silent())
    assert again.summary.study.auto == about.auto
    more = run(study, out=tmp_path / "run", auto=Limit(rounds=2), watcher=Silent())
    assert "nothing further" in more.summary.study.auto


@pytest.mark.parametrize("where", ["before the file", "after the file", "at dev"])
def test_stopped_at_any_place_it_decides_the_same(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    whole = write_study(tmp_path / "whole")
    assert command("run", whole, "--auto", "--rounds", "1", "--out", tmp_path / "w")[0] == 0
    study, out = write_study(tmp_path / "cut"), tmp_path / "run"
    words = ("run", study, "--auto", "--rounds", "1", "--out", out)
    with monkeypatch.context() as patch:
        if where == "before the file":
            patch.setattr("whatworks.app.next_step.add_arms", _interrupt)
        elif where == "after the file":
            patch.setattr("whatworks.studies.rounds.Rounds.mark_written", _interrupt)
        else:
            patch.setattr("whatworks.app.next_step.diagnose_study", _interrupt)
        code, said = command(*words)
    assert code == 130 and "goes on from here" in said
    assert StudyFolder(out).openings == 0 and not (out / "results.jsonl").exists()
    kept = StudyFolder(out).rounds.read().rounds
    assert bool(kept) == (where != "at dev")
    assert command(*words)[0] == 0
    ours, theirs = (StudyFolder(one).rounds.read() for one in (out, tmp_path / "w"))
    assert ours.rounds[: len(kept)] == kept
    assert [one.entry for one in ours.rounds[0]] == [one.entry for one in theirs.rounds[0]]
    gains = [[one.prediction.gain for one in own.rounds[0]] for own in (ours, theirs)]
    assert gains[0] == gains[1]
    # One round was asked for: the one that was stopped counts.
    assert len(ours.rounds) == 1
    assert yaml.safe_load(study.read_text())["arms"] == yaml.safe_load(whole.read_text())["arms"]
    assert StudyFolder(out).openings == 1


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_killed_rounds_open_test_only_at_their_end(tmp_path: Path) -> None:
    study, out = write_study(tmp_path / "s", latency=0.02), tmp_path / "run"
    words = [sys.executable, "-m", "whatworks", "run", str(study), "--auto", "--out", str(out)]
    folder, hits = StudyFolder(out), 0
    for kept in (1, 3, 5):  # so many answers and steps in the store
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while child.poll() is None and len(list((out / "store").rglob("*.json"))) < kept:
            time.sleep(0.02)
        hits += child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert not folder.openings or folder.rounds.read().ended
    final = subprocess.run(words, capture_output=True, text=True, check=False)
    assert final.returncode == 0, final.stderr
    assert hits >= 2, "the kills must have hit running rounds"
    assert folder.openings == 1
    assert "rag" in str(yaml.safe_load(study.read_text())["arms"])


def test_rounds_that_cannot_be_read_are_said(tmp_path: Path, command: Command) -> None:
    study, out = write_study(tmp_path / "s"), tmp_path / "run"
    assert command("run", study, "--auto", "--rounds", "1", "--out", out)[0] == 0
    (out / "rounds.json").write_text("{")
    code, said = command("run", study, "--auto", "--rounds", "1", "--out", out)
    assert code == 2
    assert "rounds.json" in said and "remove this file" in said


def test_a_run_knows_its_study_file(tmp_path: Path, command: Command) -> None:
    study, out = write_study(tmp_path / "s"), tmp_path / "run"
    code, said = command("next", tmp_path / "s" / "nothing")
    assert code == 2
    assert command("run", study, "--out", out)[0] == 0
    code, said = command("next", out, "--model", "lab")
    assert code == 2 and "leave --model" in said
    record = read_record(command("next", out, "--json", "--dry-run")[1])
    assert record["study"] == str(study) and record["arms"]
    code, said = command("next", out)
    assert code == 0 and f"next: whatworks run {study} --out {out}" in said
    assert StudyFolder(out).openings == 1
    study.rename(tmp_path / "s" / "moved.yaml")
    code, said = command("next", out)
    assert code == 2 and "not where it was" in said and "--out" in said
