"""Locks between real processes: held, let go of, left behind, from another machine."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from whatworks.base.errors import InputError, StorageError
from whatworks.base.lock import LOCK, hold_file, hold_folder, hold_lock

HOLDS = """
import sys, time
from pathlib import Path
from whatworks.base.lock import hold_folder
with hold_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(folder: Path) -> Generator[subprocess.Popen[str]]:
    """Another process that holds a folder."""
    command = [sys.executable, "-c", HOLDS, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            child.kill()


def test_one_process_holds_a_folder_and_a_second_is_told_which(tmp_path: Path) -> None:
    with holder(tmp_path) as child:
        with pytest.raises(InputError) as refused, hold_folder(tmp_path):
            pass
        assert f"process {child.pid} on " in refused.value.cause
        assert refused.value.place == str(tmp_path) and "end it" in refused.value.remedy
        child.send_signal(signal.SIGKILL)
        child.wait()
    with hold_folder(tmp_path) as before:
        assert before.startswith(f"process {child.pid} on ")
    assert not list(tmp_path.iterdir())
    with hold_folder(tmp_path) as before:
        assert before == "", "nobody was killed here"


def test_a_holder_on_another_machine_is_never_taken_for_gone(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("1\nnode17.cluster\n")
    with pytest.raises(InputError) as refused, hold_folder(tmp_path):
        pass
    assert "process 1 on node17.cluster holds" in refused.value.cause
    assert f"remove {LOCK}" in refused.value.remedy
    assert (tmp_path / LOCK).exists()


def test_the_same_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    with hold_folder(tmp_path), pytest.raises(InputError), hold_folder(tmp_path):
        pass
    with hold_folder(tmp_path):
        pass


def test_a_folder_that_was_made_for_the_lock_goes_with_it(tmp_path: Path) -> None:
    with pytest.raises(InputError), hold_folder(tmp_path / "a" / "b"):
        raise InputError("nothing to do")
    assert not (tmp_path / "a").exists()
    with hold_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "file").write_text("")
    assert not (tmp_path / "a" / "b").exists() and (tmp_path / "a" / "file").exists()


def test_a_file_is_held_by_a_hidden_one_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    with hold_file(out):
        assert [path.name for path in tmp_path.iterdir()] == [".rows.jsonl.lock"]
        with pytest.raises(InputError, match=r"holds rows\.jsonl"), hold_file(out):
            pass
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written_the_message_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="in the way"), hold_folder(tmp_path / "file" / "x"):
        pass


def test_it_waits_as_long_as_it_is_asked_to(tmp_path: Path) -> None:
    path = tmp_path / LOCK
    command = [sys.executable, "-c", HOLDS.replace("60", "0.5"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "held\n"
        with hold_lock(path, "it", seconds=20):
            assert path.exists()


@pytest.mark.parametrize("content", [b"", b"123", b"123\nnode17"])
def test_a_lock_whose_writer_was_killed_as_it_wrote_is_taken_over(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "run.lock").write_bytes(content)
    with hold_folder(tmp_path) as before:
        assert before
        assert (tmp_path / "run.lock").read_text().endswith("\n")
    assert not (tmp_path / "run.lock").exists()


def test_what_a_killed_holder_was_writing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "run.lock").write_text(f"{2**22 + 1}\n{socket.gethostname()}\n")
    (tmp_path / "deep").mkdir()
    for name in ("a.json.77.tmp", "deep/b.txt.1.tmp", "mine.tmp", "a.77.tmp.txt"):
        (tmp_path / name).write_text("x")
    with hold_folder(tmp_path) as before:
        assert before
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [
        "a.77.tmp.txt",
        "mine.tmp",
    ]


def test_what_a_killed_process_left_of_a_stale_lock_goes(tmp_path: Path) -> None:
    left = tmp_path / ".data.jsonl.lock.break.17933.1531b01c"
    left.write_text("17932\nhere\n")
    other = tmp_path / ".data.jsonl.lock.broken"
    other.write_text("mine")
    with hold_file(tmp_path / "data.jsonl"):
        assert not left.exists() and other.exists()
