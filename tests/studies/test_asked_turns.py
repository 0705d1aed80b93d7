"""Conversations that are asked turn by turn: chats, chats with tools, BFCL's questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from whatworks.app.run_study import run_study
from whatworks.base.errors import InputError
from whatworks.data import read
from whatworks.data.task import MetricSpec
from whatworks.metrics.registry import load
from whatworks.studies.first_files import sort_files
from whatworks.studies.first_metric import guess_metric
from whatworks.studies.first_study_file import render_study
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

TOOL = {"name": "find_trade", "description": "The trade of a town.",
        "parameters": {"type": "dict", "properties": {"town": {"type": "string"},
                                                      "year": {"type": "integer"}}}}  # fmt: skip
N = 40


def call(town: str, year: int) -> dict[str, Any]:
    arguments = json.dumps({"town": town, "year": year})
    return {"id": "1", "type": "function",
            "function": {"name": "find_trade", "arguments": arguments}}  # fmt: skip


def tool_chat(i: int) -> dict[str, Any]:
    """A talk that calls a tool twice and then says what it found."""
    turns = [
        {"role": "user", "content": f"What is the trade of Arholm-{i}?"},
        {"role": "assistant", "content": None, "tool_calls": [call(f"Arholm-{i}", 1200 + i)]},
        {"role": "tool", "content": "weaving", "tool_call_id": "1"},
        {"role": "assistant", "content": f"In {1200 + i} it was weaving."},
        {"role": "user", "content": "And ten years later?"},
        {"role": "assistant", "content": None, "tool_calls": [call(f"Arholm-{i}", 1210 + i)]},
        {"role": "tool", "content": "milling", "tool_call_id": "1"},
        {"role": "assistant", "content": "Milling."},
    ]
    return {"id": f"talk-{i}", "messages": turns, "tools": [{"type": "function", "function": TOOL}]}


def write_chats(folder: Path, metric: str, turns: str) -> Path:
    rows = "\n".join(json.dumps(tool_chat(i)) for i in range(N))
    (folder / "chats.jsonl").write_text(rows, encoding="utf-8")
    path = folder / "study.yaml"
    path.write_text(
        f"task: {{train: chats.jsonl, metric: {metric}, turns: {turns}}}\n"
        "model: 'fake:'\narms: [zero-shot]\n"
    )
    return path


def test_each_call_of_a_chat_is_asked_with_what_came_before(tmp_path: Path):
    path = write_chats(tmp_path, "tool_call", "asked")
    task = read_task(read_study(path), tmp_path)
    for part in ("dev", "test"):
        rows = getattr(task.splits, part)
        assert len(rows) == 2 * len({row.group for row in rows})
        assert f"{part}: {len(rows)} turns call no tool and are not asked" in task.notes
    first, second = task.splits.test[:2]
    assert (first.id, second.id) == (f"{first.group}-t1", f"{first.group}-t3")
    assert [m.role for m in first.messages] == ["user"]
    assert [m.role for m in second.messages] == ["user", "assistant", "tool", "assistant", "user"]
    metric = load(task.metric)
    assert metric(first, first.target).value == 1.0
    assert metric(second, first.target).value == 0.0
    # train learns from every answer
    assert len(task.splits.train) == 4 * len({row.group for row in task.splits.train})


def test_every_answer_of_a_chat_without_tools(tmp_path: Path):
    path = write_chats(tmp_path, "normalised", "asked")
    task = read_task(read_study(path), tmp_path)
    assert len(task.splits.test) == 4 * len({row.group for row in task.splits.test})
    path = write_chats(tmp_path, "normalised", "every")
    task = read_task(read_study(path), tmp_path)
    assert len(task.splits.test) == len({row.id for row in task.splits.test})
    assert all(row.target == "Milling." for row in task.splits.test)


def test_such_a_study_runs(tmp_path: Path):
    outcome = run_study(write_chats(tmp_path, "tool_call", "asked"), out=tmp_path / "out")
    assert outcome is not None
    asked = list((tmp_path / "out").rglob("results*.jsonl"))
    rows = [json.loads(line) for file in asked for line in file.read_text().splitlines()]
    assert {name.rsplit("-", 1)[1] for row in rows if (name := str(row["example"]))} == {"t1", "t3"}


def test_no_call_at_all_is_said(tmp_path: Path):
    path = write_chats(tmp_path, "tool_call", "asked")
    rows = [{"messages": [{"role": "user", "content": f"Hm {i}?"},
                          {"role": "assistant", "content": f"So {i}."}]}
            for i in range(N)]  # fmt: skip
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(InputError, match="no turn of dev calls a tool"):
        read_task(read_study(path), tmp_path)


def test_init_says_how_calls_within_are_scored(tmp_path: Path):
    write_chats(tmp_path, "exact", "last")
    files = sort_files([tmp_path / "chats.jsonl"])
    text = render_study(files, guess_metric(files), tmp_path, "lab")
    assert "`metric: tool_call` with `turns: asked`" in text
    text = render_study(files, guess_metric(files, "tool_call"), tmp_path, "lab")
    assert "\n  turns: asked " in text


def write_bfcl(folder: Path, *, documented: bool, unnamed: bool = False) -> Path:
    name = "BFCL_v3_multi_turn_base.json"
    rows = [
        {"id": f"multi_{i}", "initial_config": {}, "path": ["TradeAPI.find_trade"],
         "involved_classes": ["TradeAPI"],
         "question": [[{"role": "user", "content": f"The trade of Arholm-{i}?"}],
                      [{"role": "user", "content": "Hm, wait."}],
                      [{"role": "user", "content": "And of Belholm?"}]]}
        for i in range(N)
    ]  # fmt: skip
    first = "find_trade('Arholm-{0}', year=12{0:02})" if unnamed else (
        "find_trade(town='Arholm-{0}', year=12{0:02})"
    )  # fmt: skip
    answers = [
        {"id": f"multi_{i}", "ground_truth": [
            [first.format(i)], [], ["find_trade(town='Belholm')", "find_trade(town='Cholm')"]]}
        for i in range(N)
    ]  # fmt: skip
    for file, lines in (((folder / name), rows), (folder / "possible_answer" / name, answers)):
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    if documented:
        file = folder / "multi_turn_func_doc" / "trade_api.json"
        file.parent.mkdir()
        file.write_text(json.dumps(TOOL), encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("unnamed", [False, True])
def test_bfcl_conversations_are_read_with_their_functions(tmp_path: Path, unnamed: bool):
    path = write_bfcl(tmp_path, documented=True, unnamed=unnamed)
    row = read(path).examples[3]
    assert [m.role for m in row.messages] == ["user", "assistant", "user"]
    assert row.messages[2].content == "Hm, wait.\nAnd of Belholm?"
    assert json.loads(row.messages[1].content) == [
        {"name": "find_trade", "arguments": {"town": "Arholm-3", "year": 1203}}
    ]
    assert len(json.loads(row.target)) == 2 and row.meta["tools"] == [TOOL]

    files = sort_files([path, path.parent / "possible_answer" / path.name])
    guess = guess_metric(files)
    assert guess.metric.name == "tool_call"
    study = tmp_path / "study.yaml"
    study.write_text(render_study(files, guess, tmp_path, "lab"))
    assert "turns: asked" in study.read_text()
    task = read_task(read_study(study), tmp_path)
    assert len(task.splits.test) == 2 * len({one.group for one in task.splits.test})
    metric = load(task.metric)
    assert all(metric(one, one.target).value == 1.0 for one in task.splits.test)


def test_bfcl_without_descriptions_says_what_is_missing(tmp_path: Path):
    data = read(write_bfcl(tmp_path, documented=False))
    assert len(data.examples) == N
    assert any("multi_turn_func_doc" in note for note in data.notes)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="no name"):
        read(write_bfcl(tmp_path / "other", documented=False, unnamed=True))


def test_accepted_values_go_with_the_turn_that_they_are_of(tmp_path: Path):
    path = write_bfcl(tmp_path, documented=True)
    answers = [
        {"id": f"multi_{i}", "ground_truth": [
            [{"find_trade": {"town": [f"Arholm-{i}", "A."], "year": [1, ""]}}], [],
            [{"find_trade": {"town": ["Belholm"], "year": [""]}}]]}
        for i in range(N)
    ]  # fmt: skip
    beside = tmp_path / "possible_answer" / path.name
    beside.write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    study = tmp_path / "study.yaml"
    study.write_text(
        f"task: {{train: {path.name}, metric: tool_call, turns: asked}}\n"
        "model: lab\narms: [zero-shot]\n"
    )
    task = read_task(read_study(study), tmp_path)
    metric = load(task.metric)
    first, last = task.splits.test[:2]
    assert metric(first, '{"name": "find_trade", "arguments": {"town": "A."}}').value == 1.0
    assert metric(last, '{"name": "find_trade", "arguments": {"town": "A."}}').value == 0.0
    assert metric(last, '{"name": "find_trade", "arguments": {"town": "Belholm"}}').value == 1.0


def test_bfcl_irrelevance_wants_no_call(tmp_path: Path):
    rows = [
        {"id": f"irrelevance_{i}", "function": [TOOL],
         "question": [[{"role": "user", "content": f"Is it warm in Arholm-{i}?"}]]}
        for i in range(3)
    ]  # fmt: skip
    path = tmp_path / "BFCL_v4_irrelevance.json"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    metric = load(MetricSpec(name="tool_call"))
    for row in read(path).examples:
        assert row.target == "[]" and row.meta["tools"] == [TOOL]
        assert metric(row, "That I cannot say.").value == 1.0
        assert metric(row, '{"name": "find_trade", "arguments": {"town": "A"}}').value == 0.0


def test_runs_of_tau_bench(tmp_path: Path):
    """The shape of its `historical_trajectories`: what failed is left out, each turn is asked."""
    runs = [
        {"task_id": i // 2, "reward": float(i % 4 != 3), "trial": i % 2,
         "info": {"task": {"instruction": "You are Alma."}},
         "traj": [{"role": "system", "content": "You help."}, *tool_chat(i)["messages"],
                  {"role": "user", "content": "###STOP###"}]}
        for i in range(N)
    ]  # fmt: skip
    path = tmp_path / "runs.json"
    path.write_text(json.dumps(runs), encoding="utf-8")
    data = read(path)
    assert data.format == "tau-bench" and len(data.examples) == N - N // 4
    assert {row.meta["reward"] for row in data.examples} == {1.0}
    assert len({row.group for row in data.examples}) == N // 2
    assert any("column `tools`" in note for note in data.notes)
    path.write_text(json.dumps([{**run, "tools": [TOOL]} for run in runs]), encoding="utf-8")
    data = read(path)
    assert not any("column `tools`" in note for note in data.notes)
    assert [m.role for m in data.examples[0].messages[:3]] == ["system", "user", "assistant"]
    (tmp_path / "study.yaml").write_text(
        "task: {train: runs.json, metric: tool_call, turns: asked}\nmodel: lab\narms: [zero-shot]\n"
    )
    task = read_task(read_study(tmp_path / "study.yaml"), tmp_path)
    metric = load(task.metric)
    assert all(metric(row, row.target).value == 1.0 for row in task.splits.test)
    groups = [{row.group for row in part} for part in (task.splits.train, task.splits.test)]
    assert not groups[0] & groups[1], "trials of one task in two splits"
