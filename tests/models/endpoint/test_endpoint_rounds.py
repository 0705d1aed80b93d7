"""Rounds of further arms on a server: nothing that trains is proposed, and money is kept to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from endpoint_server import Handler, Server, answer

from whatworks.analysis.figures import StudyInfo
from whatworks.app.next_step import Limit, run_rounds
from whatworks.base.progress import Silent

PRICES = "{tiny-chat: {input: 1000, output: 1000}}"  # a cent for an answer


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path / "kept"))


def spell(i: int) -> str:
    return "".join(chr(ord("a") + int(digit)) * 2 for digit in str(i))


def write_study(folder: Path, server: Server) -> Path:
    """Towns that the model says where their page stands in the prompt."""
    rows = [
        {"id": f"r{i}", "question": f"Where does person {spell(i)} live?", "group": f"g{i}",
         "answer": f"Town{spell(i * 7)}", "evidence": [f"d{i}"]}
        for i in range(100)
    ]  # fmt: skip
    pages = [
        {"id": f"d{i}", "text": f"Person {spell(i)} lives in {row['answer']}."}
        for i, row in enumerate(rows)
    ]
    for name, lines in (("rows", rows), ("pages", pages)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (folder / "study.yaml").write_text(
        "task:\n  train: rows.jsonl\n  documents: pages.jsonl\n  metric: facts\n"
        "  columns: {input: question, target: answer}\n  split: {dev: 40, test: 50}\n"
        f"model: {server.url}#tiny-chat\narms: [zero-shot]\nprices: {PRICES}\n"
    )
    return folder / "study.yaml"


def reply(handler: Handler, prompt: str, before: int) -> bool:
    del before
    asked = re.findall(r"Where does person (\w+) live", prompt)
    told = re.findall(rf"Person {asked[-1]} lives in (\w+)", prompt) if asked else []
    return handler.reply(200, answer(told[0] if told else "Elsewhere"))


def run(path: Path, limit: Limit) -> StudyInfo:
    summary, _ = run_rounds(path, limit, out=path.parent / "out", watcher=Silent())
    return summary.study


def test_a_server_is_given_passages_and_no_training(server: Server, tmp_path: Path) -> None:
    server.misbehave = reply
    path = write_study(tmp_path, server)
    about = run(path, Limit(rounds=2))
    arms = yaml.safe_load(path.read_text())["arms"]
    assert "rag" in str(arms[1]) and "sft" not in str(arms)
    assert about.openings == 1
    held = about.predicted[0]
    assert held.within and held.prediction.usd == pytest.approx(0.9, rel=0.1)


def test_an_arm_that_costs_more_than_is_left_is_not_added(server: Server, tmp_path: Path) -> None:
    server.misbehave = reply
    path = write_study(tmp_path, server)
    about = run(path, Limit(usd=1.0))  # dev of the first arm and the diagnosis are paid from it
    assert "more than is left" in about.auto
    assert yaml.safe_load(path.read_text())["arms"] == ["zero-shot"]
    assert about.openings == 1 and not about.predicted
