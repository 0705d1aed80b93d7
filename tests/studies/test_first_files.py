"""`whatworks init` on public shapes and on tables with names of their own."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from public_shapes import SHAPES, TOWNS, TRADES, N, ask, lines, table

from whatworks.data import read
from whatworks.data.raw_row import find_split
from whatworks.data.task import Task
from whatworks.metrics.registry import find_refused, load_task_metric
from whatworks.studies.first_columns import propose
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

Command = Callable[..., tuple[int, str]]


def begin(command: Command, folder: Path, *words: Any) -> tuple[str, str, Task]:
    """Runs ``init``: what it printed, the study's text, and its task."""
    out = folder / "study.yaml"
    code, said = command("init", *words, "--out", out)
    assert code == 0, said
    return said, out.read_text(), read_task(read_study(out), folder)


@pytest.mark.parametrize("name", SHAPES)
def test_a_public_shape_is_taken_as_it_is(tmp_path: Path, command: Command, name: str) -> None:
    write, form, metric, counts = SHAPES[name]
    said, _, task = begin(command, tmp_path, *write(tmp_path))
    assert f"read as {form}" in said
    assert not metric or task.metric.name == metric
    assert task.splits.counts().items() >= counts.items()
    asked = (*task.splits.train, *task.splits.dev, *task.splits.test)
    assert find_refused(load_task_metric(task), asked) == {}
    assert all(row.text.strip() for row in asked)
    assert sum(bool(row.target) for row in asked) > 0.8 * len(asked)


def test_what_the_shapes_say(tmp_path: Path, command: Command) -> None:
    tasks: dict[str, Task] = {}
    texts: dict[str, str] = {}
    for name in ("squad", "mmlu", "hotpotqa", "clinc150", "beir", "bfcl", "oasst", "ultrachat"):
        folder = tmp_path / name
        folder.mkdir()
        _, texts[name], tasks[name] = begin(command, folder, *SHAPES[name][0](folder))

    squad = tasks["squad"].splits
    assert {row.meta.get("answerable") for row in (*squad.train, *squad.dev)} == {None, False}
    assert all(row.group and row.group.startswith("Towns") for row in squad.train)
    assert all(list(row.inputs) == ["context", "question"] for row in squad.train)
    assert "rows have no answer" in texts["squad"]

    mmlu = tasks["mmlu"].splits.train[0]
    assert mmlu.target in "ABCD" and "C. weaver" in mmlu.inputs["choices"]
    assert TRADES["ABCD".index(mmlu.target)] == mmlu.meta["choice"]

    hotpot = tasks["hotpotqa"]
    known = {document.id: document for document in hotpot.documents}
    assert len(known) == N
    for row in hotpot.splits.train:
        assert row.target in known[row.evidence[0]].text and len(row.evidence) == 1

    clinc = tasks["clinc150"].splits
    assert [row.target for row in clinc.test].count("oos") == 4
    assert "'oos' stands for what belongs to no class" in texts["clinc150"]

    beir = tasks["beir"]
    assert len(beir.documents) == N
    assert all(row.target in TOWNS for row in beir.splits.train)
    assert {d.id for d in beir.documents} >= {n for row in beir.splits.train for n in row.evidence}

    call = tasks["bfcl"].splits.train[0]
    ((name, arguments),) = [(c["name"], c["arguments"]) for c in json.loads(call.target)]
    assert name == "find_trade" and set(arguments) == {"town", "year"}
    assert call.meta["tools"][0]["name"] == "find_trade"
    assert call.meta["accepted"][0]["find_trade"]["unit"] == ["", "AD"]

    assert all("No idea" not in row.target for row in tasks["oasst"].splits.train)
    assert "turns: every" in texts["ultrachat"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("gsm_train", "train"), ("gsm8k-test", "test"), ("train-00000-of-00002", "train"),
        ("oos_val", "dev"), ("squad.dev", "dev"), ("myTrainSet", "train"), ("TEST", "test"),
        ("validation_matched", "dev"), ("test-train-overlap", "test"), ("contest", ""),
        ("retraining", ""), ("rows", ""), ("a_train_and_test", ""), ("train2", "train"),
    ],
)  # fmt: skip
def test_split_names_anywhere_in_a_name(name: str, split: str) -> None:
    assert find_split(name) == split


