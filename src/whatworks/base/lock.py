"""Locks: what one process at a time may write.

A lock is a file that exists while it is held and names its holder: process id and host. Every
machine that shares a folder sees the file, where it often does not see the locks of another's
operating system: so a lock also holds on network file systems. A holder on this machine that no
longer runs has lost its lock. Whether one on another machine still runs cannot be known here: the
message says so, and the file is the user's to remove.
"""

from __future__ import annotations

import glob
import os
import socket
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from whatworks.base.errors import InputError
from whatworks.base.store import explain_disk_errors, remove_drafts

LOCK = "run.lock"
"""Name of the lock in a folder that is held."""
PATIENCE_SECONDS = 20.0
"""How long a holder on another machine, which may have died, is waited for."""
TORN_SECONDS = 1.0
"""How long a lock may lack its end: its one line or two are written at once."""


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

    with explain_disk_errors(path):
        before = read_holder(path)
        _remove_torn(path)
        lock = SoftFileLock(path, thread_local=False)
        try:
            lock.acquire(timeout=seconds, poll_interval=0.05)
        except (Timeout, FileNotFoundError):  # another just took an empty folder away again
            raise _make_refusal(path, what) from None
        # filelock moves a stale lock aside by such a name, and may be killed before it is gone.
        for left in path.parent.glob(f"{glob.escape(path.name)}.break.*"):
            left.unlink(missing_ok=True)
    try:
        yield before
    finally:
        lock.release()


@contextmanager
def wait_for_lock(path: Path, what: str) -> Generator[None]:
    """Hold a lock, after waiting for as long as a process of this machine holds it.

    Args:
        path: The lock's file; its folder exists.
        what: What is held, as the message names it.

    Raises:
        InputError: If a process of another machine holds it for long.
        StorageError: If the lock cannot be written.
    """
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold_lock(path, what, seconds=PATIENCE_SECONDS))
                break
            except InputError:
                holder = read_holder(path)
                if holder and not _is_here(holder):
                    raise
        yield


@contextmanager
def hold_folder(path: Path) -> Generator[str]:
    """Hold a folder by ``run.lock`` in it; it is made, and goes again if nothing was written.

    What its last holder was writing when it was killed is removed.

    Yields and raises what ``hold_lock`` does.
    """
    new = [one for one in (path, *path.parents) if not one.exists()]
    with explain_disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    try:
        with hold_lock(path / LOCK, "this folder") as before:
            if before:
                remove_drafts(path.rglob("*.tmp"))
            yield before
    finally:
        for folder in new:
            if any(folder.iterdir()):
                break
            folder.rmdir()


@contextmanager
def hold_file(path: Path) -> Generator[str]:
    """Hold a file that is to be written, by a hidden ``.NAME.lock`` beside it.

    What its last holder was writing when it was killed is removed.

    Yields and raises what ``hold_lock`` does.
    """
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(path.with_name(f".{path.name}.lock"), path.name) as before:
        if before:
            remove_drafts(path.parent.glob(f"{glob.escape(path.name)}.*.tmp"))
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


def is_held(path: Path) -> bool:
    """Whether the holder of a lock still runs, as far as this machine can know.

    One on another machine is taken to run.
    """
    try:
        process, host, *_ = path.read_text("utf-8").split("\n")
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    if host.partition("?")[0] != socket.gethostname() or not process.isdecimal():
        return True
    if sys.platform == "win32":  # where signal 0 would end it
        import psutil

        return psutil.pid_exists(int(process))
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove_torn(path: Path) -> None:
    """Remove a lock that stays torn: whoever wrote it was killed before it held anything."""
    torn = _read_torn(path)
    if torn is None:
        return
    time.sleep(TORN_SECONDS)
    if _read_torn(path) == torn:
        path.unlink(missing_ok=True)


def _read_torn(path: Path) -> tuple[int, int, bytes] | None:
    """A lock's file that lacks its end, with what tells it from a later one; else None."""
    try:
        content, stat = path.read_bytes(), path.stat()
    except FileNotFoundError:
        return None
    whole = content.endswith(b"\n") or stat.st_size > len(content)
    return None if whole else (stat.st_ino, stat.st_mtime_ns, content)


def _make_refusal(path: Path, what: str) -> InputError:
    holder = read_holder(path) or "another process"
    if _is_here(holder):
        remedy = "wait until it has ended, or end it"
    else:
        remedy = f"wait until it has ended; if nothing runs there any more, remove {path.name}"
    return InputError(f"{holder} holds {what}", place=str(path.parent), remedy=remedy)


def _is_here(holder: str) -> bool:
    return holder.endswith(f" on {socket.gethostname()}")
