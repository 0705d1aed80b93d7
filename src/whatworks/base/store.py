"""Runs on disk: content-addressed, written atomically, safe to kill at any moment.

``Store`` keeps values (JSON) and artifacts (folders) under keys that say what they were made from.
``Journal`` is an append-only JSONL file; a line torn by a kill is dropped when it is opened again.
What is written here is on the disk when the call returns: a machine that is lost then loses none
of it, and never finds a file that is half there.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from whatworks.base.disk_faults import ELSEWHERE
from whatworks.base.errors import StorageError, WhatworksError, make_storage_error

_NOT_OFFERED = {
    errno.EINVAL,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EACCES,
    errno.EPERM,
    errno.EBADF,
}
"""What a disk says that cannot be told to flush a folder, or whose folder may be written only."""


class Store:
    """Content-addressed values and artifacts below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, kind: str, key: str) -> Any | None:
        """The value stored under this key, None when there is none.

        Raises:
            StorageError: If its file cannot be read, or is not what was written.
        """
        path = self._value(kind, key)
        with explain_disk_errors(path):
            try:
                return json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                return None
            except ValueError as error:
                raise _make_damage_error(path, f"{error}") from error

    def write(self, kind: str, key: str, value: Any) -> None:
        """Store a JSON-able value, all or nothing."""
        text = json.dumps(value, ensure_ascii=True)
        path = self._value(kind, key)
        if not _says(path, text):  # a run that resumes writes what it finds
            write_atomic(path, text)

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
                sync_tree(self.workplace(key))
                os.replace(self.workplace(key), final)
                _sync(final.parent)
        return final

    def _value(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:2] / f"{key}.json"


class Journal:
    """An append-only JSONL file.

    Several lines are appended together or, where that fails, not at all. Of an append that a kill
    cuts short, the first lines may be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, records: Iterable[Any]) -> None:
        """Append one line per record and wait until they are on disk."""
        data = "".join(json.dumps(record, ensure_ascii=True) + "\n" for record in records).encode()
        if not data:
            return
        with explain_disk_errors(self.path):
            make_folder(self.path.parent)
            new = not self.path.exists()
            # Unbuffered: what a buffer still held after an error would be written when it closes.
            with self.path.open("ab", buffering=0) as file:
                start = self._mend()
                try:
                    rest = memoryview(data)
                    while rest:
                        rest = rest[file.write(rest) :]
                    os.fsync(file.fileno())
                except OSError:
                    with suppress(OSError):
                        os.truncate(self.path, start)
                    raise
            if new:
                _sync(self.path.parent)

    def read(self) -> Iterator[Any]:
        """The records, oldest first; a torn last line is left out.

        Raises:
            StorageError: If the file cannot be read, or another line is none of ours.
        """
        with explain_disk_errors(self.path):
            if not self.path.exists():
                return
            with self.path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if not line.endswith(b"\n"):
                        continue
                    try:
                        record = json.loads(line)
                    except ValueError as error:
                        raise _make_damage_error(self.path, f"line {number}: {error}") from error
                    yield record

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
    """Write a whole file or leave what was there untouched.

    Raises:
        StorageError: If it cannot be written.
    """
    with open_atomic(path) as file:
        file.write(text)


@contextmanager
def open_atomic(path: Path) -> Generator[IO[str]]:
    """A file to write text to, which takes the place of ``path`` when the block ends well.

    Its draft has a number drawn by chance in its name: processes of several machines, whose ids may
    be the same, and threads of one may write the same file at once.

    Raises:
        StorageError: If it cannot be written.
    """
    with explain_disk_errors(path):
        make_folder(path.parent)
        draft = path.with_name(f"{path.name}.{secrets.randbelow(10**12)}.tmp")
        try:
            with draft.open("w", encoding="utf-8") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        _sync(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder with those above it, and nothing where it is there."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)


def remove_drafts(drafts: Iterable[Path]) -> None:
    """Remove, of files that end in ``.tmp``, the drafts of ``open_atomic``: NAME.NUMBER.tmp."""
    for draft in drafts:
        if is_draft(draft):
            with suppress(OSError):
                draft.unlink()


def is_draft(path: Path) -> bool:
    """Whether a file is called like a draft of ``open_atomic``."""
    return re.fullmatch(r".+\.\d+\.tmp", path.name) is not None


def sync_tree(folder: Path) -> None:
    """Wait until every file below a folder is on the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Windows and some network disks have no such call for folders: there the system sees to it.
    """
    if sys.platform == "win32":
        return
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise


def _says(path: Path, text: str) -> bool:
    """Whether a file holds a text."""
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        return False


def _make_damage_error(path: Path, how: str) -> StorageError:
    return StorageError(
        f"this file is damaged ({how})",
        place=str(path),
        remedy="the disk lost what was written; remove the file and run again, it is made anew",
    )


@contextmanager
def explain_disk_errors(path: Path, elsewhere: str = ELSEWHERE) -> Generator[None]:
    """Turn an error of the disk, the system's or a library's, into one that says what to do.

    Args:
        path: What is written.
        elsewhere: The remedy where nothing can be written there.

    Raises:
        StorageError: For a disk that is full or fails, and for any error of the system.
    """
    try:
        yield
    except WhatworksError:
        raise
    except Exception as error:
        if storage := make_storage_error(error, str(path), elsewhere):
            raise storage from error
        if not isinstance(error, OSError):
            raise
        causes = {
            errno.EACCES: "writing is not allowed here",
            errno.EPERM: "writing is not allowed here",
            errno.ENOTDIR: "a file is in the way of a folder",
            errno.EEXIST: "a file is in the way of a folder",
        }
        if error.errno not in causes:
            raise
        raise StorageError(causes[error.errno], place=str(path), remedy=elsewhere) from error
