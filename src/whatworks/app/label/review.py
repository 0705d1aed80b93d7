"""The labelling page for rows that were written from documents: is this question of use?"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar

from whatworks.app.label.server import Judgement, PageServer
from whatworks.data.task import Example
from whatworks.studies.bootstrap.folder import BootstrapFolder, find_accepted

WORDS: dict[str, Any] = {
    "title": "Is this question of use?",
    "texts": {
        "aside": "Written by a model; what you keep becomes test",
        "heading-input": "Question",
        "heading-first": "Answer",
        "heading-second": "Where it stands",
        "wanted": "The right answer, if it is another one (then keep the question)",
    },
    "choices": [["keep", "Keep: a real question, rightly answered"], ["drop", "Drop it"]],
}


@dataclass
class ReviewServer(PageServer):
    """Asks whether a proposed row may become test.

    Attributes:
        folder: Where the rows are and verdicts are kept.
        person: Who reads them.
    """

    verdicts: ClassVar[tuple[str, ...]] = ("keep", "drop")

    folder: BootstrapFolder
    person: str

    def __post_init__(self) -> None:
        rows = list(self.folder.read_proposed())
        random.Random("review").shuffle(rows)  # whoever stops early has read of every document
        self.asked: dict[str, Example] = {row.id: row for row in rows}

    def has_row(self, row: str) -> bool:
        """Whether a row was proposed."""
        return row in self.asked

    def keep(self, judgement: Judgement) -> None:
        """Keep what was said; the test file follows it."""
        self.folder.add_review(
            self.asked[judgement.row],
            self.person,
            judgement.verdict == "keep",
            judgement.target.strip(),
        )

    def describe(self) -> dict[str, Any]:
        """The next question with its answer and the passage, and how far it is."""
        mine = {one.row for one in self.folder.read_reviews() if one.person == self.person}
        shown: dict[str, Any] = {
            "done": sum(name in mine for name in self.asked),
            "total": len(self.asked),
            "settled": False,
            "row": None,
            "words": WORDS,
        }
        row = next((one for one in self.asked.values() if one.id not in mine), None)
        if row is None:
            return shown
        answers = [row.target, str(row.meta.get("passage", ""))]
        return {**shown, "row": row.id, "input": row.text, "answers": answers}


@dataclass(frozen=True)
class ReviewCount:
    """How a review stands: rows proposed, reviewed, kept, and kept with another answer."""

    proposed: int
    reviewed: int
    kept: int
    changed: int


def describe_reviews(folder: BootstrapFolder) -> str:
    """How the review stands, in one line."""
    count = count_reviews(folder)
    if not count.reviewed:
        return f"none of the {count.proposed} proposed rows is reviewed yet"
    return (
        f"{count.reviewed} of {count.proposed} proposed rows reviewed: {count.kept} kept, "
        f"{count.changed} of them with another answer, {count.reviewed - count.kept} dropped"
    )


def count_reviews(folder: BootstrapFolder) -> ReviewCount:
    """How many of the proposed rows are reviewed, kept, and kept with another answer."""
    proposed, reviews = folder.read_proposed(), folder.read_reviews()
    accepted = find_accepted(proposed, reviews)
    targets = {row.id: row.target for row in proposed}
    changed = sum(row.target != targets[row.id] for row in accepted)
    return ReviewCount(len(proposed), len({one.row for one in reviews}), len(accepted), changed)
