"""Answers that somebody else's system gave, by the id of the row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from whatworks.prompts.answerers.answerer import Answerer, Reply
from whatworks.prompts.render import Rendering

PARTS = ("dev/", "test/")
"""What stands before the ids of a split whose file has the ids of train."""


class Predictions(Answerer):
    """Answers by row id.

    Attributes:
        kind: Tells answerers apart where they are read.
        answers: Row id to answer.
        usd: US dollars that the system takes for a request; None where that is not known.
    """

    timed: ClassVar[bool] = False

    kind: Literal["predictions"] = "predictions"
    answers: Mapping[str, str]
    usd: float | None = None

    @property
    def request_usd(self) -> float | None:
        """What the user says that a request costs."""
        return self.usd

    def find(self, row: str) -> str | None:
        """The answer to the row of that id; None where there is none."""
        names = (row, *(row.removeprefix(part) for part in PARTS if row.startswith(part)))
        return next((self.answers[name] for name in names if name in self.answers), None)

    def reply(self, requests: Sequence[Rendering]) -> list[Reply]:
        """What the system answered."""
        return [Reply(self.find(request.example.id)) for request in requests]
