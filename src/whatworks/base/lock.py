"""Locks: what one process at a time may write.

A lock is a file that exists while it is held and names its holder: process id and host. Every
machine that shares a folder sees the file, where it often does not see the locks of another's
operating system: so a lock also holds on network file systems. A holder on this machine that no
longer runs has lost its lock. Whether one on another machine still runs cannot be known here: the
message says so, and the file is the user's to remove.
"""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from whatworks.base.errors import InputError
from whatworks.base.store import explain_disk_errors

LOCK = "run.lock"
"""Name of the lock in a folder that is held."""


@contextmanager
def hold_lock(path: Path, what: str, *, seconds: float = 0.0) -> Generator[str]:
    """Hold a lock while the block runs.

    Args:
        path: The lock's file; its folder exists.
        what: What is held, as the message names it: "this folder".
        seconds: How long to wait for another holder.

    Yields:
        Who held the lock last, where that process ended without letting go; else "".

    Raises:
        InputError: If another process holds it; the message names it.
        StorageError: If the lock cannot be written.
    """
    from filelock import SoftFileLock, Timeout

    before = read_holder(path)
    lock = SoftFileLock(path, thread_local=False)
    with explain_disk_errors(path):
        try:
            lock.acquire(timeout=seconds, poll_interval=0.05)
        except (Timeout, FileNotFoundError):  # another just took an empty folder away again
            raise _make_refusal(path, what) from None
    try:
        yield before
    finally:
        lock.release()


@contextmanager
def hold_folder(path: Path) -> Generator[str]:
    """Hold a folder by ``run.lock`` in it; it is made, and goes again if nothing was written.

    Yields and raises what ``hold_lock`` does.
    """
    new = [one for one in (path, *path.parents) if not one.exists()]
    with explain_disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    try:
        with hold_lock(path / LOCK, "this folder") as before:
            yield before
    finally:
        for folder in new:
            if any(folder.iterdir()):
                break
            folder.rmdir()


@contextmanager
def hold_file(path: Path) -> Generator[str]:
    """Hold a file that is to be written, by a hidden ``.NAME.lock`` beside it.

    Yields and raises what ``hold_lock`` does.
    """
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(path.with_name(f".{path.name}.lock"), path.name) as before:
        yield before


def read_holder(path: Path) -> str:
    """Who a lock's file says holds it, "process 12 on HOST"; "" where there is no such file."""
    try:
        process, host, *_ = path.read_text("utf-8").split("\n")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):  # a file that was torn as its holder was killed
        return "another process"
    return f"process {process} on {host.partition('?')[0]}"


def _make_refusal(path: Path, what: str) -> InputError:
    holder = read_holder(path) or "another process"
    if holder.endswith(f" on {socket.gethostname()}"):
        remedy = "wait until it has ended, or end it"
    else:
        remedy = f"wait until it has ended; if nothing runs there any more, remove {path.name}"
    return InputError(f"{holder} holds {what}", place=str(path.parent), remedy=remedy)
