"""Ctrl-C that comes where what is raised goes nowhere."""

from __future__ import annotations

import subprocess
import sys
import time

SWALLOWED = """
import signal, time, typer
from whatworks.app.cli.app import INTERRUPTED, catch_interrupt

class Last:
    def __del__(self):  # what is raised here, or in a callback of a library, goes nowhere
        signal.raise_signal(signal.SIGINT)
        for _ in range(1000): pass

last = Last()
try:
    with catch_interrupt():
        del last
        print("swallowed", flush=True)
        time.sleep(20)
        print("lost", flush=True)
except typer.Exit as end:
    assert end.exit_code == INTERRUPTED
    print("stopped", flush=True)
"""


def test_an_interrupt_that_is_swallowed_comes_again() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWED], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["swallowed", "stopped"], done.stderr
    assert "Traceback" not in done.stderr and time.monotonic() - began < 15
