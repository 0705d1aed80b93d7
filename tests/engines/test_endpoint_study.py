"""A study on a server: what it costs, and that a limit in money holds for all of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_endpoint_server import Server

from whatworks.main_job import run_study

DEAR = "{tiny-chat: {input: 1000000, output: 1000000}}"  # a dollar per token, 10 per answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path / "kept"))
    monkeypatch.delenv("WHATWORKS_PRICES", raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def study(folder: Path, server: Server, more: str) -> Path:
    rows = [{"input": f"say n{i * 7919}", "output": f"n{i * 7919}"} for i in range(12)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = folder / "study.yaml"
    path.write_text(
        "task: {train: rows.jsonl, metric: exact, split: {dev: 3, test: 4}}\n"
        f"model: {server.url}#tiny-chat\narms: [zero-shot]\ndecoding: {{max_tokens: 5}}\n{more}\n"
    )
    return path


def test_what_an_arm_cost_stands_in_the_report(server: Server, tmp_path: Path) -> None:
    run_study(study(tmp_path, server, f"prices: {DEAR}"), out=tmp_path / "out")
    [arm] = json.loads((tmp_path / "out" / "summary.json").read_text())["arms"]
    assert arm["usd"] == 70.0 and sum(server.paid.values()) == 7
    assert "$70 a seed" in (tmp_path / "out" / "report.html").read_text()
    # Run again, it adds up to the same and nothing is paid.
    run_study(study(tmp_path, server, f"prices: {DEAR}"), out=tmp_path / "out")
    [arm] = json.loads((tmp_path / "out" / "summary.json").read_text())["arms"]
    assert arm["usd"] == 70.0 and sum(server.paid.values()) == 7


@pytest.mark.parametrize(("limit", "answers"), [(5, 0), (45, 4), (200, 7)])
def test_a_limit_in_money_holds_before_a_request_leaves(
    server: Server, tmp_path: Path, limit: int, answers: int
) -> None:
    more = f"prices: {DEAR}\nbudget: {{usd: {limit}}}"
    run_study(study(tmp_path, server, more), out=tmp_path / "out")
    assert sum(server.paid.values()) == answers and answers * 10 <= limit
    rows = (tmp_path / "out" / "results.jsonl").read_text()
    assert ("budget of" in rows) == (answers < 7)


def test_a_limit_in_money_needs_a_price(server: Server, tmp_path: Path) -> None:
    run_study(study(tmp_path, server, "budget: {usd: 5}"), out=tmp_path / "out")
    assert not server.asked
    assert "needs the model's price" in (tmp_path / "out" / "results.jsonl").read_text()
