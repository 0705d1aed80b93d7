"""`sft` and `dpo` arms of a served model, trained by a stand-in that has fine-tuning jobs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from endpoint_server import Handler, answer
from job_server import JobServer

from whatworks.analysis.result_rows import Results
from whatworks.app.run_study import run_study
from whatworks.base.progress import Silent
from whatworks.models.endpoint import api_keys, jobs
from whatworks.studies.open_study import open_study
from whatworks.studies.plan import make_plan

PRICES = "prices: {tiny-chat: {input: 0, output: 0, training: 1000}}"  # $1 for 1000 tokens


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[JobServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr(api_keys, "_HOLDERS", {})
    monkeypatch.setattr(jobs, "FIRST_PAUSE", 0.01)
    with JobServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()

        def respond(handler: Handler, prompt: str, _: int) -> bool:
            """A tuned model answers right, the checkpoint at step 4 above all; others do not."""
            name = running.bodies[-1]["model"]
            right = prompt.split()[-1]
            said = right if name.endswith("step-4") else f"{right}?" if "ft:" in name else "no"
            return handler.reply(200, answer(said))

        running.misbehave = respond
        yield running
        running.shutdown()
        thread.join()


def write_study(folder: Path, provider: JobServer, arm: str, more: str = PRICES) -> Path:
    rows = [{"input": f"say n{at * 7919}", "output": f"n{at * 7919}"} for at in range(20)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pairs = [{"prompt": f"say n{at}", "chosen": f"n{at}", "rejected": "no"} for at in range(8)]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    path = folder / "study.yaml"
    path.write_text(
        "task: {train: rows.jsonl, metric: exact, preferences: pairs.jsonl, "
        "split: {dev: 4, test: 6}}\nseeds: 1\n"
        f"model: {provider.url}#tiny-chat\narms: [zero-shot, {arm}]\n"
        f"decoding: {{max_tokens: 5}}\n{more}\n"
    )
    return path


def read_rows(folder: Path, arm: str) -> list[Any]:
    return [row for row in Results(folder / "results.jsonl").rows() if row.arm == arm]


def test_sft_at_a_provider(provider: JobServer, tmp_path: Path) -> None:
    path = write_study(tmp_path, provider, "sft")
    run_study(path, out=tmp_path / "out")
    [begun] = provider.begun
    assert begun["model"] == "tiny-chat" and begun["method"] == {
        "type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}
    }  # fmt: skip
    lines = [json.loads(line) for line in provider.files[begun["training_file"]].splitlines()]
    assert len(lines) == 10 and [turn["role"] for turn in lines[0]["messages"]][-1] == "assistant"
    said = lines[0]["messages"]
    assert said[-2]["content"].split()[-1] == said[-1]["content"]
    # Dev chose among the checkpoints, by their answers.
    assert [row.value for row in read_rows(tmp_path / "out", "sft")] == [1.0] * 6
    assert [row.value for row in read_rows(tmp_path / "out", "zero-shot")] == [0.0] * 6
    assert {body["model"] for body in provider.bodies} == {
        "tiny-chat", "ft:tiny-chat:me::x", "ft:tiny-chat:me::x:ckpt-step-2",
        "ft:tiny-chat:me::x:ckpt-step-4",
    }  # fmt: skip
    arms = json.loads((tmp_path / "out" / "summary.json").read_text())["arms"]
    costs = {arm["name"]: arm["usd"] for arm in arms}
    assert costs["sft"] == pytest.approx(1.0)  # the 1000 tokens that the provider trained on
    # Run again, nothing is trained and nothing asked.
    asked = len(provider.bodies)
    run_study(path, out=tmp_path / "out")
    assert len(provider.begun) == 1 and len(provider.bodies) == asked


def test_dpo_at_a_provider(provider: JobServer, tmp_path: Path) -> None:
    run_study(write_study(tmp_path, provider, "dpo"), out=tmp_path / "out")
    [begun] = provider.begun
    assert begun["method"] == {
        "type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 3, "beta": 0.1}}
    }  # fmt: skip
    line = json.loads(provider.files[begun["training_file"]].splitlines()[0])
    asked = line["input"]["messages"][-1]
    assert asked["role"] == "user"
    preferred = asked["content"].split()[-1]
    assert line["preferred_output"] == [{"role": "assistant", "content": preferred}]
    assert line["non_preferred_output"] == [{"role": "assistant", "content": "no"}]


REFUSED = {
    "{sft: {rank: 8}}": "takes no `rank: 8`",
    "{sft: {kind: full}}": "takes no `kind: full`",
    "{sft: {learning_rate: 0.001}}": "takes no `learning_rate: 0.001`",
    "{dpo: {loss: ipo}}": "takes no `loss: ipo`",
    "soft-prompt": "by sft and dpo alone",
    "rl": "by sft and dpo alone",
}


@pytest.mark.parametrize("arm", REFUSED)
def test_what_a_provider_does_not_offer_fails_the_arm(
    provider: JobServer, tmp_path: Path, arm: str
) -> None:
    run_study(write_study(tmp_path, provider, arm), out=tmp_path / "out")
    name = arm.strip("{}").partition(":")[0]
    assert {row.cause for row in read_rows(tmp_path / "out", name) if REFUSED[arm] in row.cause}
    assert not provider.begun


BUDGETS = {
    "budget: {usd: 0.01}": (PRICES, "training on some"),
    "budget: {usd: 5}": ("prices: {tiny-chat: {input: 0, output: 0}}", "price of training"),
}


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_training_is_budgeted_before_it_starts(
    provider: JobServer, tmp_path: Path, budget: str
) -> None:
    prices, cause = BUDGETS[budget]
    run_study(write_study(tmp_path, provider, "sft", f"{prices}\n{budget}"), out=tmp_path / "out")
    assert cause in (tmp_path / "out" / "results.jsonl").read_text()
    assert not provider.begun and not provider.files


def test_a_job_that_failed_says_why_and_is_begun_again(provider: JobServer, tmp_path: Path) -> None:
    provider.fails = "line 3 has no answer"
    path = write_study(tmp_path, provider, "sft")
    run_study(path, out=tmp_path / "out")
    [row] = {row.cause for row in read_rows(tmp_path / "out", "sft")}
    assert "ended as failed: line 3 has no answer" in row
    provider.fails = ""
    run_study(path, out=tmp_path / "out")
    assert len(provider.begun) == 2
    assert [row.value for row in read_rows(tmp_path / "out", "sft")][-6:] == [1.0] * 6


def test_a_plan_says_what_a_training_there_will_cost(provider: JobServer, tmp_path: Path) -> None:
    opened = open_study(write_study(tmp_path, provider, "sft"), out=tmp_path / "out")
    planned = {arm.name: arm for arm in make_plan(opened.study(), Silent()).arms}
    opened.close()
    assert not planned["sft"].failure and not provider.begun
    tokens = planned["sft"].training_tokens
    assert tokens > 3 * 10 * 3 and planned["sft"].usd == pytest.approx(tokens / 1000)
    assert planned["zero-shot"].usd == 0
