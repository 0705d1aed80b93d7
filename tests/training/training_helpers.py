from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from whatworks.task import Message
from whatworks.training.job import Schedule, Trained, TrainingJob

ANSWERS = ["red", "blue", "green", "a yellow one, please"]

Run = tuple[Trained, Path]
Train = Callable[..., Run]


def job_of(settings: Schedule, **fields: object) -> TrainingJob:
    return TrainingJob(settings=settings, **fields)


def ask(i: int) -> Message:
    return Message(role="user", content=f"colour {i}?")


def tensors(folder: Path) -> dict[str, object]:
    from safetensors.torch import load_file

    return load_file(next(folder.glob("*.safetensors")))


def moved(before: Path, after: Path) -> set[str]:
    """Names of the tensors that differ between two checkpoints of the same shape."""
    old, new = tensors(before), tensors(after)
    assert old.keys() == new.keys()
    return {name for name in old if not old[name].equal(new[name])}
