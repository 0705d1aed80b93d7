"""Conditions on a run's figures: ``score>=0.9``, of the recommended arm; or ``sft.low>0.8``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whatworks.base.errors import InputError, suggest_nearest

_WRITTEN = re.compile(r"\s*(?:(.+)\.)?([a-z_]+)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*")
_HOLDS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
FIGURES = (
    "score", "low", "high", "lenient", "difference", "difference_low", "difference_high", "dev",
    "cut", "prompt_tokens", "completion_tokens", "seconds", "training_seconds", "usd",
)  # fmt: skip
"""The figures of an arm (``Result.records``) that a condition may name."""


@dataclass(frozen=True)
class Condition:
    """What a figure of an arm must be.

    Attributes:
        written: As it was given.
        arm: The arm; "" for the one that the study recommends.
        figure: One of ``FIGURES``.
        sign: ``>=``, ``<=``, ``>`` or ``<``.
        bound: What it is held against.
    """

    written: str
    arm: str
    figure: str
    sign: str
    bound: float


@dataclass(frozen=True)
class Outcome:
    """What came of one thing that a run had to show.

    Attributes:
        name: What it had to show.
        passed: Whether it did.
        reason: What was found, in one line.
    """

    name: str
    passed: bool
    reason: str


def read_condition(written: str) -> Condition:
    """A condition as it is written on the command line.

    Raises:
        InputError: If it is none, or names no figure.
    """
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise InputError(
            f"{written!r} is no condition",
            place="--gate",
            remedy="write FIGURE>=NUMBER or ARM.FIGURE>=NUMBER, such as score>=0.9",
        )
    arm, figure, sign, bound = match.groups()
    if figure not in FIGURES:
        raise InputError(
            f"no figure {figure!r}", place="--gate", remedy=suggest_nearest(figure, FIGURES)
        )
    return Condition(written.strip(), arm or "", figure, sign, float(bound))


def judge_condition(condition: Condition, arms: Sequence[Mapping[str, Any]], best: str) -> Outcome:
    """Hold a condition against the arms of a run; a figure that is not there does not pass.

    Args:
        condition: What must be.
        arms: ``Result.records``.
        best: The recommended arm; "" where none finished.
    """
    name = condition.arm or best
    record = next((arm for arm in arms if arm["arm"] == name), None)
    if record is None:
        why = f"there is no arm {name!r}" if name else "no arm finished"
        return Outcome(condition.written, False, why)
    value = record[condition.figure]
    if value is None:
        return Outcome(condition.written, False, f"{name} has no {condition.figure}")
    passed = _HOLDS[condition.sign](value, condition.bound)
    return Outcome(condition.written, passed, f"{condition.figure} of {name} is {value:.4g}")
