"""A run in a pipeline: its gate, its JUnit file, its summary, and the action's own script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from typer.testing import CliRunner

from whatworks.app.cli import app
from whatworks.app.pipeline.conditions import judge_condition, read_condition
from whatworks.base.errors import InputError

ROOT = Path(__file__).parents[3]


def write(place: Path, *, share: int) -> Path:
    """A study whose scripted model is right on ``share`` of 10 rows; one arm of it fails."""
    place.mkdir()
    for part, n in {"train": 10, "dev": 10, "test": 200}.items():
        rows = [
            {"id": f"{part}{i}", "input": f"{part} {i * 37}?", "target": f"{int(i % 10 < share)}"}
            for i in range(n)
        ]
        (place / f"{part}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (place / "script.json").write_text(json.dumps({"default": "1", "fail": "Loudly"}))
    (place / "study.yaml").write_text(
        "task: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl, metric: exact}\n"
        "model: fake:script.json\nseeds: 1\n"
        "arms: [zero-shot, {prompt: {variants: [Loudly, Loudly now]}}]\nname: ones\n"
    )
    return place


def test_conditions() -> None:
    arms = [{"arm": "rag+sft", "score": 0.9, "low": 0.85, "lenient": None}]
    for written, passed in {
        "score>=0.9": True, "score > 0.9": False, "low<0.9": True, "rag+sft.low<=0.85": True,
        "lenient>=0": False, "knn.score>=0": False,
    }.items():  # fmt: skip
        assert judge_condition(read_condition(written), arms, "rag+sft").passed is passed, written
    assert not judge_condition(read_condition("score>=0"), arms, "").passed
    for wrong in ("score", "score==1", "socre>=1", "score>=much"):
        with pytest.raises(InputError):
            read_condition(wrong)


def test_a_run_and_its_gate(tmp_path: Path) -> None:
    runner = CliRunner()
    good, bad = write(tmp_path / "good", share=10), write(tmp_path / "bad", share=7)
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    junit, page = tmp_path / "j.xml", tmp_path / "s.md"
    words = ["run", str(good), "--out", old, "--gate", "low>=0.9", "--junit", str(junit)]
    done = runner.invoke(app, [*words, "--markdown", str(page)])
    assert done.exit_code == 0, done.output
    arms, gate = ElementTree.parse(junit).getroot()
    assert arms.get("errors") == "1" and gate.get("failures") == "0"
    assert {case.get("name") for case in arms.findall("testcase[error]")} == {"prompt"}
    assert "passed" in page.read_text() and "| zero\\-shot |" in page.read_text()

    words = ["run", str(bad), "--out", new, "--gate", "score>=0.9", "--gate", "score>=0.5"]
    done = runner.invoke(app, [*words, "--junit", str(junit), "--baseline-of", old])
    assert done.exit_code == 1
    assert "the gate is shut: score>=0.9: score of zero-shot is 0.7" in done.stderr
    assert "no worse than" in done.stderr and "score>=0.5" not in done.stderr
    _, gate = ElementTree.parse(junit).getroot()
    assert gate.get("tests") == "3" and gate.get("failures") == "2"
    same = runner.invoke(app, ["run", str(good), "--out", old, "--baseline-of", old])
    assert same.exit_code == 0, same.output


def test_what_cannot_be_judged_is_refused_before_it_runs(tmp_path: Path) -> None:
    study = str(write(tmp_path / "study", share=9))
    for words in (["--gate", "much"], ["--baseline-of", "nothing"], ["--no-worse-than", "2"]):
        done = CliRunner().invoke(app, ["run", study, "--out", str(tmp_path / "out"), *words])
        assert isinstance(done.exception, InputError)
        assert not (tmp_path / "out").exists()


def test_the_action_runs_its_study(tmp_path: Path) -> None:
    """The script of action.yml, with the command of this environment."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    script = action["runs"]["steps"][1]["run"]
    names = set(action["runs"]["steps"][1]["env"])
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "whatworks"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m whatworks "$@"\n')
    command.chmod(0o755)
    given = {
        "STUDY": str(write(tmp_path / "study", share=7)),
        "OUT": str(tmp_path / "out"),
        "GATE": "score>=0.5\n\nlow>=0.9\n",
        "BASELINE_OF": "",
        "NO_WORSE_THAN": "0.02",
    }
    assert set(given) == names
    page = tmp_path / "page.md"
    env = {**os.environ, **given, "GITHUB_STEP_SUMMARY": str(page)}
    env["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{env['PATH']}"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], env=env, capture_output=True, text=True
    )
    assert done.returncode == 1 and "low>=0.9" in done.stderr, done.stderr
    assert "**not passed**" in page.read_text() and (tmp_path / "out.xml").is_file()
