"""Threads: by the cores that are there and free."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from whatworks.models.local import threads

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of itself")


@linux
def test_a_bound_process_has_the_cores_it_is_bound_to() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert threads.count_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


@linux
def test_cores_that_others_keep_busy_are_not_free() -> None:
    """As many processes as there are cores: one core is left, which we share with them."""
    with ExitStack() as busy:
        for _ in range(os.cpu_count() or 1):
            process = busy.enter_context(
                subprocess.Popen([sys.executable, "-c", "while True: pass"])
            )
            busy.callback(process.kill)
        time.sleep(0.5)
        assert threads.count_free_cores() == 1


def test_free_cores_are_some_of_those_at_hand() -> None:
    assert 1 <= threads.count_free_cores() <= threads.count_cores()


def test_small_models_take_one_thread() -> None:
    assert threads.choose_threads(600_000) == 1
    assert threads.choose_threads(135_000_000) > 64
