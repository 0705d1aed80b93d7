"""How many CPU threads a model gains from, found by timing it.

A small model runs slower on several threads than on one, all the more where cores are busy; a
larger one gains. The timing costs a few forward passes, once per model and process.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Generator

import torch

GAIN = 0.9
"""More threads are taken only where they need less than this share of the time."""

_REPEATS = 5


def best(run: Callable[[], object], most: int) -> int:
    """The number of threads, 1 to ``most``, with which ``run`` is quickest.

    Doubles the count while that helps, so that a small model pays for two counts only. The median
    of a few runs stands for a count: one run that another process disturbed does not decide.

    Args:
        run: The work to time, a few milliseconds long.
        most: The upper limit.
    """
    chosen, best_time = 1, _median_time(run, 1)
    count = 1
    while count < most:
        count = min(2 * count, most)
        seconds = _median_time(run, count)
        if seconds > GAIN * best_time:
            break
        chosen, best_time = count, seconds
    return chosen


@contextlib.contextmanager
def using(count: int) -> Generator[None]:
    """Run with this many threads, and put the process's own number back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _median_time(run: Callable[[], object], count: int) -> float:
    with using(count):
        run()
        times: list[float] = []
        for _ in range(_REPEATS):
            started = time.perf_counter()
            run()
            times.append(time.perf_counter() - started)
    return statistics.median(times)
