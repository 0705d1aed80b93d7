"""The process that trains: started, listened to, ended.

It prints one JSON object per line and ends when its standard input does, that is when the process
that holds the other end is gone, however that ended.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from whatworks.base.errors import ArmFailure

GRACE_SECONDS = 5.0
THREADS = "OMP_NUM_THREADS"

Message = dict[str, Any]

_peak = 0
_server: ForkServer | None = None
_using = threading.Lock()


class Child:
    """A training process, or one that a server has forked; leaving it as a context ends it.

    Attributes:
        code: Its return code, negative for a signal; None while it runs.
    """

    def __init__(self, pid: int, messages: Iterator[Message]) -> None:
        self.code: int | None = None
        self._pid = pid
        self._messages = messages

    def messages(self) -> Iterator[Message]:
        """What it says, until it has ended."""
        global _peak
        for message in self._messages:
            if "exit" in message:
                self.code = message["exit"]
                _peak = max(_peak, message.get("memory", 0))
            else:
                yield message

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *error: object) -> None:
        """End it and whatever it started, if it runs still."""
        if self.code is not None:
            return
        late = threading.Timer(GRACE_SECONDS, self._signal, [signal.SIGKILL])
        self._signal(signal.SIGTERM)
        late.start()
        for _ in self.messages():
            pass
        late.cancel()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, number)


@contextlib.contextmanager
def start_child(
    worker: str,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    launcher: Sequence[str] = (),
) -> Generator[Child]:
    """A child that runs ``worker`` on a folder, and is ended when the block is left.

    Where the trainers can be imported once and forked, they are: importing takes several seconds
    of a core, as long as a small training. One child at a time; a second one starts on its own.

    Args:
        worker: Module with ``main``, and ``preload`` to import what it needs.
        folder: Its argument.
        log: File that its standard error is added to.
        environment: Its environment.
        launcher: A module, with its arguments, that starts the worker, as several processes; they
            have its standard input and output.

    Raises:
        ArmFailure: On Windows, which has no sessions of processes to end.
    """
    if sys.platform == "win32":
        raise ArmFailure(
            "training runs on Linux and macOS, not on Windows",
            remedy="use the Windows Subsystem for Linux, or arms that do not train",
        )
    if not launcher and _can_fork() and _using.acquire(blocking=False):
        try:
            server = _get_server(worker, environment, log)
            if not server.ended:  # else what it could not import is told by a child on its own
                with server.fork(folder, log, environment) as child:
                    yield child
                return
        finally:
            _using.release()
    process = _start_python([*launcher, worker, str(folder)], environment, log)
    with Child(process.pid, _read_until_exit(process)) as child:
        try:
            yield child
        finally:  # it reaches what a launcher has started in sessions of its own
            _close_input(process)


def prepare(worker: str, environment: Mapping[str, str]) -> None:
    """Start the server now, where there is to be one, so that no child's time includes it."""
    if _can_fork():
        with _using:
            _get_server(worker, environment, Path(os.devnull))


def close() -> None:
    """End the server, if there is one: what it has used is then known to the system."""
    if _server is not None:
        _server.close()


def measure_peak_memory() -> int:
    """Most main memory that a forked child of this process has held so far, in bytes."""
    return _peak


class ForkServer:
    """A process that has imported a worker's trainers and forks a child for each folder."""

    def __init__(self, worker: str, environment: Mapping[str, str], log: Path) -> None:
        self.worker = worker
        self._process = _start_python([f"{__package__}.fork_server", worker], environment, log)
        atexit.register(self.close)
        self._listen()  # until it is ready, or has ended

    def fork(self, folder: Path, log: Path, environment: Mapping[str, str]) -> Child:
        """A child of its own session; its first message, its process id, is read here."""
        request = {"folder": str(folder), "log": str(log), "environment": dict(environment)}
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        first = self._listen()
        if "pid" in first:
            return Child(first["pid"], self._messages())
        return Child(self._process.pid, iter([first]))

    @property
    def ended(self) -> bool:
        """Whether it can be asked no more."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End it; a child that it has forked ends with it."""
        self._process.kill()
        if self._process.stdout and not self._process.stdout.closed:
            for _ in _read_until_exit(self._process):
                pass

    def _listen(self) -> Message:
        """The next message; the server is ended where the wait for it is broken off."""
        try:
            return next(self._messages())
        except BaseException:
            self.close()
            raise

    def _messages(self) -> Iterator[Message]:
        for message in _read_until_exit(self._process):
            yield message
            if "exit" in message:
                return


def _get_server(worker: str, environment: Mapping[str, str], log: Path) -> ForkServer:
    """The server of this process, started anew where it ended or serves another worker."""
    global _server
    if _server is not None and (_server.ended or _server.worker != worker):
        _server.close()
        _server = None
    if _server is None:
        _server = ForkServer(worker, environment, log)
    return _server


def _can_fork() -> bool:
    """Whether forking is safe here: elsewhere system libraries, or a GPU's driver, forbid it."""
    if sys.platform != "linux":
        return False
    import torch

    return not torch.accelerator.is_available()


def _start_python(
    words: list[str], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            env=environment,
            start_new_session=True,
        )


def _read_until_exit(process: subprocess.Popen[bytes]) -> Iterator[Message]:
    """What a process prints, and how it ended."""
    out: IO[bytes] | None = process.stdout
    assert out is not None
    for line in out:
        yield json.loads(line)
    code = process.wait()
    out.close()
    _close_input(process)
    yield {"exit": code}


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
