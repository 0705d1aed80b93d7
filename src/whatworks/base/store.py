"""Runs on disk: content-addressed, written atomically, safe to kill at any moment.

``Store`` keeps values (JSON) and artifacts (folders) under keys that say what they were made from.
``Journal`` is an append-only JSONL file; a line torn by a kill is dropped when it is opened again.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from whatworks.base.errors import StorageError


class Store:
    """Content-addressed values and artifacts below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, kind: str, key: str) -> Any | None:
        """The value stored under this key, None when there is none."""
        path = self._value(kind, key)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def write(self, kind: str, key: str, value: Any) -> None:
        """Store a JSON-able value, all or nothing."""
        write_atomic(self._value(kind, key), json.dumps(value, ensure_ascii=True))

    def artifact(self, name: str) -> Path:
        """Folder of a finished artifact, or a path inside one (``key/checkpoint``)."""
        return self.root / "artifacts" / name

    def so_far(self, name: str) -> Path:
        """The same, or what is there of an artifact that is still being made."""
        final, early = self.artifact(name), self.root / "unfinished" / name
        return early if early.exists() and not final.exists() else final

    def workplace(self, key: str) -> Path:
        """Folder in which the artifact ``key`` is being made; it survives a kill."""
        folder = self.root / "unfinished" / key
        with explain_disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def finish(self, key: str) -> Path:
        """Move the workplace of ``key`` to its final place, in one step."""
        final = self.artifact(key)
        with explain_disk_errors(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.exists():
                shutil.rmtree(self.workplace(key))
            else:
                os.replace(self.workplace(key), final)
        return final

    def _value(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:2] / f"{key}.json"


class Journal:
    """An append-only JSONL file. Several lines are appended together or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, records: Iterable[Any]) -> None:
        """Append one line per record and wait until they are on disk."""
        text = "".join(json.dumps(record, ensure_ascii=True) + "\n" for record in records)
        if not text:
            return
        with explain_disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                start = self._mend()
                file.seek(start)
                try:
                    file.write(text.encode("utf-8"))
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    os.truncate(self.path, start)
                    raise

    def read(self) -> Iterator[Any]:
        """The records, oldest first; a torn last line is left out."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def _mend(self) -> int:
        """Cut off a torn last line; returns the length of what remains, in bytes."""
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            if size:
                file.seek(size - 1)
            if not size or file.read(1) == b"\n":
                return size
            file.seek(0)
            whole = sum(len(line) for line in file if line.endswith(b"\n"))
        os.truncate(self.path, whole)
        return whole


def write_atomic(path: Path, text: str) -> None:
    """Write a whole file or leave what was there untouched."""
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def explain_disk_errors(
    path: Path, elsewhere: str = "choose another folder with --out"
) -> Generator[None]:
    """Turn a full or read-only disk into an error that says so.

    Args:
        path: What is written.
        elsewhere: The remedy where nothing can be written there.
    """
    try:
        yield
    except OSError as error:
        causes = {
            errno.ENOSPC: ("the disk is full", "free some space and run again: it resumes"),
            errno.EDQUOT: ("the disk quota is used up", "free some space and run again"),
            errno.EROFS: ("the disk is read-only", elsewhere),
            errno.EACCES: ("writing is not allowed here", elsewhere),
            errno.ENOTDIR: ("a file is in the way of a folder", elsewhere),
            errno.EEXIST: ("a file is in the way of a folder", elsewhere),
        }
        if error.errno not in causes:
            raise
        cause, remedy = causes[error.errno]
        raise StorageError(cause, place=str(path), remedy=remedy) from error
