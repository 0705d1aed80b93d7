"""`whatworks import`: from a log to rows that a study runs on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from log_samples import LANGSMITH_ROOT, REPLY, TURNS, assembled

from whatworks.app.cli import main
from whatworks.app.run_study import run_study
from whatworks.data import read

Save = Callable[..., Path]


def call(monkeypatch: pytest.MonkeyPatch, *words: str | Path | int) -> int:
    monkeypatch.setattr(sys, "argv", ["whatworks", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    code = end.value.code
    return code if isinstance(code, int) else 0


def asked(number: int) -> dict[str, str]:
    return {"role": "user", "content": f"{number} plus {number * 37}?"}


def test_a_log_becomes_the_train_file_of_a_study(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = [
        {"messages": [TURNS[0], asked(i), {"role": "assistant", "content": f"{i * 38}"}],
         "score": i % 2}
        for i in range(40)
    ]  # fmt: skip
    calls.append({"messages": [{"role": "user", "content": assembled("sk-", "a1B2" * 8)}, REPLY]})
    out = tmp_path / "rows.jsonl"
    log = save("calls.jsonl", calls)
    assert (
        call(monkeypatch, "import", log, "--out", out, "--min-score", 1, "--strip", "system") == 0
    )
    said = capsys.readouterr().out
    assert "recognised: openai-events" in said
    assert "1 calls seem to hold secrets: dropped; API key (1)" in said
    assert "20 calls have no feedback of 1 or better: dropped" in said
    assert "20 system messages were left out" in said
    assert "kept: 20 calls, in meta: score of 20" in said

    data = read(out)
    assert [e.target for e in data.examples] == [f"{i * 38}" for i in range(1, 40, 2)]
    assert all([m.role for m in e.messages] == ["user"] for e in data.examples)
    save("study.yaml", "task: {train: rows.jsonl, metric: exact}\nmodel: 'fake:'\narms: [few-shot]")
    summary, _ = run_study(tmp_path / "study.yaml", out=tmp_path / "run")
    assert sum(summary.study.counts.values()) == 20


def test_nothing_is_overwritten_unless_told(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log, out = save("log.json", LANGSMITH_ROOT), save("out.jsonl", "mine")
    assert call(monkeypatch, "import", log, "--out", out) == 2
    assert "there already" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert call(monkeypatch, "import", log, "--out", out, "--force", "--to", "openai") == 0
    assert read(out).format == "openai"
    assert call(monkeypatch, "import", tmp_path / "none", "--out", tmp_path / "x") == 2
    assert not (tmp_path / "x").exists()
