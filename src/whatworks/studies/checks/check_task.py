"""Checks of a study before it runs: what would spoil its result, row by row."""

from __future__ import annotations

from whatworks.data.task import Task
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Engine
from whatworks.models.weights import Weights
from whatworks.studies.checks.finding import CheckFinding
from whatworks.studies.checks.row_checks import check_rows
from whatworks.studies.checks.token_checks import check_tokens

__all__ = ["CheckFinding", "check_task"]


def check_task(
    task: Task, engine: Engine, weights: Weights, decoding: Decoding, min_effect: float
) -> list[CheckFinding]:
    """Everything found without asking the model; see ``row_checks`` and ``token_checks``.

    Raises:
        InputError: If the metric or the model cannot be used at all.
    """
    return [
        *check_rows(task, min_effect),
        *check_tokens(task, engine, weights, decoding, min_effect),
    ]
