"""A study on a server: what it costs, and that a limit in money holds for all of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from endpoint_server import Handler, Server

from whatworks.analysis.result_rows import Results
from whatworks.app.cli import main
from whatworks.app.run_study import run_study

DEAR = "{tiny-chat: {input: 1000000, output: 1000000}}"  # a dollar per token, 10 per answer


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHATWORKS_CACHE", str(tmp_path / "kept"))


REFUSALS = {
    "wrong key": (401, "bad key", ["wrong key (no key was sent", "set WHATWORKS_API_KEY"]),
    "no model": (404, "no such model", ["model not found: tiny-chat at http", "lists this model"]),
    "too long": (
        400,
        "maximum context length is 100 tokens. However, you requested 130 tokens",
        ["prompt 0 (", "longer than the model's context by 30 tokens", "fewer or shorter"],
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_helper_that_refuses_fails_the_arm_that_asks_it_alone(
    server: Server,
    tmp_path: Path,
    refusal: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("WHATWORKS_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    status, words, said = REFUSALS[refusal]
    body = json.dumps({"error": {"message": words}}).encode()
    server.misbehave = lambda handler, *_: handler.reply(status, body)
    path = study(tmp_path, server, f"helper: {server.url}#tiny-chat")
    text = path.read_text().replace(f"model: {server.url}#tiny-chat", "model: 'fake:'")
    path.write_text(text.replace("[zero-shot]", "[zero-shot, prompt-search]"))
    monkeypatch.setattr(
        sys, "argv", ["whatworks", "run", str(path), "--out", str(tmp_path / "out")]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    shown = capsys.readouterr()
    for part in said:
        assert " ".join(part.split()) in " ".join((shown.out + shown.err).split())
    rows = Results(tmp_path / "out" / "results.jsonl").rows()
    assert {row.arm for row in rows if row.status == "failed"} == {"prompt-search"}
    assert sum(row.arm == "zero-shot" for row in rows) == 4


def study(folder: Path, server: Server, more: str, *, rows: int = 12) -> Path:
    numbers = [i * 7919 for i in range(rows)]
    made = [{"input": f"say n{number}", "output": f"n{number}"} for number in numbers]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, made)))
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


def test_what_was_answered_before_a_refusal_is_paid_for(server: Server, tmp_path: Path) -> None:
    """A setting that fails has taken money; what is left decides whether another one is tried."""
    path = study(tmp_path, server, f"prices: {DEAR}\nbudget: {{usd: 400}}", rows=50)
    search = "[{arm: knn, knn: {embedder: lexical, search: {k: [1, 2, 3, 4, 5, 6]}}}]"
    text = path.read_text().replace("[zero-shot]", search).replace("dev: 3", "dev: 30")
    path.write_text(text)
    words = json.dumps({"error": {"message": "no", "code": "context_length_exceeded"}}).encode()

    def refuse_the_rest(handler: Handler, prompt: str, _: int) -> bool:
        return len(server.paid) >= 25 and prompt not in server.paid and handler.reply(400, words)

    server.misbehave = refuse_the_rest
    run_study(path, out=tmp_path / "out")
    [arm] = json.loads((tmp_path / "out" / "summary.json").read_text())["arms"]
    assert "longer than the model's context" in (tmp_path / "out" / "results.jsonl").read_text()
    assert 250 <= sum(server.paid.values()) * 10 == arm["usd"] <= 400
    assert f"${arm['usd']:.3g} a seed" in (tmp_path / "out" / "report.html").read_text()


def test_a_limit_in_money_needs_a_price(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("genai_prices")
    path = study(tmp_path, server, "budget: {usd: 5}")
    path.write_text(path.read_text().replace(server.url, "http://elsewhere.example/v1"))
    run_study(path, out=tmp_path / "out")
    assert not server.asked
    assert "needs the model's price" in (tmp_path / "out" / "results.jsonl").read_text()
