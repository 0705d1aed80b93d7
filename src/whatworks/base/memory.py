"""Main memory: whether an error says that it ran out, and how much a process has held."""

from __future__ import annotations

import sys

_SIGNS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "bad_alloc",
    "cublas_status_alloc_failed",
)
"""What errors say when memory runs out: torch, the C++ library, CUDA, the operating system."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no more memory, of this machine or of its GPU."""
    if isinstance(error, MemoryError):
        return True
    message = str(error).lower()
    return isinstance(error, Exception) and any(sign in message for sign in _SIGNS)


def measure_peak_memory() -> tuple[int, int]:
    """Most main memory that this process, and any of its children so far, has held; in bytes.

    Windows does not tell what children held: 0.
    """
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset, 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    mine, theirs = (resource.getrusage(kind).ru_maxrss * unit for kind in kinds)
    return mine, theirs
