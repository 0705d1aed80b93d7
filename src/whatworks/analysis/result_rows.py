"""Results: one row per (arm, seed, test example), append-only, from which all figures come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from whatworks.base.errors import add_place
from whatworks.base.store import Journal

CONSTANT = "always the same"
"""In place of an arm: the rows of the best constant answer, which no model gave."""


@dataclass(frozen=True)
class ResultRow:
    """One test answer of one arm and seed; a failed run is a row too: cause, place, remedy.

    ``group`` is the example's group, or its id when it has none. ``value`` and ``lenient`` are the
    strict and lenient score in [0, 1]; ``seconds`` is this request's share of its batch;
    ``logprob`` is the log-probability of the answer by the model itself, where the engine gives it;
    ``finish`` is a ``Generation``'s (empty in rows of older versions); ``reasoning`` stood before
    the answer, and its tokens are among those of completion.
    """

    arm: str
    seed: int
    status: Literal["scored", "failed"]
    example: str = ""
    group: str = ""
    output: str = ""
    value: float = 0.0
    lenient: float = 0.0
    kind: str = ""
    feedback: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    logprob: float | None = None
    candidate: str = ""
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
    finish: str = ""
    reasoning: str = ""
    reasoning_tokens: int = 0
    cause: str = ""
    remedy: str = ""
    place: str = ""

    @property
    def failure(self) -> str:
        """Why and where a run failed; "" for a scored row."""
        return add_place(self.cause, self.place)


class Results:
    """The rows of a study on disk."""

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)

    def append(self, rows: Iterable[ResultRow]) -> None:
        """Add rows; nothing is ever rewritten."""
        self._journal.append(asdict(row) for row in rows)

    def rows(self, *, back: int = 0) -> list[ResultRow]:
        """The rows of arms that count: of each (arm, seed), those of its latest candidate.

        A later run of the same arm (other settings, or a retry after a failure) supersedes the
        earlier rows, which stay on disk. A failure gives way to any later success: it is then no
        run of its own.

        Args:
            back: 1 for the rows that the latest ones superseded, 2 for those before, and so on.
        """
        return [row for row in self._latest(back) if row.arm != CONSTANT]

    def constant(self) -> list[ResultRow]:
        """The rows of the best constant answer; none in a folder of an older version."""
        return [row for row in self._latest() if row.arm == CONSTANT]

    def _latest(self, back: int = 0) -> list[ResultRow]:
        history: dict[tuple[str, int], list[dict[str, ResultRow]]] = {}
        for record in self._journal.read():
            row = ResultRow(**record)
            runs = history.setdefault((row.arm, row.seed), [{}])
            last = runs[-1].values()
            if row.status == "scored" and any(other.status == "failed" for other in last):
                runs.pop()
            if not runs or any(other.candidate != row.candidate for other in runs[-1].values()):
                runs.append({})
            runs[-1][row.example] = row
        chosen = [runs[-1 - back] for runs in history.values() if len(runs) > back]
        return [row for rows in chosen for row in rows.values()]
