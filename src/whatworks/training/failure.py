"""What can go wrong while training, in words with a remedy.

The child process tells its launcher a ``Failure``; the launcher turns it into an ``ArmFailure``,
or, when memory ran out, into an attempt with a smaller micro-batch.
"""

from __future__ import annotations

from typing import Literal

from whatworks.base.disk_faults import find_disk_fault
from whatworks.base.errors import ArmFailure, WhatworksError, get_first_line
from whatworks.base.frozen import Frozen
from whatworks.base.memory import is_out_of_memory

_KILLED = 9
"""The signal of a process that was killed; Windows has no name for it."""
_LESS_MEMORY = "use `kind: lora`, a smaller max_length, or a smaller model"


class TrainingFailure(Frozen):
    """Why a training ended early; ``kind`` is ``memory`` when a smaller plan may still do."""

    kind: Literal["memory", "other"]
    cause: str
    remedy: str = ""

    def error(self, place: str) -> ArmFailure:
        """The failure as an error of the arm."""
        return ArmFailure(self.cause, place=place, remedy=self.remedy)


def make_memory_failure(detail: str) -> TrainingFailure:
    """The failure of a process that wanted more memory than there is."""
    return TrainingFailure(
        kind="memory",
        cause=f"training ran out of memory ({detail})",
        remedy=_LESS_MEMORY,
    )


def diagnose(error: BaseException) -> TrainingFailure:
    """What an exception raised during training means."""
    text = str(error).lower()
    if is_out_of_memory(error):
        return make_memory_failure(get_first_line(error))
    if isinstance(error, WhatworksError):
        return TrainingFailure(kind="other", cause=error.cause, remedy=error.remedy)
    if fault := find_disk_fault(error):
        return TrainingFailure(
            kind="other",
            cause=f"{fault.cause}: a checkpoint could not be written",
            remedy=(fault.remedy or "train on another disk")
            + "; training goes on from the last checkpoint",
        )
    if "probability tensor contains" in text:  # how drawing an answer meets them
        return TrainingFailure(
            kind="other",
            cause="the training diverged: the model's probabilities are not numbers any more",
            remedy="lower the learning rate",
        )
    return TrainingFailure(
        kind="other",
        cause=f"training failed: {type(error).__name__}: {get_first_line(error)}",
        remedy="worker.log in the folder of the training has the details",
    )


def diagnose_exit(code: int, last_words: str) -> TrainingFailure:
    """Why a process ended that could not say it itself, by its exit status.

    Args:
        code: Its return code, negative for a signal.
        last_words: The last line it wrote.
    """
    if code == -_KILLED:
        # An out-of-memory killer leaves no other trace. The micro-batch is not reduced on this
        # evidence alone, since someone else may have sent the signal.
        return TrainingFailure(
            kind="other",
            cause="the training process was killed (signal 9), as happens when memory runs out",
            remedy="run again: it resumes. If it is killed again: " + _LESS_MEMORY,
        )
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return TrainingFailure(
        kind="other",
        cause=f"the training process ended with {how}: {last_words or 'it said nothing'}",
        remedy="worker.log in the folder of the training has the details",
    )