ANSWERS: list[tuple[str, list[str] | dict[str, Any], Any, Any, list[str]]] = [
    ("list", [*TRADES], 2, 3, ["B", "C", "D"]),
    ("letters", [*TRADES], "C", "D", ["B", "C", "D"]),
    ("texts", [*TRADES], "weaver", "miller", ["B", "C", "D"]),
    ("object", {"A": "x", "B": "y", "C": "z"}, "C", "A", ["B", "C", "A"]),
    ("arc", {"text": ["x", "y", "z"], "label": ["1", "2", "3"]}, "3", "1", ["2", "3", "1"]),
    ("from one", [*TRADES], 3, 4, ["B", "C", "D"]),
    ("numbers as texts", ["3", "2", "1", "0"], "2", "1", ["D", "B", "C"]),
]


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case[0])
def test_the_right_choice_however_it_is_said(tmp_path: Path, case: Any) -> None:
    name, choices, second, third, wanted = case
    first = {"list": 1, "letters": "B", "texts": "smith", "object": "B", "arc": "2", "from one": 2,
             "numbers as texts": "0"}[name]  # fmt: skip
    rows = [{"question": ask(i), "choices": choices, "answer": right}
            for i, right in enumerate((first, second, third))]  # fmt: skip
    assert [row.target for row in read(lines(tmp_path / "q.jsonl", rows)).examples] == wanted


# Columns with names of their own.

TABLES: dict[str, tuple[dict[str, Callable[[int], Any]], list[str], str, bool]] = {
    "support": ({"ticket_body": ask, "team": lambda i: f"team {i % 3}", "opened_at": str},
                ["ticket_body"], "team", True),
    "chat log": ({"user_query": ask, "chatgpt_response": lambda i: f"It was {TOWNS[i]} then."},
                 ["user_query"], "chatgpt_response", True),
    "title and body": ({"mail_title": lambda i: f"To {TOWNS[i]}", "mail_body": ask,
                        "folder_label": lambda i: f"f{i % 3}"},
                       ["mail_title", "mail_body"], "folder_label", True),
    "nested": ({"data": lambda i: {"question": ask(i), "answers": {"text": [TRADES[i % 4] + "s"]}}},
               ["data.question"], "data.answers.text[0]", True),
    "translation": ({"translation": lambda i: {"en": f"the {TOWNS[i]} road", "de": f"Weg {i}"}},
                    ["translation.en"], "translation.de", False),
    "two of a kind": ({"x1": lambda i: f"{TOWNS[i]} one", "x2": lambda i: f"{TOWNS[i]} two"},
                      ["x1"], "x2", False),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_the_likeliest_columns(tmp_path: Path, command: Command, name: str) -> None:
    columns, inputs, target, plain = TABLES[name]
    rows = [{column: make(i) for column, make in columns.items()} for i in range(N)]
    proposal = propose(rows)
    assert proposal is not None
    assert (list(proposal.input), proposal.target) == (inputs, target)
    assert proposal.plain == plain and len(proposal.examples) == 3
    path = lines(tmp_path / "mine.jsonl", rows)
    out = tmp_path / "study.yaml"
    code, said = command("init", path, "--out", out)
    assert (code == 0) == plain
    assert proposal.options in said and proposal.examples[0].split(" | ")[0] in said
    if not plain:
        assert not out.exists()
        begin(command, tmp_path, path, *proposal.options.split())
    (row, *_) = read_task(read_study(out), tmp_path).splits.train
    assert row.target and list(row.inputs) == inputs


def test_columns_are_asked_for_in_a_terminal(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    rows = [{"x1": f"{town} one", "x2": f"{town} two", "x3": town} for town in TOWNS]
    path = lines(tmp_path / "mine.jsonl", rows)
    answers = iter(["x3, x1", "x2"])

    def answer(question: str, default: str | None = None) -> str:
        return next(answers)

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "prompt", answer)
    said, text, task = begin(command, tmp_path, path)
    assert 'columns: {input: ["x3", "x1"], target: "x2"}' in text
    assert "x1: Arholm one" in said
    assert list(task.splits.train[0].inputs) == ["x3", "x1"]


def test_flags_say_it_all(tmp_path: Path, command: Command) -> None:
    rows = [{"ask": ask(i), "about": TOWNS[i], "said": TRADES[i % 4], "who": f"w{i % 10}"}
            for i in range(N)]  # fmt: skip
    path = lines(tmp_path / "mine.jsonl", rows)
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.md").write_text("# Towns\n\nThey lie by the sea.")
    flags = ("--input", "about", "--input", "ask", "--target", "said", "--group", "who",
             "--documents", notes, "--metric", "contains", "--instructions", 
             "Name: the trade")  # fmt: skip
    _, _, task = begin(command, tmp_path, path, *flags)
    assert task.metric.name == "contains" and task.instructions == "Name: the trade"
    assert len(task.documents) == 1
    row = task.splits.train[0]
    assert list(row.inputs) == ["about", "ask"] and row.target in TRADES and row.group
    for words, reason in (
        (("--target", "sad"), "no column 'sad'"),
        (("--input", "ask", "--target", "said", "--metric", "contians"), "did you mean"),
        (("--documents", tmp_path / "none"), "no such file"),
    ):
        code, said = command("init", path, *words, "--out", tmp_path / "other.yaml")
        assert code == 2 and reason in said and not (tmp_path / "other.yaml").exists()


def test_a_table_without_a_header_loses_no_row(tmp_path: Path) -> None:
    rows = [[ask(i), f"class {i % 3}"] for i in range(N)]
    headed = [["body", "kind"], *rows]
    bare = read(table(tmp_path / "bare.csv", rows),
                columns={"input": "column 1", "target": "column 2"})  # fmt: skip
    named = read(table(tmp_path / "named.csv", [*headed[:9], headed[0], *headed[9:]]),
                 columns={"input": "body", "target": "kind"})  # fmt: skip
    assert [(r.text, r.target) for r in bare.examples] == [tuple(row) for row in rows]
    assert [(r.text, r.target) for r in named.examples] == [tuple(row) for row in rows]


words = st.text(alphabet="abcdefgh ", min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(words, words), min_size=1, max_size=8),
    st.sampled_from(["objects", "arrays", "columns", "keys", "by id", "splits", "csv", "lines"]),
)
def test_every_way_of_holding_rows_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], way: str
) -> None:
    folder = tmp_path_factory.mktemp("ways")
    named = [{"text": f"say {text}", "label": f"as {label}"} for text, label in rows]
    pairs = [[row["text"], row["label"]] for row in named]
    value: Any = {
        "objects": named,
        "arrays": [["text", "label"], *pairs],
        "columns": {key: [row[key] for row in named] for key in ("text", "label")},
        "keys": {"about": "towns", "rows": named},
        "by id": {f"r{i}": row for i, row in enumerate(named)},
        "splits": {"train": named[:1], "my_test": named[1:]} if named[1:] else {"train": named},
    }.get(way, named)
    path = folder / ("x.csv" if way == "csv" else "x.jsonl" if way == "lines" else "x.json")
    if way == "csv":
        table(path, [["text", "label"], *pairs])
    elif way == "lines":
        lines(path, named)
    elif way == "by id" and len(named) < 2:
        return
    else:
        path.write_text(json.dumps(value))
    data = read(path)
    assert [(row.text, row.target) for row in data.examples] == [tuple(pair) for pair in pairs]
    if way == "splits":
        assert [row.meta["split"] for row in data.examples][1:] == ["test"] * (len(named) - 1)


