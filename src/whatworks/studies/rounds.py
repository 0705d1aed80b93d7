"""Rounds of further arms, as ``rounds.json`` of a study's folder keeps them.

What a round decides is written down before the study file has it and never changed, so that rounds
which were stopped go on with the same decisions and the same count.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from whatworks.analysis.next_step.predictions import Prediction
from whatworks.base.errors import InputError
from whatworks.base.store import write_atomic

Entry = str | dict[str, Any]
"""An arm as a study file writes it."""


@dataclass(frozen=True)
class Proposal:
    """A further arm.

    Attributes:
        entry: The arm as a study file writes it.
        prediction: What it is expected to bring, and why.
    """

    entry: Entry
    prediction: Prediction


@dataclass(frozen=True)
class History:
    """The rounds of the last ``run --auto``.

    Attributes:
        rounds: What each decided.
        written: How many of them the study file has.
        ended: Why they ended; "" while they go on.
        arms: The arms of the study file when they ended.
        limit: What they could take, as it was said.
    """

    rounds: tuple[tuple[Proposal, ...], ...] = ()
    written: int = 0
    ended: str = ""
    arms: tuple[Entry, ...] = ()
    limit: str = ""


class Rounds:
    """The file.

    Args:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> History:
        """What it holds; nothing where there were no rounds.

        Raises:
            InputError: If it is not what this version writes.
        """
        if not self._path.exists():
            return History()
        try:
            record = json.loads(self._path.read_text("utf-8"))
            return TypeAdapter(History).validate_python(record)
        except (OSError, ValueError) as error:
            raise InputError(
                "the rounds of further arms cannot be read",
                place=str(self._path),
                remedy="remove this file: the rounds begin anew, with the arms that are there",
            ) from error

    def begin(self, arms: Sequence[Entry], limit: str) -> History:
        """The rounds that go on, or that ended with these arms and this limit; else new ones."""
        history = self.read()
        if history.ended and (history.arms, history.limit) != (tuple(arms), limit):
            history = History()
            self._write(history)
        return history

    def decide(self, proposals: Sequence[Proposal]) -> History:
        """Keep what a round decided, before the study file has it."""
        history = self.read()
        return self._write(replace(history, rounds=(*history.rounds, tuple(proposals))))

    def mark_written(self) -> History:
        """Note that the study file has every round."""
        history = self.read()
        return self._write(replace(history, written=len(history.rounds)))

    def end(self, reason: str, arms: Sequence[Entry], limit: str) -> History:
        """Note why they ended."""
        history = replace(self.read(), ended=reason, arms=tuple(arms), limit=limit)
        return self._write(history)

    def _write(self, history: History) -> History:
        record = TypeAdapter(History).dump_python(history, mode="json")
        write_atomic(self._path, json.dumps(record, indent=1))
        return history
