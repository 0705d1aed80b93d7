from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatworks.analysis.result_rows import ResultRow, Results
from whatworks.base.errors import StorageError
from whatworks.base.store import Journal, Store, write_atomic


def test_values_come_back_and_missing_ones_are_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read("steps", "abcd") is None
    store.write("steps", "abcd", {"text": "\ud800 lone", "n": 1})
    assert store.read("steps", "abcd") == {"text": "\ud800 lone", "n": 1}


def test_an_artifact_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.workplace("k") / "half").write_text("x")
    assert not store.artifact("k").exists()
    assert (store.workplace("k") / "half").exists(), "a killed job finds its files again"
    store.finish("k")
    assert (store.artifact("k") / "half").read_text() == "x"


def test_a_torn_line_is_dropped_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    journal = Journal(path)
    journal.append([{"n": 1}, {"n": 2}])
    with path.open("ab") as file:
        file.write(b'{"n": 3, "text": "tor')
    assert [r["n"] for r in journal.read()] == [1, 2]
    journal.append([{"n": 4}])
    assert [r["n"] for r in journal.read()] == [1, 2, 4]


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers()), max_size=5), st.binary())
def test_any_torn_tail_leaves_the_whole_lines(records: list[Any], tail: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "j.jsonl")
        journal.append(records)
        with journal.path.open("ab") as file:
            file.write(tail.replace(b"\n", b" "))
        assert list(journal.read()) == records
        journal.append([{"last": 1}])
        assert list(journal.read()) == [*records, {"last": 1}]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "a.json"
    write_atomic(path, "old")
    journal = Journal(tmp_path / "j.jsonl")
    journal.append([{"n": 1}])

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        write_atomic(path, "new")
    with pytest.raises(StorageError, match="disk is full"):
        journal.append([{"n": 2}])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.glob("*.tmp")] == []
    assert list(journal.read()) == [{"n": 1}]


def test_a_really_full_device(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    link = tmp_path / "full.jsonl"
    link.symlink_to("/dev/full")
    with pytest.raises(StorageError, match="disk is full"):
        Journal(link).append([{"n": 1}])


def scored(candidate: str, example: str, value: float = 1.0) -> ResultRow:
    return ResultRow("sft", 0, "scored", example=example, candidate=candidate, value=value)


def test_later_candidates_and_failures_supersede(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl")
    results.append([scored("a", "1"), scored("a", "2")])
    assert len(results.rows()) == 2
    results.append([ResultRow("sft", 0, "failed", cause="out of memory")])
    assert [r.status for r in results.rows()] == ["failed"]
    results.append([scored("b", "1", 0.5)])
    assert [(r.candidate, r.value) for r in results.rows()] == [("b", 0.5)]
    assert [r.candidate for r in results.rows(back=1)] == ["a", "a"], "the failure is no run"


def test_a_failure_between_two_equal_successes_leaves_no_trace(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl")
    results.append([scored("a", "1"), scored("a", "2")])
    results.append([ResultRow("sft", 0, "failed", cause="out of memory")])
    results.append([scored("a", "1", 0.5), scored("a", "2", 0.5)])
    assert [(r.candidate, r.value) for r in results.rows()] == [("a", 0.5)] * 2
    assert not results.rows(back=1)
