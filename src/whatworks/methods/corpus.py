"""corpus: the documents as plain text to learn, without questions: continued pretraining."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from whatworks.data.task import Example
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.methods.rag import cut_passages
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson, Lessons, Place


class Corpus(Method):
    """Hand pieces of the documents to the trainer after it (``corpus+sft``), as plain text.

    No template stands around a piece, and every token of it is learned (Gururangan et al. 2020,
    "Don't Stop Pretraining").

    Attributes:
        size: Words per piece; documents are cut at paragraphs and sentences.
        overlap: Words shared by neighbouring pieces.
        place: ``beside`` the train rows, or ``instead`` of them.
    """

    name: ClassVar[str] = "corpus"
    owns: ClassVar[frozenset[str]] = frozenset({"lessons"})
    makes: ClassVar[frozenset[Lesson]] = frozenset({"rows"})
    reads_documents: ClassVar[bool] = True

    size: int = Field(default=120, ge=5)
    overlap: int = Field(default=0, ge=0)
    place: Place = "beside"

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the documents' pieces as lessons.

        Raises:
            ArmFailure: If there are no documents, or no text in them.
        """
        pieces = cut_passages(bench, self.size, self.overlap)
        bench.note("pieces", len(pieces))
        rows = tuple(Example(id=piece.id, target=piece.passage) for piece in pieces)
        before = start.rows(bench.train) if self.place == "beside" else ()
        return start.replace(lessons=Lessons(rows=(*before, *rows)))
