"""Kills in the midst of writes, full disks, failing ones: a short form of benchmarks/kills.py.

A library before the C library makes the disk misbehave below one folder (``faulty_disk.c``), so the
commands run as a user runs them, in processes of their own.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.disk_faults import find_disk_fault
from whatworks.base.errors import InputError, StorageError, arm_failures
from whatworks.base.store import Journal, Store, open_atomic

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
sys.path.insert(0, BENCHMARKS)

import faulty_disk  # noqa: E402
import kills  # noqa: E402

needs_compiler = pytest.mark.skipif(
    not faulty_disk.can_build(), reason="no C compiler, or not Linux: no disk can be made to fail"
)


@needs_compiler
@pytest.mark.parametrize("name", ["import", "check"])
def test_killed_in_the_midst_of_a_write_nothing_is_lost(tmp_path: Path, name: str) -> None:
    found = kills.measure([name], tmp_path, kills=3, disks=0, seed=5)
    assert not found.broken
    assert sum(found.done.values()) == 3


@needs_compiler
def test_on_a_full_and_on_a_failing_disk_the_cause_is_said_and_nothing_lost(tmp_path: Path) -> None:
    import random

    findings = kills.Findings()
    scenario = next(one for one in kills.SCENARIOS if one.name == "import")
    trial = kills.Trial(scenario, tmp_path, findings)
    trial.fill(random.Random(1))
    trial.fail(every=trial.operations + 1, counted=trial.operations // 2)
    assert not findings.broken
    assert any("full disk: import refused" in what for what in findings.done)
    assert any("operation fails: import refused" in what for what in findings.done)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", ["answers", "report", "index", "claims", "export", "training"])
def test_every_command_is_killed_and_filled_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(kills, "TRIES", 8)  # on a disk that fails again and again
    # Where a run takes longest, full and failing disks are the benchmark's alone.
    disks = int(name in ("answers", "report", "export"))
    found = kills.measure([name], tmp_path, kills=2, disks=disks, seed=6)
    assert not found.broken
    assert sum(count for what, count in found.done.items() if what.startswith("kill")) == 2


class FailingFile:
    """A file whose writes are cut short and then fail."""

    def __init__(self, file: Any, most: int) -> None:
        self._file, self._most = file, most

    def write(self, data: bytes) -> int:
        if self._most <= 0:
            raise OSError(errno.EIO, "Input/output error")
        part = data[: max(1, self._most)]
        self._most -= len(part)
        return self._file.write(part)

    def __enter__(self) -> FailingFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()


@pytest.mark.parametrize("most", [0, 1, 9, 30, 60])
def test_lines_appended_to_a_disk_that_fails_are_all_there_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    journal = Journal(tmp_path / "rows.jsonl")
    journal.append([{"n": 0}])
    opened = Path.open

    def open_failing(self: Path, mode: str = "r", *more: Any, **fields: Any) -> Any:
        file = opened(self, mode, *more, **fields)
        return FailingFile(file, most) if mode == "ab" else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_failing)
        with pytest.raises(StorageError, match="reports an error") as caught:
            journal.append([{"n": 1, "text": "x" * 20}, {"n": 2, "text": "y" * 20}])
    assert caught.value.remedy and len(str(caught.value).splitlines()) == 2
    assert list(journal.read()) == [{"n": 0}]
    journal.append([{"n": 3}])
    assert [record["n"] for record in journal.read()] == [0, 3]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full"),
        (OSError(errno.EIO, "x"), "the disk reports an error"),
        (OSError(errno.EDQUOT, "x"), "quota"),
        (OSError(errno.EROFS, "x"), "read-only"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (ValueError("LanceError(IO): Input/output error (os error 5)"), "reports an error"),
        (RuntimeError("database or disk is full"), "the disk is full"),
        (OSError(errno.ENOENT, "x"), ""),
        (ValueError("no such thing"), ""),
    ],
)
def test_whoever_tells_of_the_disk_it_is_understood(error: Exception, words: str) -> None:
    fault = find_disk_fault(error)
    assert (fault is None) == (not words)
    assert fault is None or words in fault.cause
    if words:
        with pytest.raises(StorageError, match=words), arm_failures():
            raise error
        with pytest.raises(StorageError, match=words), arm_failures():
            try:
                raise error
            except Exception as cause:
                raise InputError("the index cannot be opened") from cause


def test_outcomes_are_the_same_to_the_fifth_digit_and_no_further() -> None:
    found = {"rows": [{"logprob": -12.277949315, "output": "a"}], "openings": 1}
    near = {"rows": [{"logprob": -12.277947646, "output": "a"}], "openings": 1}
    far = {"rows": [{"logprob": -12.2770, "output": "a"}], "openings": 1}
    other = {"rows": [{"logprob": -12.277949315, "output": "b"}], "openings": 1}
    assert kills._is_same(found, near)  # pyright: ignore[reportPrivateUsage]
    assert not kills._is_same(found, far)  # pyright: ignore[reportPrivateUsage]
    assert not kills._is_same(found, other)  # pyright: ignore[reportPrivateUsage]


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("answers", "abcd", [1])
    [path] = tmp_path.rglob("abcd.json")
    path.write_bytes(b"\0" * 40)
    with pytest.raises(StorageError, match="damaged") as caught:
        store.read("answers", "abcd")
    assert str(path) in str(caught.value) and "run again" in caught.value.remedy
    journal = Journal(tmp_path / "rows.jsonl")
    journal.append([{"n": 1}, {"n": 2}])
    journal.path.write_bytes(journal.path.read_bytes().replace(b'{"n": 1}', b"\0\0\0\0\0\0\0\0"))
    with pytest.raises(StorageError, match="line 1"):
        list(journal.read())


def test_a_draft_never_stays_and_never_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), open_atomic(path) as file:
        file.write("half")
        file.flush()
        raise ZeroDivisionError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


@needs_compiler
def test_the_command_exits_with_2_and_two_lines_when_the_report_finds_no_room(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log.jsonl"
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho" * 5000}]
    log.write_text(json.dumps({"messages": turns}) + "\n")
    (tmp_path / "out").mkdir()
    words = ["import", str(log), "--out", str(tmp_path / "out" / "a.jsonl")]
    ended = faulty_disk.run(
        [sys.executable, "-m", "whatworks", *words],
        tmp_path / "out",
        faulty_disk.build(tmp_path),
        "full 2000",
    )
    assert ended.code == 2 and ended.faults, ended.said
    assert ended.complaint[0].startswith("whatworks: ") and "the disk is full" in ended.complaint[0]
    assert len(ended.complaint) == 2 and os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("error", ["OSError: [Errno 28] No space left on device", "it said no"])
def test_a_disk_that_fails_while_an_export_is_asked_is_not_blamed_on_the_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    from whatworks.app.export import parity
    from whatworks.base.progress import Silent

    monkeypatch.setattr(parity, "list_requests", lambda *_: [])
    monkeypatch.setattr(parity, "_run", lambda *_: error)
    chosen: Any = None
    if "28" in error:
        with pytest.raises(StorageError, match="the disk is full"):
            parity.check_parity(chosen, tmp_path, Silent())
    else:
        assert parity.check_parity(chosen, tmp_path, Silent()).error == error
    assert not (tmp_path / ".check").exists()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_network_disk_that_flushes_no_folders_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real = os.fsync

    def flush(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):
            raise OSError(number, "not offered")
        real(handle)

    monkeypatch.setattr(os, "fsync", flush)
    store = Store(tmp_path)
    store.write("answers", "abcd", [1])
    (store.workplace("k") / "half").write_text("x")
    assert store.read("answers", "abcd") == [1] and store.finish("k").is_dir()
    Journal(tmp_path / "rows.jsonl").append([{"n": 1}])


@pytest.mark.parametrize(
    "left", [(), (".unfinished.77.tmp",), (".unfinished", "train.jsonl.77.tmp")]
)
def test_a_copy_that_was_cut_short_is_written_anew(tmp_path: Path, left: tuple[str, ...]) -> None:
    from whatworks.studies.checks.check_task import check_task
    from whatworks.studies.checks.clean_copy import clean
    from whatworks.studies.open_study import open_study

    scenario = next(one for one in kills.SCENARIOS if one.name == "check")
    scenario.prepare(tmp_path)
    opened = open_study(tmp_path / "out" / "study.yaml", checked=False)
    findings = check_task(opened.task, opened.engine, opened.weights, opened.decoding, 0.02)
    folder = tmp_path / "out" / "study-clean"
    folder.mkdir()
    for name in left:
        (folder / name).write_text("")
    clean(opened.path, opened.task, findings)
    names = {path.name for path in folder.iterdir()}
    assert names == {"train.jsonl", "dev.jsonl", "test.jsonl"}
    with pytest.raises(InputError, match="there already"):
        clean(opened.path, opened.task, findings)
    (tmp_path / "out" / "study-clean.yaml").unlink()
    with pytest.raises(InputError, match="there already"):  # rows that stand there may be anyone's
        clean(opened.path, opened.task, findings)
