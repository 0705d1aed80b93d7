"""`whatworks watch`: what the page shows of a run at work, who may ask it, and what it changes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from page_clients import Browser, ask, find_axe, find_chromium
from test_compare_and_gate import Quiet, command  # noqa: F401

from whatworks.app.listen import listen_aside
from whatworks.app.run_study import run_study
from whatworks.app.watch.server import WatchServer
from whatworks.app.watch.state import RunView
from whatworks.base.errors import ArmFailure, InputError
from whatworks.models.metering import Budget
from whatworks.studies.study_folder import StudyFolder
from whatworks.studies.wishes import Wishes

CANARY = "zyxcanary"


def write_study(place: Path, *, latency: float = 0.0, budget: str = "{requests: 900}") -> Path:
    """Three arms of the scripted engine; test rows carry a canary. ``latency`` in s an answer."""
    for part, n in {"train": 12, "dev": 192, "test": 40}.items():
        mark = CANARY if part == "test" else part
        rows = [
            {"id": f"{mark}{i}", "input": f"{mark} <b>question</b> {i * 37}?", "target": f"{i % 2}"}
            for i in range(n)
        ]
        (place / f"{part}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    script = {"answers": [{"contains": "Briefly", "answer": "1"}], "default": "<i>no</i>"}
    (place / "script.json").write_text(json.dumps({**script, "latency": latency}))
    (place / "study.yaml").write_text(
        "task: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl, metric: exact}\n"
        f"model: fake:script.json\nseeds: 2\nbudget: {budget}\ndiagnose: false\n"
        "arms: [zero-shot, {prompt: {variants: [Briefly, In short]}}, {few-shot: {k: 2}}]\n"
    )
    return place / "study.yaml"


@contextlib.contextmanager
def running(study: Path, *words: str) -> Generator[subprocess.Popen[str]]:
    """``whatworks run`` in a process of its own."""
    words = ("run", str(study), "--out", str(study.parent / "out"), *words)
    process = subprocess.Popen(
        [sys.executable, "-m", "whatworks", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def serving(folder: Path) -> Generator[tuple[WatchServer, int]]:
    server = WatchServer(StudyFolder(folder))
    with listen_aside(server.app(), "127.0.0.1", 0, on_exit=server.leave) as port:
        yield server, port


def wait(what: Callable[[], Any]) -> Any:
    for _ in range(2000):
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("it does not come")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = write_study(tmp_path_factory.mktemp("watched"))
    run_study(study, out=study.parent / "out", watcher=Quiet())
    return study.parent / "out"


def test_a_run_that_has_ended(finished: Path) -> None:
    view = RunView(StudyFolder(finished))
    state = view.describe()
    assert state["state"] == "finished" and state["rows"] == 192
    arms = {arm["name"]: arm for arm in state["arms"]}
    assert list(arms) == ["zero-shot", "prompt", "few-shot"]
    score = arms["prompt"]["score"]
    assert score["low"] < score["value"] == 0.5 < score["high"]
    assert [one["seed"] for one in arms["few-shot"]["by_seed"]] == [0, 1]
    assert arms["prompt"]["test"]["value"] == 0.5 and arms["prompt"]["bar"]["ended"]
    assert arms["zero-shot"]["share"] < arms["prompt"]["share"] < 1
    first = view.describe_row(0)
    assert first["total"] == 192 and first["target"] == "0"
    assert [one["text"] for one in first["answers"]] == ["<i>no</i>", "1", "<i>no</i>"]
    assert view.describe_row(500, differing=True)["at"] == 191
    assert json.loads(json.dumps(state, allow_nan=False)) and view.mark == view.mark


def test_no_test_row_is_told_of(finished: Path) -> None:
    view = RunView(StudyFolder(finished))
    shown = json.dumps([view.describe(), *(view.describe_row(at) for at in (0, 90, 999))])
    assert CANARY not in shown and CANARY not in (finished / "live.jsonl").read_text()
    assert CANARY in (finished / "results.jsonl").read_text()  # where it could be seen


def test_only_the_page_of_the_token_may_ask(finished: Path) -> None:
    with serving(finished) as (server, port):
        own = {"authorization": f"Bearer {server.token}"}
        for path in ("/", "/?token=wrong", "/row?at=0", "/events", "/events?token=wrong"):
            assert ask(port, path)[0] == 403, path
        assert ask(port, "/row?at=0", **own, host="evil.example")[0] == 403
        assert ask(port, "/row?at=0", **own, origin="http://evil.example")[0] == 403
        assert ask(port, "/stop", {"arm": "prompt"})[0] == 403
        assert ask(port, f"/stop?token={server.token}", {"arm": "prompt"})[0] == 403
        assert ask(port, "/stop", {"arms": "prompt"}, **own)[0] == 422
        assert ask(port, "/raise", {"name": "requests", "limit": -1}, **own)[0] == 422
        assert ask(port, "/stop", {"arm": "prompt"}, **own)[0] == 409, "nothing is at work"
        assert ask(port, "/row?at=x", **own)[0] == 422
        assert ask(port, "/row?at=3", **own)[1]["at"] == 3
        status, page = ask(port, f"/?token={server.token}")
        assert status == 200 and "A study while it runs" in page and server.token not in page
    assert not (finished / "wishes.json").exists()


def test_the_server_ends_though_a_page_listens(finished: Path) -> None:
    began = time.monotonic()
    with serving(finished) as (server, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", f"/events?token={server.token}")
        reply = connection.getresponse()
        assert reply.headers["content-type"].startswith("text/event-stream")
        lines = [reply.readline().decode() for _ in range(3)]
        state = json.loads(lines[2].removeprefix("data: "))
        assert lines[0] == "retry: 1000\n" and state["state"] == "finished"
    connection.close()
    assert time.monotonic() - began < 5


@pytest.mark.slow
def test_an_arm_is_stopped_and_a_limit_raised(tmp_path: Path) -> None:
    study = write_study(tmp_path, latency=0.004, budget="{requests: 500}")
    out = tmp_path / "out"
    with running(study, "--watch") as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if line.startswith("watch at "))
        port, token = re.findall(r":(\d+)/\?token=(\S+)", said)[0]
        threading.Thread(target=process.stderr.read, daemon=True).start()
        own = {"authorization": f"Bearer {token}"}
        wait(lambda: ask(int(port), "/row?at=0", **own)[1]["total"])  # dev comes in
        view = RunView(StudyFolder(out))
        state = view.describe()
        assert state["state"] == "running"
        assert all(arm["test"] is None for arm in state["arms"])
        assert ask(int(port), "/stop", {"arm": "none"}, **own)[0] == 404
        assert ask(int(port), "/stop", {"arm": "few-shot"}, **own)[0] == 200
        assert ask(int(port), "/raise", {"name": "usd", "limit": 5}, **own)[0] == 409
        assert ask(int(port), "/raise", {"name": "requests", "limit": 400}, **own)[0] == 409
        assert ask(int(port), "/raise", {"name": "requests", "limit": 600}, **own)[0] == 200
        assert view.describe()["budget"] == {"requests": 600}
        assert process.wait(300) == 0
    state = view.describe()
    arms = {arm["name"]: arm for arm in state["arms"]}
    assert state["state"] == "finished" and arms["few-shot"]["test"] is None
    assert arms["few-shot"]["bar"]["note"] == "failed: stopped by hand"
    assert "raised by hand to {requests: 600}" in (out / "report.html").read_text()
    again, _ = run_study(study, out=out, watcher=Quiet())
    assert {arm.name for arm in again.arms if arm.score} == set(arms), "it goes on"


def test_wishes_hold_for_a_run_that_is_killed(tmp_path: Path) -> None:
    asked, run = Wishes(tmp_path / "wishes.json"), Wishes(tmp_path / "wishes.json")
    run.heed("sft")
    asked.stop("sft")
    run.heed("rag")
    with pytest.raises(ArmFailure, match="stopped by hand"):
        run.heed("sft")
    budget = Budget(usd=1.0)
    asked.raise_limit(budget, "usd", 2.5)
    assert run.over(budget) == Budget(usd=2.5) and run.over(Budget()) == Budget()
    assert run.over(Budget(usd=4.0)) == Budget(usd=4.0), "the file says more now"
    with pytest.raises(InputError, match="no limit on tokens"):
        asked.raise_limit(budget, "tokens", 5)
    run.end()
    Wishes(tmp_path / "wishes.json").heed("sft")
    assert run.over(budget) == Budget(usd=2.5), "what was made under it is kept under it"
    (tmp_path / "wishes.json").write_text("[1")
    run.heed("sft")


def test_a_budget_that_was_raised_is_what_steps_are_kept_under(tmp_path: Path) -> None:
    study = write_study(tmp_path, budget="{requests: 150}")
    out = tmp_path / "out"
    first, _ = run_study(study, out=out, watcher=Quiet())
    assert [arm.name for arm in first.arms if arm.score is None] == ["prompt"]
    StudyFolder(out).wishes.raise_limit(Budget(requests=150), "requests", 900)
    second, _ = run_study(study, out=out, watcher=Quiet())
    assert all(arm.score for arm in second.arms)
    steps = sorted((out / "store" / "steps").rglob("*.json"))
    assert run_study(study, out=out, watcher=Quiet())[0].arms == second.arms
    assert sorted((out / "store" / "steps").rglob("*.json")) == steps, "nothing is made anew"


def test_the_command_wants_a_study(tmp_path: Path, command: Any) -> None:  # noqa: F811
    code, _, err = command("watch", tmp_path)
    assert code == 2 and "no study here" in err


@pytest.fixture(scope="module")
def script_losses() -> Sequence[dict[str, Any]]:
    """Lines that a training writes."""
    points = [[step, 2.0 / step] for step in range(1, 40)]
    return [{"kind": "loss", "arm": "few-shot", "seed": 0, "method": "sft", "points": points}]


@pytest.mark.slow
def test_in_a_browser(tmp_path: Path, script_losses: Sequence[dict[str, Any]]) -> None:
    chromium = find_chromium()
    study = write_study(tmp_path, latency=0.006)
    out = tmp_path / "out"
    with running(study) as process:
        wait(lambda: (out / "live.jsonl").is_file())
        with (out / "live.jsonl").open("a") as log:
            log.writelines(json.dumps(line) + "\n" for line in script_losses)
        with serving(out) as (server, port):
            browser = Browser(chromium, tmp_path / "profile")
            try:
                browser.open(server.address(port))
                browser.wait("document.getElementById('state').textContent", "running")
                browser.wait("document.querySelectorAll('#arms tr').length", 3)
                browser.wait("document.querySelector('#arms td:nth-child(3) svg') !== null", True)
                text = browser.evaluate("document.body.innerText")
                assert re.search(r"[\d.]+% \[[\d.]+%, [\d.]+%\]", text) and " left" in text
                assert "At most 900 requests" in text and "few-shot, seed 0, sft" in text
                browser.wait("document.querySelectorAll('#answers pre').length > 0", True)
                assert "train" not in browser.evaluate("document.getElementById('input').innerText")
                assert "<b>question</b>" in browser.evaluate(
                    "document.getElementById('input').innerText"
                )
                stop_by_keys(browser)
                process.wait(300)
                browser.wait("document.getElementById('state').textContent.slice(0, 8)", "finished")
                browser.wait("document.getElementById('score-head').textContent", "Score on test")
                look_at_rows(browser)
                assert CANARY not in browser.evaluate("document.body.innerText")
                rows = [json.loads(row) for row in (out / "results.jsonl").read_text().splitlines()]
                assert {r["arm"] for r in rows if r["status"] == "failed"} == {"few-shot"}
                axe = find_axe()
                colours = {scheme: look(browser, scheme, axe) for scheme in ("light", "dark")}
                assert colours["light"] != colours["dark"]
            finally:
                browser.close()


def stop_by_keys(browser: Browser) -> None:
    """Reach the button of few-shot by Tab alone, press it, and say yes."""
    for _ in range(12):
        press(browser, "Tab")
        if browser.evaluate("document.activeElement.ariaLabel") == "Stop few-shot":
            break
    else:
        raise AssertionError("Tab does not reach it")
    press(browser, "Enter")
    browser.wait("document.getElementById('sure').open", True)
    assert "Stop few-shot?" in browser.evaluate("document.getElementById('question').textContent")
    press(browser, "Tab")
    press(browser, "Enter")
    browser.wait("document.querySelector('#arms tr:nth-child(3) button').disabled", True)


def press(browser: Browser, key: str) -> None:
    code, text = {"Tab": (9, ""), "Enter": (13, "\r")}[key]
    words = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
    browser.call("Input.dispatchKeyEvent", type="keyDown", **words)
    browser.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)


def look_at_rows(browser: Browser) -> None:
    """Another row, and only those on which arms differ."""
    which = "document.getElementById('which').textContent"
    browser.wait(which, "row 1 of 192: dev0")
    browser.evaluate("document.getElementById('after').click()")
    browser.wait(which, "row 2 of 192: dev1")
    browser.evaluate("document.getElementById('differing').click()")
    browser.wait(which, "row 1 of 192: dev0")


def look(browser: Browser, scheme: str, axe: str) -> str:
    """The page in a colour scheme: axe-core finds no fault; returns the background."""
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.call("Emulation.setEmulatedMedia", features=media)
    browser.evaluate(axe)
    browser.evaluate("delete window.found; axe.run().then(r => { window.found = r; })")
    browser.wait("window.found !== undefined", True)
    faults = browser.evaluate(
        "JSON.stringify(window.found.violations.map(v => [v.id, v.nodes.map(n => n.html)]))"
    )
    assert json.loads(faults) == [], scheme
    assert browser.evaluate("window.found.passes.length") > 15
    return browser.evaluate("getComputedStyle(document.body).backgroundColor")
