"""How many threads a model computes with on a CPU, by its size and by the cores at hand.

A small model runs slower on several threads than on one: it waits more than it works. And several
threads beside other processes wait for the one whose core is taken: two that wait by spinning, as
OpenMP does by default, were up to thirty times slower there than one.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator
from pathlib import Path

PARAMETERS_PER_THREAD = 1_000_000
"""A thread with less to do than this waits more than it works."""
BRIEF_WAITS = {"GOMP_SPINCOUNT": "1000"}
"""Environment in which OpenMP's threads give up their core soon when they wait for each other. On
a busy machine two threads were up to ten times as fast so. Read when the library is loaded."""
_READS, _APART = 3, 0.001
"""How often the running processes are counted, and seconds between."""


def count_cores() -> int:
    """Cores that this process may use: what it is bound to, and what its cgroup may take."""
    bound = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    count = len(bound(0)) if bound else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        if quota != "max":
            count = min(count, int(quota) // int(period))
    return max(1, count)


def count_free_cores() -> int:
    """Cores at hand without those that other processes keep busy now; 1 at least.

    A process counts that was running, or waiting for a core, at every look. Where the system does
    not say, none does.
    """
    mine, running = count_cores(), []
    with contextlib.suppress(OSError, ValueError, IndexError):
        for look in range(_READS):
            time.sleep(_APART if look else 0.0)
            text = Path("/proc/loadavg").read_text("ascii")
            running.append(int(text.split()[3].split("/")[0]) - 1)  # this thread runs, too
    others = min(running, default=0) * mine / (os.cpu_count() or mine)
    return max(1, mine - round(others))


def choose_threads(parameters: int) -> int:
    """Threads that a model of this size gains from, however many cores there are."""
    return max(1, parameters // PARAMETERS_PER_THREAD)


@contextlib.contextmanager
def use_threads(count: int) -> Generator[None]:
    """Run with this many threads, and put the process's own number back afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