def make_pdf(pages: list[str]) -> bytes:
    """A page for each text, drawn in one line; none for a blank one, as for a scanned page."""
    pypdf = pytest.importorskip("pypdf")
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = pypdf.PdfWriter()
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({NameObject(k): NameObject(v) for k, v in names.items()})
    for line in pages:
        page = writer.add_blank_page(300, 200)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        drawn = DecodedStreamObject()
        drawn.set_data(f"BT /F1 12 Tf 20 100 Td ({line}) Tj ET".encode() if line else b"")
        page[NameObject("/Contents")] = drawn
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def test_init_says_which_pages_have_no_text(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "manual"
    folder.mkdir()
    (folder / "scan.pdf").write_bytes(
        make_pdf(["Alma Reed lives in Porto.", "", "Bo Lund lives in Bergen."])
    )
    rows = [
        {"question": f"Where does person {n * 7919} live, in short?", "answer": f"Town {n}"}
        for n in range(30)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    study = tmp_path / "study.yaml"
    code, said = command("init", tmp_path / "rows.jsonl", folder, "--out", study)
    assert code == 0, said
    for written in (said, study.read_text()):
        assert "manual: documents to retrieve from (1); scan.pdf: no text on 1 of 3 pages (2)" in (
            " ".join(written.replace("#", " ").split())
        )
