"""What is wrong with a disk, by the error that it made: ours, the system's, or a library's."""

from __future__ import annotations

import errno
from dataclasses import dataclass

ELSEWHERE = "choose another folder with --out"


@dataclass(frozen=True)
class DiskFault:
    """A disk that does not take or give back what it should.

    Attributes:
        cause: What is wrong.
        remedy: What the user can do; "" where it depends on what was written.
    """

    cause: str
    remedy: str = ""


_FULL = DiskFault("the disk is full", "free some space and run again: it resumes")
_QUOTA = DiskFault("the disk quota is used up", "free some space and run again")
_BROKEN = DiskFault(
    "the disk reports an error", "see the system's log for the disk, then run again: it resumes"
)
_FAULTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _QUOTA,
    errno.EFBIG: DiskFault("the file is larger than this disk or its limit allows"),
    errno.EROFS: DiskFault("the disk is read-only"),
    errno.EIO: _BROKEN,
    errno.ESTALE: DiskFault("the network disk lost its connection", "run again: it resumes"),
}
# What libraries say whose errors have no number: safetensors, torch, SQLite, LanceDB.
_TEXTS = {
    "no space left on device": _FULL,
    "os error 28": _FULL,
    "database or disk is full": _FULL,
    "pytorchstreamwriter failed writing": _FULL,
    ". unexpected pos ": _FULL,
    "os error 27": _FAULTS[errno.EFBIG],
    "disk quota exceeded": _QUOTA,
    "os error 122": _QUOTA,
    "disk i/o error": _BROKEN,
    "input/output error": _BROKEN,
    "os error 5)": _BROKEN,
}


def find_disk_fault(error: BaseException) -> DiskFault | None:
    """What an error says of the disk, None where it says something else."""
    if isinstance(error, OSError) and error.errno is not None:
        return _FAULTS.get(error.errno)
    if not isinstance(error, Exception):
        return None
    text = str(error).lower()
    return next((fault for sign, fault in _TEXTS.items() if sign in text), None)
