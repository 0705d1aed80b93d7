"""An export is asked again before it is handed out."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from whatworks.app.cli import main
from whatworks.app.export import export as exporting
from whatworks.app.export.parity import MARK, Parity
from whatworks.app.serve.served import open_served
from whatworks.base.errors import InputError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning"),
]


def run_command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["whatworks", "export", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_answers_are_compared_and_told(
    lanes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "export"
    assert run_command(monkeypatch, str(lanes), "rag+sft", "--out", str(out), "--merge") == 0
    assert re.search(r"asking again: \d+ of 12", capsys.readouterr().err)
    parity = Parity.model_validate(json.loads((out / "export.json").read_text())["parity"])
    assert (parity.rows, parity.same, parity.prompts, parity.error) == (12, 12, 12, "")
    assert parity.recorded == parity.again > 0
    assert "12 of 12 recorded answers were given again" in (out / "README.md").read_text()
    assert not (out / MARK).exists() and not (out / ".check").exists()


def test_what_answers_worse_is_marked(
    lanes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = exporting.write_ask_files

    def spoil(candidate: object, layout: object, out: Path) -> None:
        write(candidate, layout, out)  # type: ignore[arg-type]
        spec = json.loads((out / "ask.json").read_text())
        spec["prompt"]["passages"]["texts"] = ["nothing"] * 57
        (out / "ask.json").write_text(json.dumps(spec))

    monkeypatch.setattr(exporting, "write_ask_files", spoil)
    out = tmp_path / "export"
    assert run_command(monkeypatch, str(lanes), "rag+sft", "--out", str(out)) == 1
    said = capsys.readouterr().err
    assert "is not as measured" in said and "points worse" in said
    assert "score" in (out / MARK).read_text()
    assert "**Not as measured**" in (out / "README.md").read_text()
    wide = tmp_path / "wide"
    assert run_command(monkeypatch, str(lanes), "rag+sft", "--out", str(wide), "--margin", "100",
                       "--check-rows", "4") == 0  # fmt: skip
    assert json.loads((wide / "export.json").read_text())["parity"]["rows"] == 4


def test_what_cannot_be_asked_is_marked_and_no_check_says_so(
    lanes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "write_ask_files", lambda *_: None)
    out = tmp_path / "export"
    assert run_command(monkeypatch, str(lanes), "few-shot", "--out", str(out)) == 1
    assert "asking again failed" in (out / MARK).read_text()
    bare = tmp_path / "bare"
    assert run_command(monkeypatch, str(lanes), "few-shot", "--out", str(bare), "--no-check") == 0
    assert "not asked again (`--no-check`" in (bare / "README.md").read_text()
    with pytest.raises(InputError, match="an export is one arm"):
        open_served(str(bare), arm="few-shot")
