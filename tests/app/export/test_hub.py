"""`whatworks export --push`: what a stand-in of the Hub is sent, and what is never said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import HubServer, Repository

from whatworks.app.run_study import run_study
from whatworks.base.progress import Silent

TOKEN = "hf_TOKENthatMustNotBePrinted"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pushed")
    rows = [{"input": f"Say {i * 7919}", "target": str(i % 2)} for i in range(60)]
    (place / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (place / "script.json").write_text(json.dumps({"default": "1"}))
    (place / "study.yaml").write_text(
        "task: {train: rows.jsonl, metric: exact}\nmodel: fake:script.json\n"
        "arms: [zero-shot, {few-shot: {k: 2}}]\nseeds: 1\ndiagnose: false\n"
    )
    run_study(place / "study.yaml", out=place / "run", watcher=Silent())
    return place / "run"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    server = HubServer(TOKEN, large=("examples.jsonl",))
    yield server
    server.shutdown()
    server.server_close()


def export(hub: HubServer, run: Path, *words: str | Path, token: str = TOKEN) -> tuple[int, str]:
    """The command, with the Hub's own client, whose settings are read as it is imported."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(run.parent / "home"),
        "HF_HUB_DISABLE_XET": "1",  # a protocol of its own, which the stand-in does not speak
        **({"HF_TOKEN": token} if token else {}),
    }
    command = [sys.executable, "-m", "whatworks", "export", run, "few-shot", *words]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env=env, timeout=300
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_an_arm_and_its_card_are_pushed_and_private(
    hub: HubServer, run: Path, tmp_path: Path
) -> None:
    code, said = export(hub, run, "--out", tmp_path / "new", "--push", "me/tickets")
    assert code == 0, said
    assert f"private: {hub.url}/me/tickets" in said and TOKEN not in said
    pushed = hub.repositories["me/tickets"]
    written = {
        path.relative_to(tmp_path / "new").as_posix(): path.read_bytes()
        for path in (tmp_path / "new").rglob("*")
        if path.is_file()
    }
    assert pushed.private and pushed.files == written
    assert {"README.md", "prompt.json", "examples.jsonl"} <= set(written)
    assert len(hub.objects) == 1, "the large one went by LFS"
    assert TOKEN.encode() not in b"".join(written.values())


@pytest.mark.slow
def test_what_is_public_is_asked_for(hub: HubServer, run: Path, tmp_path: Path) -> None:
    hub.repositories["me/open"] = Repository(private=False)
    code, said = export(hub, run, "--out", tmp_path / "a", "--push", "me/open")
    assert code == 2 and "this repository is public" in said
    assert hub.repositories["me/open"].files == {} and (tmp_path / "a" / "README.md").is_file()
    code, said = export(hub, run, "--out", tmp_path / "b", "--push", "me/open", "--public")
    assert code == 0 and "README.md" in hub.repositories["me/open"].files
    assert f"public: {hub.url}/me/open" in said


@pytest.mark.slow
def test_what_the_hub_refuses_is_said_without_the_token(
    hub: HubServer, run: Path, tmp_path: Path
) -> None:
    hub.token = "another"
    code, said = export(hub, run, "--out", tmp_path / "a", "--push", "me/tickets")
    assert code == 2 and "not pushed" in said and "401" in said
    assert f"hf upload me/tickets {tmp_path / 'a'}" in said
    assert TOKEN not in said and "Traceback" not in said and hub.repositories == {}


def test_what_cannot_be_pushed_is_said_before_anything_is_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from whatworks.app.cli import main

    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    for words, cause in (
        (["--push", "tickets"], "no owner is named"),
        (["--push", "me/tick ets"], "'me/tick ets' is no repository"),
        (["--push", "me/tickets"], "there is no token of the Hub"),
        (["--public"], "--public is for --push"),
    ):
        out = tmp_path / "out"
        monkeypatch.setattr(
            sys, "argv", ["whatworks", "export", str(run), "--out", str(out), *words]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2 and cause in capsys.readouterr().err
        assert not out.exists()
