"""Checks of a study before it runs: what would spoil its result, row by row."""

from __future__ import annotations

from whatworks.candidate import Decoding, Weights
from whatworks.check.findings import Finding
from whatworks.check.rows import check_rows
from whatworks.check.tokens import check_tokens
from whatworks.engines import Engine
from whatworks.task import Task

__all__ = ["Finding", "check_task"]


def check_task(
    task: Task, engine: Engine, weights: Weights, decoding: Decoding, min_effect: float
) -> list[Finding]:
    """Everything that can be found without asking the model; see ``rows`` and ``tokens``.

    Raises:
        InputError: If the metric or the model cannot be used at all.
    """
    return [
        *check_rows(task, min_effect),
        *check_tokens(task, engine, weights, decoding, min_effect),
    ]
