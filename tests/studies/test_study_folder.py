"""The folder of a study: one run at a time, what stands in it, what other versions wrote."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from whatworks.app.run_study import report_study, run_study
from whatworks.base.errors import InputError
from whatworks.base.lock import LOCK
from whatworks.base.progress import Silent
from whatworks.studies.study_folder import LAYOUT, StudyFolder

Command = Callable[..., tuple[int, str]]
ARMS = "arms: [zero-shot, {few-shot: {k: 1}}]\nseeds: 1\nmodel: fake:script.json\n"
RUN = [sys.executable, "-m", "whatworks", "run"]


@pytest.fixture
def folder(tmp_path: Path, study: Callable[..., Path]) -> Path:
    """A study file whose model takes its time."""
    script = {"answers": [], "default": "{}", "latency": 0.05}
    (tmp_path / "script.json").write_text(json.dumps(script))
    path = study()
    path.write_text(path.read_text().replace("arms: [zero-shot]\nmodel: 'fake:'\n", ARMS))
    return tmp_path


def begin(folder: Path) -> subprocess.Popen[str]:
    """A run that goes on in another process, seen to have begun."""
    command = [*RUN, str(folder / "study.yaml"), "--out", str(folder / "out")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 30
    while not (folder / "out" / "store" / "answers").exists():
        assert time.monotonic() < end and child.poll() is None, "it did not begin"
        time.sleep(0.02)
    return child


def test_a_second_run_says_who_holds_the_folder(folder: Path, command: Command) -> None:
    out = folder / "out"
    first = begin(folder)
    # The first run goes on writing `live.jsonl`.
    files = [path for path in out.glob("*.json*") if path.name != "live.jsonl"]
    kept = {path: path.stat().st_mtime_ns for path in files}
    for words in (("run", folder / "study.yaml", "--out", out),
                  ("plan", folder / "study.yaml", "--out", out)):  # fmt: skip
        code, said = command(*words)
        assert code == 2 and f"process {first.pid} on " in said and "holds this folder" in said
    assert first.poll() is None, "the first still runs"
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert first.wait(timeout=60) == 0, first.stderr
    first.communicate()
    assert not (out / LOCK).exists()
    assert len(StudyFolder(out).read_finished().rows()) == 2 * 50
    assert StudyFolder(out).openings == 1


def test_a_killed_run_is_told_of_and_its_place_taken(folder: Path) -> None:
    first = begin(folder)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert (folder / "out" / LOCK).exists()
    said: list[str] = []

    class Hears(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    summary, _ = run_study(folder / "study.yaml", out=folder / "out", watcher=Hears())
    assert f"process {first.pid} on " in said[0] and "goes on from there" in said[0]
    assert all(arm.score for arm in summary.arms)


def test_what_reads_a_study_waits_for_its_run(folder: Path, command: Command) -> None:
    out = folder / "out"
    run_study(folder / "study.yaml", out=out, watcher=Silent())
    (out / LOCK).write_text("1\nnode17.cluster\n")
    for words in (
        ("report", out),
        ("export", out, "zero-shot", "--out", folder / "export"),
        ("serve", str(out), "--port", "8731"),
    ):
        code, said = command(*words)
        assert code == 2 and "process 1 on node17.cluster holds this folder" in said, said
    assert not (folder / "export").exists()
    (out / LOCK).unlink()
    assert command("report", out)[0] == 0
    assert command("export", out, "zero-shot", "--out", folder / "export")[0] == 0


def test_everything_in_the_folder_stands_in_its_table(folder: Path) -> None:
    out = folder / "out"
    run_study(folder / "study.yaml", out=out, watcher=Silent())
    table = sys.modules[StudyFolder.__module__].__doc__ or ""
    for path in out.iterdir():
        assert f"``{path.name}{'/' * path.is_dir()}" in table, path.name
    own = StudyFolder(out)
    found = own.read_finished()
    assert {one.arm for one in own.decisions()} == {arm.name for arm in found.arms}
    for one in own.decisions():
        assert one.candidate is not None
        candidate = own.candidate(one.candidate)
        assert candidate is not None and candidate.key == one.candidate
    assert set(own.times()) == {"zero-shot", "few-shot"} and not own.times(since=time.time())
    own.write_summary(found.study, found.arms)
    again = own.read_finished()
    assert (again.study, again.arms) == (found.study, found.arms)


def test_a_folder_of_another_version_is_refused_not_misread(folder: Path, command: Command) -> None:
    out = folder / "out"
    run_study(folder / "study.yaml", out=out, watcher=Silent())
    record = json.loads((out / "study.json").read_text())
    assert record.pop("layout") == LAYOUT
    for older in (record, {**record, "layout": LAYOUT + 1}):
        (out / "study.json").write_text(json.dumps(older))
        before = (out / "results.jsonl").read_bytes()
        for words in (
            ("run", folder / "study.yaml", "--out", out),
            ("report", out),
            ("errors", out),
            ("export", out, "--out", folder / "export"),
        ):
            code, said = command(*words)
            assert code == 2 and "another version" in said and "--out" in said, (words, said)
        assert (out / "results.jsonl").read_bytes() == before
    (out / "study.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        report_study(out)
    shutil.rmtree(out)
    run_study(folder / "study.yaml", out=out, watcher=Silent())


def test_a_summary_that_lacks_something_is_refused_and_written_anew(folder: Path) -> None:
    out = folder / "out"
    before, _ = run_study(folder / "study.yaml", out=out, watcher=Silent())
    record = json.loads((out / "summary.json").read_text())
    del record["study"]["model"]
    (out / "summary.json").write_text(json.dumps(record))
    for again in (report_study, lambda at: run_study(folder / "study.yaml", out=at)):
        with pytest.raises(InputError, match=r"summary.json is not what .*\n.*remove this file"):
            again(out)
    (out / "summary.json").unlink()
    after, _ = run_study(folder / "study.yaml", out=out, watcher=Silent())
    assert after.arms == before.arms and after.study.openings == 1


def test_an_empty_lock_folder_is_a_new_study(folder: Path) -> None:
    """A kill before the first file leaves a lock and perhaps a draft."""
    out = folder / "out"
    out.mkdir()
    (out / "study.json.77.tmp").write_text("{")
    run_study(folder / "study.yaml", out=out, watcher=Silent())
    assert StudyFolder(out).has_run


def test_claims_known_and_import_hold_what_they_write(folder: Path, command: Command) -> None:
    held = "process 1 on node17.cluster holds "
    for name in ("claims", "known"):
        (folder / name).mkdir()
        (folder / name / LOCK).write_text("1\nnode17.cluster\n")
    (folder / ".new.jsonl.lock").write_text("1\nnode17.cluster\n")
    logs = folder / "logs.jsonl"
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    logs.write_text(json.dumps({"messages": turns}) + "\n")
    for words, what in (
        (("claims", "--quick", "--out", folder / "claims"), "this folder"),
        (("known", folder / "study.yaml", "--out", folder / "known"), "this folder"),
        (("import", logs, "--out", folder / "new.jsonl"), "new.jsonl"),
    ):
        code, said = command(*words)
        assert code == 2 and held + what in said, (words, said)
    assert [path.name for path in (folder / "claims").iterdir()] == [LOCK]
    assert [path.name for path in (folder / "known").iterdir()] == [LOCK]
    assert not (folder / "new.jsonl").exists()
    (folder / ".new.jsonl.lock").unlink()
    code, said = command("import", logs, "--out", folder / "new.jsonl")
    assert code == 0 and (folder / "new.jsonl").exists(), said
    assert not (folder / ".new.jsonl.lock").exists()
