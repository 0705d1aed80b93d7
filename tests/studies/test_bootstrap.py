"""`whatworks bootstrap`: what is written about documents, what is kept of it, who makes it test."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from whatworks.app.cli import app
from whatworks.app.label.review import ReviewServer, describe_reviews
from whatworks.app.label.server import Judgement
from whatworks.base.errors import InputError
from whatworks.base.progress import Silent
from whatworks.base.store import Store
from whatworks.data.read import read
from whatworks.data.task import Document, Example, Message
from whatworks.methods.written_questions import read_questions
from whatworks.models.fake import FakeEngine
from whatworks.models.helper import Helper, HelperModel
from whatworks.models.metering import Meter
from whatworks.models.weights import Weights
from whatworks.studies.bootstrap import sieve
from whatworks.studies.bootstrap.author import Author, Written, choose_passages, write_rows
from whatworks.studies.bootstrap.folder import BootstrapFolder, Source

DOCUMENTS = tuple(
    Document(id=f"d{i}", text=f"Person{i} lives in Town{i}. Person{i} keeps {i + 2} goats.")
    for i in range(10)
)


class Author10:
    """Writes three questions about each text; reads it well; knows of Person0 where it lives."""

    asked = 0

    def __call__(self, messages: Sequence[Message]) -> str:
        self.asked += 1
        last = messages[-1].content
        text, _, question = last.partition("Question: ")
        who = re.search(r"Person(\d)", question or text)
        assert who is not None
        i = int(who[1])
        if not question:
            return (
                f"Where does Person{i} live? => Town{i}\n"
                f"How many goats has Person{i}? => {i + 2}\n"
                f"Is Person{i} a goatherd? => yes"
            )
        if not text:  # nothing is shown
            return "Town0" if question == "Where does Person0 live?" else "unknown"
        if question == "How many goats has Person1?":
            return "unknown"
        return f"Town{i}." if "live" in question else str(i + 2)


def make_author(folder: Path, answer: Any) -> Author:
    model = HelperModel(FakeEngine(answer), Weights(base="fake:"))
    return Author(Helper(model, Store(folder), Meter()), runs_here=False)


def make_rows(folder: Path, answer: Any) -> Written:
    return write_rows(make_author(folder, answer), DOCUMENTS, 3, Silent())


def test_what_is_kept_is_answered_with_the_passage_and_not_without(tmp_path: Path) -> None:
    written = make_rows(tmp_path, Author10())
    assert (written.passages, written.asked, len(written.rows)) == (10, 30, 18)
    assert written.left_out == {sieve.GUESSED: 10, sieve.UNANSWERED: 1, sieve.KNOWN: 1}
    texts = {row.text for row in written.rows}
    assert "How many goats has Person1?" not in texts and "Where does Person0 live?" not in texts
    for row in written.rows:
        assert row.evidence == (row.group,) and row.target in row.meta["passage"]


def test_what_the_texts_alone_tell() -> None:
    said = [
        ("Who wrote the given text?", "Ann"),
        ("What colour has the red bridge?", "Red"),
        ("Is the bridge open?", "Yes."),
        ("Who runs the kiosk?", "Ann"),
        ("Who runs the kiosk?", "Ben"),
        ("In which year was the old bridge of Harl opened?", "1931"),
        ("In which year was the old bridge of Harl  opened?", "1931"),
        ("Who runs the ferry?", "Cy"),
    ]
    rows = [Example(id=str(n), inputs={"q": q}, target=a) for n, (q, a) in enumerate(said)]
    left, reasons = sieve.sift_texts(rows)
    assert [row.id for row in left] == ["5", "7"]
    assert reasons == {
        "0": sieve.LEANING,
        "1": sieve.TOLD,
        "2": sieve.GUESSED,
        "3": sieve.AMBIGUOUS,
        "4": sieve.AMBIGUOUS,
        "6": sieve.REPEATED,
    }


def test_the_forms_in_which_models_write() -> None:
    reply = (
        "Here are two:\n1. Who? => Ann\n- **Q:** Where?\n  **A:** in Harl\nWhy? =>\nWhen? => May"
    )
    assert read_questions(reply, 5) == [("Who?", "Ann"), ("Where?", "in Harl"), ("When?", "May")]
    assert read_questions(reply, 1) == [("Who?", "Ann")]
    assert read_questions("Question 1: Who?\nAnswer: Ann", 3) == [("Who?", "Ann")]
    assert read_questions("A: alone\nI cannot do that.", 3) == []


def test_each_document_has_its_share_of_few_passages() -> None:
    long = Document(id="long", text=" ".join(f"Sentence number {i} ends here." for i in range(200)))
    chosen = choose_passages((*DOCUMENTS[:4], long), 20, 12, 0)
    assert len(chosen) == 12 and len({one.id for one in chosen}) == 12
    assert sum(one.id.startswith("long#") for one in chosen) in (9, 10, 11, 12)
    assert chosen == choose_passages((*DOCUMENTS[:4], long), 20, 12, 0)
    with pytest.raises(InputError, match="no text"):
        choose_passages((Document(id="d", text=" "),), 20, None, 0)


def test_killed_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = Author10()
    wanted = make_rows(tmp_path / "whole", whole)

    class Killed(Author10):
        def __call__(self, messages: Sequence[Message]) -> str:
            if self.asked == 25:
                raise KeyboardInterrupt
            return super().__call__(messages)

    killed = Killed()
    with pytest.raises(KeyboardInterrupt):
        make_rows(tmp_path / "killed", killed)
    again = Killed()
    again.asked = -1000  # it does not stop any more
    assert make_rows(tmp_path / "killed", again) == wanted
    assert whole.asked - 25 <= again.asked + 1000 <= whole.asked - 10  # a batch at most twice


def make_folder(path: Path) -> BootstrapFolder:
    folder = BootstrapFolder(path)
    path.mkdir()
    source = Source(documents=DOCUMENTS, model="m", dev=4, test=6)
    folder.write_rows(source, make_rows(path / "store", Author10()))
    return folder


def test_nothing_is_test_before_a_person_kept_it(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "rows")
    parts = {
        name: read(folder.path / f"{name}.jsonl").examples for name in ("train", "dev", "proposed")
    }
    groups = [{row.group for row in rows} for rows in parts.values()]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 10, "a document in two splits"
    assert not folder.test.exists()
    anna, ben = ReviewServer(folder, "anna"), ReviewServer(folder, "ben")
    state = anna.describe()
    assert (state["done"], state["total"]) == (0, len(parts["proposed"]))
    assert state["answers"][0] in state["answers"][1], "the passage is shown"
    first = state["row"]
    anna.keep(Judgement(row=first, verdict="keep"))
    second = anna.describe()["row"]
    anna.keep(Judgement(row=second, verdict="keep", target=" 99 "))
    third = anna.describe()["row"]
    anna.keep(Judgement(row=third, verdict="drop"))
    rows = {row.id: row for row in read(folder.test).examples}
    assert rows.keys() == {first, second} and rows[second].target == "99"
    assert all("passage" not in row.meta for row in rows.values())
    assert "3 of" in describe_reviews(folder) and "2 kept, 1 of them" in describe_reviews(folder)
    ben.keep(Judgement(row=first, verdict="drop"))
    assert [row.id for row in read(folder.test).examples] == [second], "one of two dropped it"
    ben.keep(Judgement(row=first, verdict="keep"))
    rows = {row.id: row for row in read(folder.test).examples}
    assert rows[first].meta["reviewed"] == ["anna", "ben"]
    assert ReviewServer(folder, "anna").describe()["done"] == 3, "who comes back goes on"
    for name in (first, second):
        anna.keep(Judgement(row=name, verdict="drop"))
    assert not folder.test.exists()


def test_the_commands_from_documents_to_a_study(tmp_path: Path) -> None:
    docs, out = tmp_path / "docs.jsonl", tmp_path / "rows"
    docs.write_text("".join(json.dumps({"id": d.id, "text": d.text}) + "\n" for d in DOCUMENTS))
    lines: list[dict[str, str]] = []
    for i in range(10):
        shown = f"Person{i} keeps {i + 2} goats.\nQuestion: "
        lines.append({"last": shown + f"Where does Person{i} live?", "answer": f"Town{i}"})
        written = f"Where does Person{i} live? => Town{i}"
        lines.append({"last": f"Text: Person{i} ", "answer": written})
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"answers": lines, "default": "unknown"}))
    call = ["bootstrap", str(docs), "--out", str(out), "--helper", f"fake:{script}"]
    done = CliRunner().invoke(app, [*call, "--questions", "1", "--test", "3", "--dev", "2"])
    assert done.exit_code == 0, done.output
    assert "10 questions about 10 passages, 10 kept" in done.output
    assert "5 train, 2 dev, 3 proposed" in done.output
    folder = BootstrapFolder(out)
    again = CliRunner().invoke(app, [*call, "--questions", "1", "--test", "3", "--dev", "2"])
    assert again.output.splitlines()[-3:] == done.output.splitlines()[-3:]
    other = CliRunner().invoke(app, [*call, "--questions", "2"])
    assert isinstance(other.exception, InputError) and "other settings" in str(other.exception)
    shown = CliRunner().invoke(app, ["label", str(out), "--show"])
    assert "none of the 3 proposed rows is reviewed yet" in shown.output
    wrong = CliRunner().invoke(app, ["label", str(out), "--show", "--arms", "a,b"])
    assert isinstance(wrong.exception, InputError)
    for row in folder.read_proposed():
        folder.add_review(row, "anna", True)
    shown = CliRunner().invoke(app, ["label", str(out), "--show"])
    assert "3 kept" in shown.output and "whatworks init" in shown.output
    files = [str(out / f"{part}.jsonl") for part in ("train", "dev", "test")]
    study = tmp_path / "study.yaml"
    words = ["--documents", str(docs), "--metric", "facts", "--out", str(study)]
    began = CliRunner().invoke(app, ["init", *files, *words])
    assert began.exit_code == 0 and "5 train, 2 dev, 3 test" in began.output, began.output


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    docs = tmp_path / "docs.txt"
    docs.write_text("Person1 lives in Town1.")
    call = ["bootstrap", str(docs), "--helper", "fake:", "--out"]
    none = CliRunner().invoke(app, [*call, str(tmp_path / "none")])
    assert isinstance(none.exception, InputError)
    assert "none of the 0 questions" in none.exception.cause and "--helper" in none.exception.remedy
    own = tmp_path / "own"
    own.mkdir()
    (own / "train.jsonl").write_text("{}\n")
    refused = CliRunner().invoke(app, [*call, str(own)])
    assert isinstance(refused.exception, InputError) and "train.jsonl" in refused.exception.cause
    assert (own / "train.jsonl").read_text() == "{}\n"
    (own / "bootstrap.json").write_text("{}")
    assert "no record" in str(CliRunner().invoke(app, [*call, str(own)]).exception)


def test_verdicts_at_once_are_all_kept(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "rows")
    rows = folder.read_proposed()
    workers = [
        threading.Thread(target=folder.add_review, args=(row, person, True))
        for row in rows
        for person in ("anna", "ben")
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(folder.read_reviews()) == 2 * len(rows)
    assert len(read(folder.test).examples) == len(rows)
