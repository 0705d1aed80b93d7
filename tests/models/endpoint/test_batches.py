"""Requests sent as a batch, to a stand-in that has files and batches."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from job_server import JobServer

from whatworks.analysis.result_rows import Results
from whatworks.app.run_study import run_study
from whatworks.base.errors import ArmFailure, InputError
from whatworks.data.task import Message
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint import api_keys, jobs
from whatworks.models.endpoint.clock import Clock
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.engine import ModelFiles
from whatworks.models.prices import Price

FILES = ModelFiles(base="anything")
PRICES = {"tiny-chat": {"input": 1_000_000, "output": 0, "batch": 0.5}}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(api_keys, "_HOLDERS", {})
    monkeypatch.setattr(jobs, "FIRST_PAUSE", 0.01)
    with JobServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def open_batching(provider: JobServer, folder: Path) -> EndpointEngine:
    return EndpointEngine(
        provider.url, "tiny-chat", cache=folder, prices=PRICES, batch=True, clock=Clock(20),
        retries=0,
    )  # fmt: skip


def prompts(n: int) -> list[list[Message]]:
    return [[Message(role="user", content=f"say n{at}")] for at in range(n)]


def test_answers_of_a_batch(provider: JobServer, tmp_path: Path) -> None:
    engine, told = open_batching(provider, tmp_path), list[str]()
    engine.traffic.tell = told.append
    got = engine.generate(FILES, prompts(9), Decoding())
    assert [one.text for one in got] == [f"n{at}" for at in range(9)]
    [batch] = provider.begun
    assert batch["endpoint"] == "/v1/chat/completions" and batch["completion_window"] == "24h"
    lines = [json.loads(line) for line in provider.files[batch["input_file_id"]].splitlines()]
    assert len(lines) == 8 and sum(provider.asked.values()) == 1  # the first one directly
    assert all(line["body"]["logprobs"] for line in lines)
    assert engine.price == Price(input=500_000, output=0) and engine.spent == 9 * 3.5
    assert any("0 of 8 answered" in line for line in told)
    assert engine.generate(FILES, prompts(9), Decoding()) == got  # all kept
    assert len(provider.begun) == 1 and engine.reused == 9
    engine.close()


def test_a_batch_that_was_begun_is_met_again(provider: JobServer, tmp_path: Path) -> None:
    provider.looks_until_done = 10**9
    engine = open_batching(provider, tmp_path)

    def give_up(line: str) -> None:
        if line.startswith("batch"):
            raise KeyboardInterrupt

    engine.traffic.tell = give_up
    with pytest.raises(KeyboardInterrupt):
        engine.generate(FILES, prompts(9), Decoding())
    engine.close()
    provider.looks_until_done = 0
    engine = open_batching(provider, tmp_path)
    # What was asked directly before is kept, so that the rest is the same batch.
    assert [one.text for one in engine.generate(FILES, prompts(9), Decoding())][8] == "n8"
    assert len(provider.begun) == 1
    engine.close()


def test_what_a_batch_leaves_out_is_asked_directly(provider: JobServer, tmp_path: Path) -> None:
    provider.left_out = {"say n4", "say n7"}
    engine = open_batching(provider, tmp_path)
    got = engine.generate(FILES, prompts(9), Decoding())
    assert [one.text for one in got] == [f"n{at}" for at in range(9)]
    assert set(provider.asked) == {"say n0", "say n4", "say n7"}
    engine.close()


def test_a_batch_that_fails_says_why_and_the_next_is_another(
    provider: JobServer, tmp_path: Path
) -> None:
    provider.fails = "the file has 9 lines too many"
    engine = open_batching(provider, tmp_path)
    with pytest.raises(ArmFailure, match="ended as failed: the file has 9 lines too many"):
        engine.generate(FILES, prompts(9), Decoding())
    provider.fails = ""
    assert len(engine.generate(FILES, prompts(9), Decoding())) == 9 and len(provider.begun) == 2
    engine.close()


def test_a_batch_needs_somewhere_to_keep_answers(provider: JobServer) -> None:
    with pytest.raises(InputError, match="kept answers"):
        EndpointEngine(provider.url, "m", batch=True)


def test_a_study_in_batches(
    provider: JobServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path / "kept"))
    rows = [{"input": f"say n{at * 7919}", "output": f"n{at * 7919}"} for at in range(160)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "study.yaml").write_text(
        "task: {train: rows.jsonl, metric: exact, split: {dev: 20, test: 100}}\nbatch: true\n"
        f"model: {provider.url}#tiny-chat\narms: [zero-shot]\ndecoding: {{max_tokens: 5}}\n"
    )
    run_study(tmp_path / "study.yaml", out=tmp_path / "out")
    got = Results(tmp_path / "out" / "results.jsonl").rows()
    assert sum(row.value for row in got if row.arm == "zero-shot") == 100
    # A split is one batch, whatever the usual size of what is asked together.
    sizes = [len(provider.files[one["input_file_id"]].splitlines()) for one in provider.begun]
    assert sorted(sizes)[-1] == 99 and len(sizes) <= 3
