"""Forks a training process per folder: ``python -m whatworks.training.fork_server WORKER``.

It imports the worker's trainers once. Each line on its standard input is ``{"folder", "log",
"environment"}``; each is answered on standard output by the child's ``{"pid"}``, by what it prints,
and by ``{"exit", "memory"}`` when it has ended, memory in bytes. Before the first it says
``{"ready"}``. One child at a time. It ends when its standard input does.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import traceback
from typing import Any, NoReturn

from whatworks.training.process import THREADS


def main() -> None:
    """Serve until standard input ends."""
    importlib.import_module("torch")
    worker: Any = importlib.import_module(sys.argv[1])
    worker.preload()
    gc.freeze()  # else collecting would copy pages that parent and child share
    _tell(ready=1)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            _train(worker, **request)
        _, status, usage = os.wait4(pid, 0)
        _tell(exit=os.waitstatus_to_exitcode(status), memory=usage.ru_maxrss * 1024)


def _train(worker: Any, folder: str, log: str, environment: dict[str, str]) -> NoReturn:
    """Be the child: a session, a log and an environment of its own."""
    import torch  # in memory already

    code = 1
    try:
        os.setsid()
        _tell(pid=os.getpid())  # by the child: the server's line could be cut by the child's
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(file, sys.stderr.fileno())
        os.close(file)
        os.environ.clear()
        os.environ.update(environment)
        if THREADS in environment:  # the libraries have read the server's
            torch.set_num_threads(int(environment[THREADS]))
        sys.argv = [sys.argv[1], folder]
        code = worker.main()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _tell(**message: int) -> None:
    try:
        os.write(sys.stdout.fileno(), json.dumps(message).encode() + b"\n")
    except BrokenPipeError:  # nobody listens any more
        os._exit(1)


if __name__ == "__main__":
    main()
