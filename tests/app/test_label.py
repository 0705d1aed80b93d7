"""`whatworks label`: which rows are asked, blind and in random order, and what is written of it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from page_clients import Browser, ask, find_chromium
from test_compare_and_gate import command, make  # noqa: F401

from whatworks.app.label.questions import Questions, collect_questions
from whatworks.app.label.server import LabelServer
from whatworks.base.errors import InputError
from whatworks.data.read import read
from whatworks.data.task import Example
from whatworks.metrics import judge as judge_metric
from whatworks.studies.label_book import Entry, LabelBook, Question, make_judged, make_pairs

ARMS = ("rag", "zero-shot")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("label") / "study", test=60)


@pytest.fixture
def server(run: Path, tmp_path: Path) -> LabelServer:
    questions = collect_questions(run)
    return LabelServer(questions, LabelBook(tmp_path, questions.arms), "anna")


@contextlib.contextmanager
def serving(server: LabelServer) -> Generator[int]:
    app: Any = server.app()
    running = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        while not running.started:
            time.sleep(0.01)
        yield running.servers[0].sockets[0].getsockname()[1]
    finally:
        running.should_exit = True
        thread.join()


def test_the_rows_asked_are_those_on_which_the_two_differ(run: Path) -> None:
    found = collect_questions(run)
    assert found.arms == ARMS and len(found.asked) + found.alike == 60
    assert all(a.strip() != b.strip() for a, b in (q.answers for q in found.asked))
    assert found == collect_questions(run), "the same order for everybody"
    assert [q.example.id for q in found.asked] != sorted(q.example.id for q in found.asked)
    turned = [q.is_turned("anna") for q in found.asked]
    assert 0.2 < sum(turned) / len(turned) < 0.8
    assert turned != [q.is_turned("ben") for q in found.asked]
    with pytest.raises(InputError, match="no arm 'sft'"):
        collect_questions(run, arms=["rag", "sft"])
    with pytest.raises(InputError, match="1 arms are named"):
        collect_questions(run, arms=["rag", "rag"])


def test_rows_without_targets_are_asked_of_both_arms_once(run: Path, tmp_path: Path) -> None:
    rows = [{"id": f"u{i}", "input": f"Where does person {i + 50} live?"} for i in range(20)]
    path = tmp_path / "unlabelled.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = collect_questions(run, path)
    assert {q.example.id for q in found.asked} <= {row["id"] for row in rows}
    for question in found.asked:
        assert not question.example.target and question.answers[0].startswith("Town")
    kept = sorted((run / "store" / "label-answers").rglob("*.json"))
    assert collect_questions(run, path) == found
    assert sorted((run / "store" / "label-answers").rglob("*.json")) == kept


def test_only_the_page_of_the_token_may_ask(server: LabelServer) -> None:
    with serving(server) as port:
        own = {"authorization": f"Bearer {server.token}"}
        assert ask(port, "/")[0] == ask(port, "/?token=wrong")[0] == ask(port, "/next")[0] == 403
        assert ask(port, "/next", **own, host="evil.example")[0] == 403
        assert ask(port, "/next", **own, origin="http://evil.example")[0] == 403
        verdict = {"row": server.questions.asked[0].example.id, "verdict": "first"}
        assert ask(port, "/verdict", verdict)[0] == 403
        assert ask(port, "/verdict", {**verdict, "row": "none"}, **own)[0] == 404
        assert ask(port, "/verdict", {**verdict, "verdict": "best"}, **own)[0] == 422
        status, page = ask(port, f"/?token={server.token}")
        assert status == 200 and "Which answer is better?" in page
        assert server.token not in page
    assert server.book.entries() == []


def test_a_person_judges_blind(server: LabelServer) -> None:
    own = {"authorization": f"Bearer {server.token}"}
    with serving(server) as port:
        status, state = ask(port, "/next", **own)
        total = len(server.questions.asked)
        assert status == 200 and (state["done"], state["total"]) == (0, total)
        for done in range(12):  # always for what rag said
            assert "rag" not in json.dumps(state) and "zero-shot" not in json.dumps(state)
            question = next(q for q in server.questions.asked if q.example.id == state["row"])
            assert sorted(state["answers"]) == sorted(question.answers)
            better = "first" if state["answers"][0] == question.answers[0] else "second"
            said = {"row": state["row"], "verdict": better}
            status, state = ask(port, "/verdict", said, **own)
            assert status == 200 and state["done"] == done + 1
        assert state["settled"]
    verdicts = server.book.verdicts()
    assert [one.said for one in verdicts] == ["first"] * 12
    assert {entry.turned for entry in server.book.entries()} == {True, False}
    turned = LabelBook(server.book.path.parent, ("zero-shot", "rag")).verdicts()
    assert [one.said for one in turned] == ["second"] * 12


def test_what_is_written_is_read(server: LabelServer) -> None:
    said = ["first", "second", "same", "neither", "neither"]
    targets = ["", "", "", "Town99", ""]
    asked = server.questions.asked[: len(said)]
    for question, shown, target in zip(asked, said, targets, strict=True):
        server.book.add(question, "anna", shown, target)  # type: ignore[arg-type]
    pairs = read(server.book.path / "preferences.jsonl").pairs
    assert len(pairs) == 4  # two preferred, and the written target over both of no use
    first = asked[0].answers[::-1] if asked[0].is_turned("anna") else asked[0].answers
    assert (pairs[0].chosen, pairs[0].rejected) == first
    assert pairs[0].example.text == asked[0].example.text
    assert {p.rejected for p in pairs if p.chosen == "Town99"} == set(asked[3].answers)
    (row,) = read(server.book.path / "rows.jsonl").examples
    assert (row.id, row.target) == (asked[3].example.id, "Town99")
    judged = read(server.book.path / "judged.jsonl").examples
    assert [one.meta["human"] for one in judged] == [1.0, 0.0, 1.0]
    for one, question in zip(judged, asked, strict=False):
        shown = question.answers[::-1] if question.is_turned("anna") else question.answers
        assert (one.meta["answer"], one.target) == shown


def test_a_judge_is_calibrated_by_them(server: LabelServer, tmp_path: Path) -> None:
    for question in server.questions.asked[:6]:
        server.book.add(question, "anna", "second" if question.is_turned("anna") else "first")
    (tmp_path / "judge.json").write_text(json.dumps({"answers": [], "default": "[[A]]"}))
    human, said = judge_metric._calibrate(  # pyright: ignore[reportPrivateUsage]
        f"fake:{tmp_path / 'judge.json'}",
        judge_metric.CRITERIA,
        server.book.path / "judged.jsonl",
        tmp_path / "replies",
    )
    assert len(human) == len(said) == 6 and any(human) and not all(human)


def test_an_answer_that_is_empty_makes_no_pair() -> None:
    example = Example(id="e", inputs={"q": "why?"}, group="g")
    entry = Entry("anna", ARMS, "first", "", ("because", " "), False, example, 0.0)
    assert make_pairs(entry) == [] and make_judged(entry) is None
    question = Question(example, ("a", "b"))
    assert question.translate("anna", "same") == "same"
    assert {question.translate(f"p{i}", "first") for i in range(20)} == {"first", "second"}


def test_the_command_says_how_it_stands(run: Path, command: Any) -> None:  # noqa: F811
    code, out, _ = command("label", run, "--show")
    assert code == 0 and out == "nothing is judged yet\n"
    questions = collect_questions(run)
    book = LabelBook(run, questions.arms)
    for at, question in enumerate(questions.asked[:12]):
        for person in ("anna", "ben"):
            liked = "first" if question.is_turned(person) == (at == 0) else "second"
            book.add(question, person, liked)
    code, out, _ = command("label", run, "--show")
    assert "rag preferred on 1, zero-shot on 11" in out or "rag preferred on 11" in out
    assert "anna and ben say the same on 12 of 12 rows: kappa 1.00" in out
    assert f"written: {run / 'labels' / 'preferences.jsonl'}" in out
    code, _, err = command("label", run, "--show", "--arms", "rag,none")
    assert code == 2 and "no arm 'none'" in err


@pytest.mark.slow
def test_in_a_browser(server: LabelServer, tmp_path: Path) -> None:
    hostile = Example(id="h", inputs={"q": "<img src=x onerror=document.title='owned'>"})
    bad = Question(hostile, ("</pre><script>document.title='owned'</script>", "plain"))
    asked = (bad, *server.questions.asked)
    server.questions = Questions(ARMS, asked, 0)
    total = len(asked)
    with serving(server) as port:
        browser = Browser(find_chromium(), tmp_path / "profile")
        try:
            browser.open(f"http://127.0.0.1:{port}/?token={server.token}")
            progress = "document.getElementById('progress').textContent"
            browser.wait(progress, f"0 of {total} judged")
            body = "document.getElementById('input').textContent"
            assert browser.evaluate(body) == hostile.inputs["q"]
            browser.evaluate("document.querySelector('[data-use=second]').click()")
            shown = bad.answers[::-1] if bad.is_turned("anna") else bad.answers
            assert browser.evaluate("document.getElementById('target').value") == shown[1]
            browser.evaluate("document.querySelector('[data-verdict=neither]').click()")
            browser.wait(progress, f"1 of {total} judged")
            key = "document.dispatchEvent(new KeyboardEvent('keydown', {key: '1'}))"
            browser.evaluate(key)
            browser.wait(progress, f"2 of {total} judged")
            assert browser.evaluate("document.title") == "Which answer is better?"
            text = browser.evaluate("document.body.innerText")
            assert "rag" not in text and "zero-shot" not in text
        finally:
            browser.close()
    entries = server.book.entries()
    assert entries[0].said == "neither" and entries[0].target == shown[1]
    expected = "second" if asked[1].is_turned("anna") else "first"
    assert entries[1].said == expected
