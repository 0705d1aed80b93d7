"""Errors that state cause, place and remedy.

Families, told apart by what happens to the study:

- ``InputError``: the user's files or options are wrong. Nothing was written; the command prints
  one or two lines and exits with code 2. Met inside an arm, it fails that arm alone.
- ``StorageError``: the disk is full or fails; the command stops, exits with code 2, and resumes
  when run again. (A checkpoint that finds no room fails its arm alone: others may need less.)
- ``ArmFailure``: one arm could not be completed (out of memory, diverged loss, missing documents,
  budget spent). It is recorded as a row with its cause and remedy, and the study goes on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from whatworks.base.disk_faults import ELSEWHERE, find_disk_fault
from whatworks.base.memory import is_out_of_memory


class WhatworksError(Exception):
    """Base of every error that this package raises on purpose.

    Args:
        cause: What is wrong, in one sentence without a final full stop.
        place: Where: a file, a file with its line, an arm, an example id.
        remedy: What the user can do about it.
    """

    def __init__(self, cause: str, *, place: str = "", remedy: str = "") -> None:
        self.cause = cause
        self.place = place
        self.remedy = remedy
        super().__init__(str(self))

    @property
    def in_words(self) -> str:
        """Place and cause in one line."""
        return add_place(self.cause, self.place)

    def __str__(self) -> str:
        return f"{self.in_words}\n  {self.remedy}" if self.remedy else self.in_words


class InputError(WhatworksError):
    """The study file, the data or an option cannot be used as it is."""


class StorageError(WhatworksError):
    """The disk does not take or give back what it should; the whole run stops."""


class ArmFailure(WhatworksError):
    """One arm cannot be completed; the study records it and goes on."""


class BudgetExceeded(ArmFailure):
    """The next request or training step would pass a limit that the study set."""


class StackingError(InputError):
    """A chain asks for weights on top of weights that cannot carry them."""


class arm_failures:
    """What makes one arm fail becomes an ArmFailure; what stops the study passes through."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError):
            # An input that the disk made unusable is no fault of the arm: the next run has it.
            if error.__cause__ and (storage := make_storage_error(error.__cause__, error.place)):
                raise storage from error
            raise ArmFailure(error.cause, place=error.place, remedy=error.remedy) from error
        if not isinstance(error, Exception) or isinstance(error, WhatworksError):
            return
        if is_out_of_memory(error):
            raise ArmFailure(
                "out of memory", remedy="lower batch_size or the number of passages and examples"
            ) from error
        if storage := make_storage_error(error):
            raise storage from error
        raise ArmFailure(
            f"{type(error).__name__}: {error}",
            remedy="this looks like a fault of whatworks or of a library below it; please report",
        ) from error


def make_storage_error(
    error: BaseException, place: str = "", elsewhere: str = ELSEWHERE
) -> StorageError | None:
    """The error of a disk that is full or fails, None where an error says nothing of the disk.

    Args:
        error: What was met.
        place: What was written; by default the file that the error names.
        elsewhere: The remedy where nothing can be written there.
    """
    fault = find_disk_fault(error)
    if fault is None:
        return None
    named = error.filename if isinstance(error, OSError) else None
    return StorageError(
        fault.cause, place=place or str(named or ""), remedy=fault.remedy or elsewhere
    )


def add_place(cause: str, place: str) -> str:
    """A cause with its place, if it has one."""
    return f"{place}: {cause}" if place else cause


def suggest_nearest(word: str, known: Iterable[str]) -> str:
    """A remedy naming the closest known words, or all of them when none is close."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(name) for name in close) + "?"
    return "known: " + ", ".join(known)


def get_first_line(error: BaseException | str) -> str:
    """The first line of an error's text, at most 200 characters; its type where it has none."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
