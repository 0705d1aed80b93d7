"""``executor: processes``: workers on this machine that make units beside the study itself."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO, Any

from whatworks.models.files import resolve
from whatworks.models.local import threads
from whatworks.models.open_engine import is_served, runs_here
from whatworks.studies.executors.order import Order
from whatworks.studies.executors.pool import Lost, News, Unable, Unmade
from whatworks.studies.units import Unit
from whatworks.training.launch import count_parameters, has_accelerator

WORKER = "whatworks.studies.executors.worker"


class ProcessMaker:
    """Makes units in a child process, started with the first and again after it was lost.

    The child ends when this process does, by whatever signal: its standard input is closed then.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None
        self._closed = False

    def make(self, unit: Unit, tell: Callable[[News], None]) -> None:
        """See ``pool.Maker``."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(unit.model_dump_json() + "\n")
            process.stdin.flush()
        for line in process.stdout:
            message: dict[str, Any] = json.loads(line)
            if "made" in message:
                return
            if "unmade" in message:
                raise Unmade(message["unmade"])
            if "unable" in message:
                raise Unable(message["unable"])
            tell(News(**message))
        raise Lost(f"a worker ended early ({self._say_end(process)})")

    def interrupt(self) -> None:
        """End the child; its training, if any, ends with it."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """End the child."""
        self.interrupt()
        if self._process is not None:
            self._say_end(self._process)

    def _start(self) -> subprocess.Popen[str]:
        if self._closed:
            raise Unable("it is closed")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (the child's, as long as it lives)
        return subprocess.Popen(
            [sys.executable, "-m", WORKER, self._order.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**threads.BRIEF_WAITS, **os.environ},
            start_new_session=True,  # an interrupt is the study's to hear
        )

    def _say_end(self, process: subprocess.Popen[str]) -> str:
        """How a child ended: its exit code, and what it said last."""
        self._process = None
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        said = ""
        if self._log is not None:
            self._log.seek(0)
            lines = self._log.read().decode("utf-8", errors="replace").strip().splitlines()
            said = f": {lines[-1].strip()[:200]}" if lines and code > 0 else ""
            self._log.close()
        return f"exit {code}{said}" if code >= 0 else f"signal {-code}"


def choose_jobs(model: str) -> int:
    """How many units a machine makes at once without their slowing each other down.

    Those of a server or a script need no core for long. A model's training computes on so many
    threads, of which several sets would only contend; with a GPU, one unit has it.
    """
    cores = threads.count_cores()
    if is_served(model) or not runs_here(model):
        return cores
    if has_accelerator():
        return 1
    wanted = threads.choose_threads(count_parameters(resolve(model)))
    return max(1, cores // min(wanted, cores))
