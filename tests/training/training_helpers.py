from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from whatworks.data.task import Message
from whatworks.training.job import Trained, TrainingJob
from whatworks.training.settings import AnySettings

if TYPE_CHECKING:
    from torch import Tensor

ANSWERS = ["red", "blue", "green", "a yellow one, please"]

Run = tuple[Trained, Path]
Train = Callable[..., Run]


def job_of(settings: AnySettings, **fields: Any) -> TrainingJob:
    return TrainingJob(settings=settings, **fields)


def ask(i: int) -> Message:
    return Message(role="user", content=f"colour {i}?")


def tensors(folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(next(folder.glob("*.safetensors")))


def moved(before: Path, after: Path) -> set[str]:
    """Names of the tensors that differ between two checkpoints of the same shape."""
    old, new = tensors(before), tensors(after)
    assert old.keys() == new.keys()
    return {name for name in old if not old[name].equal(new[name])}


def workers() -> list[psutil.Process]:
    """The training processes that this process has started or had forked by a server."""
    found: list[psutil.Process] = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is none to psutil
            words = process.cmdline()
            server = "whatworks.training.fork_server" in words and process.ppid() == os.getpid()
            if "whatworks.training.worker" in words and not server:
                found.append(process)
    return found


def kill_worker() -> None:
    """Kill it, unless that has been done."""
    for worker in workers():
        worker.kill()


def kill_servers() -> None:
    """Kill what forks them."""
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "whatworks.training.fork_server" in process.cmdline():
                process.kill()
