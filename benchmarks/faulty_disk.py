"""Programs on a disk that misbehaves: ``faulty_disk.c`` built, and run with one of its modes."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
STATE = 4 * ctypes.sizeof(ctypes.c_long) + 512
"""Bytes of ``struct state``."""


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        code: Its exit code, negative for a signal.
        said: Standard output and standard error.
        seconds: How long it ran.
        operations: What it did to the disk; those of all its processes.
        bytes: What it wrote.
        faults: How often the disk misbehaved.
        what: What it did at the last fault, and to which file (seen from the folder).
    """

    code: int
    said: tuple[str, str]
    seconds: float
    operations: int = 0
    bytes: int = 0
    faults: int = 0
    what: str = ""

    @property
    def complaint(self) -> list[str]:
        """The lines with which it refused."""
        lines = self.said[1].strip().splitlines()
        begin = next((i for i, line in enumerate(lines) if line.startswith("whatworks: ")), None)
        return [] if begin is None else lines[begin:]


def can_build() -> bool:
    """Whether there is a C compiler for Linux's way of putting a library before others."""
    return sys.platform == "linux" and shutil.which("cc") is not None


def build(folder: Path) -> Path:
    """The library, built into a folder."""
    made = folder / "faulty_disk.so"
    if not made.exists():
        words = ["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(SOURCE), "-ldl"]
        subprocess.run(words, check=True)
    return made


def run(
    words: Sequence[str],
    root: Path,
    library: Path,
    mode: str = "count",
    *,
    environment: Mapping[str, str] | None = None,
    kill_after: float | None = None,
    limit: float = 300.0,
    counted: int = 0,
) -> Ended:
    """Run a program on the disk below ``root``.

    Args:
        words: The command.
        root: The folder that misbehaves.
        library: What ``build`` returned.
        mode: As ``faulty_disk.c`` says: ``count``, ``kill 12 all``, ``full 4096``, ``error 100``.
        environment: Beside that of this process.
        kill_after: Kill it with SIGKILL after so many seconds.
        limit: Most seconds that it may run.
        counted: Operations that came before: the disk goes on from there.

    Raises:
        subprocess.TimeoutExpired: If it hangs.
    """
    state = library.with_name(f"state-{os.getpid()}")
    state.write_bytes(counted.to_bytes(8, "little") + bytes(STATE - 8))
    faulty = {
        "LD_PRELOAD": str(library),
        "FAULTY_ROOT": str(root.resolve()),
        "FAULTY_STATE": str(state),
        "FAULTY_MODE": mode,
    }
    began = time.monotonic()
    with subprocess.Popen(
        words,
        env={**os.environ, **(environment or {}), **faulty},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            said = child.communicate(timeout=limit if kill_after is None else kill_after)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            said = child.communicate()
            if kill_after is None:
                raise
    return Ended(child.returncode, said, time.monotonic() - began, *_read(state))


def _read(state: Path) -> tuple[int, int, int, str]:
    data = state.read_bytes()
    operations, size, faults, _ = memoryview(data)[:32].cast("l").tolist()
    what, where = (part.split(b"\0")[0].decode() for part in (data[32:64], data[64:]))
    return operations, size, faults, f"{what} {where}".strip()
