"""Records and tools for programs: what they say and refuse, and that no test row is in it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from whatworks.app.cli import app
from whatworks.app.programs.tools import Limits, Tools

CANARY = "zyxcanary"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A study of the scripted engine whose test rows carry a canary."""
    for part, n in {"train": 12, "dev": 12, "test": 30}.items():
        mark = CANARY if part == "test" else part
        rows = [
            {"id": f"{mark}{i}", "input": f"{mark} question {i * 37}?", "target": f"{mark}{i % 2}"}
            for i in range(n)
        ]
        (tmp_path / f"{part}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    script = {"answers": [{"contains": "Briefly", "answer": f"{CANARY}1"}], "default": "no"}
    (tmp_path / "script.json").write_text(json.dumps(script))
    (tmp_path / "study.yaml").write_text(
        "task: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl, metric: exact}\n"
        "model: fake:script.json\nseeds: 1\n"
        "arms: [zero-shot, {prompt: {variants: [Briefly]}}]\n"
    )
    return tmp_path


@pytest.fixture
def tools(place: Path) -> Iterator[Tools]:
    found = Tools(place, Limits(usd=1.0, seconds=600.0))
    yield found
    found.close()


def call(tools: Tools, name: str, **words: Any) -> dict[str, Any]:
    ways = {way.__name__: way for way in tools.list_tools()}
    return json.loads(json.dumps(ways[name](**words), allow_nan=False))


def wait(tools: Tools, out: str) -> dict[str, Any]:
    for _ in range(300):
        if (status := call(tools, "status", out=out))["state"] != "running":
            return status
        time.sleep(0.1)
    raise AssertionError("it does not end")


def test_a_study_by_its_tools(tools: Tools, place: Path) -> None:
    said = [call(tools, "check", study="study.yaml")]
    said += [call(tools, "plan", study="study.yaml", out="out")]
    said += [call(tools, "run", study="study.yaml", out="out"), wait(tools, "out")]
    assert said[-1]["state"] == "finished" and set(said[-1]["decided"]) == {"zero-shot", "prompt"}
    said += [call(tools, "verdict", out="out")]
    said += [call(tools, "compare", out="out", first="zero-shot", second="prompt")]
    names = ["check", "plan", "status", "status", "verdict", "compare"]
    assert [one["schema"] for one in said] == [f"whatworks.{name}/1" for name in names]
    assert said[1]["rows"] == {"train": 12, "dev": 12, "test": 30}
    scores = {arm["arm"]: arm["score"] for arm in said[4]["arms"]}
    assert scores == {"zero-shot": 0.0, "prompt": 0.5}
    assert said[5]["difference"] == 0.5 and said[5]["rows"] == 30
    assert [one for one in said if CANARY in json.dumps(one)] == []
    assert CANARY in (place / "out" / "results.jsonl").read_text()  # where it could be seen


def test_limits_and_paths(tools: Tools, place: Path) -> None:
    small = Tools(place, Limits(usd=1.0, seconds=0.0))
    refused = call(small, "run", study="study.yaml", out="small")
    assert refused["schema"] == "whatworks.error/1" and "0 are allowed" in refused["cause"]
    assert not (place / "small" / "results.jsonl").exists()
    outside = call(tools, "check", study="../study.yaml")
    assert "outside" in outside["cause"]
    assert "schema" in call(tools, "verdict", out="nothing")


@pytest.mark.slow
def test_a_run_that_takes_too_long_is_stopped_and_goes_on(place: Path) -> None:
    script = json.loads((place / "script.json").read_text())
    (place / "script.json").write_text(json.dumps({**script, "latency": 0.05}))
    short = Tools(place, Limits(usd=1.0, seconds=600.0))
    short._runs.seconds = 1.5  # the plan passes, and then it takes longer
    call(short, "run", study="study.yaml", out="out")
    assert wait(short, "out")["state"] == "stopped"
    short._runs.seconds = 600.0
    call(short, "run", study="study.yaml", out="out")
    assert wait(short, "out")["state"] == "finished"


def test_init_writes_a_study_that_can_be_checked(tools: Tools, place: Path) -> None:
    words = {"files": ["train.jsonl"], "out": "new.yaml"}
    assert call(tools, "init", **words, model="fake:script.json")["schema"] == "whatworks.init/1"
    assert call(tools, "check", study="new.yaml")["schema"] == "whatworks.check/1"
    assert "already" in call(tools, "init", **words)["cause"]


def test_commands_print_one_object(place: Path) -> None:
    out, runner = str(place / "out"), CliRunner()
    study = str(place / "study.yaml")
    for words, name in (
        (["check", study], "check"),
        (["plan", study, "--out", out], "plan"),
        (["run", study, "--out", out], "verdict"),
        (["report", out], "verdict"),
        (["compare", f"{out}/zero-shot", f"{out}/prompt"], "compare"),
        (["check", "--plugin", "zero-shot"], "check"),
    ):
        done = runner.invoke(app, [*words, "--json"])
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["schema"] == f"whatworks.{name}/1"
        assert CANARY not in done.stdout


def test_the_server_over_its_protocol(place: Path) -> None:
    """A client of the official SDK starts `whatworks mcp` and asks its tools."""
    pytest.importorskip("mcp")
    import asyncio
    import os
    import sys

    from mcp import Client, StdioServerParameters  # pyright: ignore

    words = ["-m", "whatworks", "mcp", "--root", str(place)]

    async def ask() -> Any:
        server = StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))
        async with Client(server) as client:
            listed = await client.list_tools()
            answer = await client.call_tool("check", {"study": "study.yaml"})
            return {tool.name for tool in listed.tools}, answer

    names, answer = asyncio.run(ask())
    assert names == {"init", "check", "plan", "run", "status", "verdict", "compare"}
    assert answer.structured_content["schema"] == "whatworks.check/1"
