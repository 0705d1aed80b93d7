"""augment: the given facts and documents in other words, as questions, turned round, implied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Document, Example, Message
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.methods.rag import cut_passages
from whatworks.methods.rewording import (
    Kind,
    StatedSentence,
    find_ambiguous,
    make_row,
    read_facts,
    reword,
)
from whatworks.methods.written_questions import ASK, FORM, read_questions
from whatworks.models.helper import Helper, require_helper
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lesson, Lessons, Place

ASKED: dict[Kind, str] = {
    "paraphrases": "Say the same in {n} other ways, with every name and number kept.",
    "questions": ASK,
    "reversals": "Write {n} questions that ask the other way round: they give what the text says "
    "last and ask for what it is about.",
    "implications": "Write {n} questions about what follows from the text without being said in "
    "it, each with its short answer.",
}
LINES = " One a line, nothing else."


class Augment(Method):
    """Write more rows from the given ones and from the documents, for the trainer after it.

    The same fact in many wordings is learned where one wording is not (Allen-Zhu and Li 2023,
    "Physics of Language Models 3.1"); turned round, because a tuned model does not do it by itself
    (Berglund et al. 2024, "The Reversal Curse"); implications (Akyurek et al. 2024, "Deductive
    Closure Training").

    Attributes:
        kinds: What is written.
        source: ``rows``, ``documents`` or ``both``, as far as the task has them.
        by: ``helper`` is the study's helper model; ``rules`` reuse the wordings that the material
            has itself. By default the helper, where the study has one.
        copies: Most rows for each fact (or passage) and kind.
        place: ``beside`` the train rows, or ``instead`` of them.
    """

    name: ClassVar[str] = "augment"
    owns: ClassVar[frozenset[str]] = frozenset({"lessons"})
    makes: ClassVar[frozenset[Lesson]] = frozenset({"rows"})
    reads_documents: ClassVar[bool] = True

    kinds: tuple[Kind, ...] = Field(default=("paraphrases", "questions", "reversals"), min_length=1)
    source: Literal["rows", "documents", "both"] = "both"
    by: Literal["helper", "rules"] | None = None
    copies: int = Field(default=3, ge=1)
    place: Place = "beside"

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with more rows as lessons; how many is noted.

        Raises:
            ArmFailure: If there is nothing to write from, or nothing could be written.
            BudgetExceeded: Before a request that would pass a limit leaves.
        """
        train = start.rows(bench.train)
        rows = () if self.source == "documents" else train
        documents = bench.documents if self.source != "rows" else ()
        if self.source == "documents" or (self.source == "both" and bench.documents_fault):
            cut_passages(bench, 120, 0)  # refuses where there are none
        by = self.by or ("helper" if bench.helper else "rules")
        if by == "helper":
            helper = require_helper(bench.helper, "`augment: {by: helper}`")
            passages = cut_passages(bench, 120, 0) if documents else ()
            new = self._write(helper, _list_sources(rows, passages))
        else:
            own, beside = read_facts(train, documents), list[StatedSentence]()
            if self.source == "documents":  # the rows still give their wordings
                of_train = {row.id for row in train}
                beside = [one for one in own if one.row.id in of_train]
                own = [one for one in own if one.row.id not in of_train]
            new = reword(own, self.kinds, self.copies, beside)
        unclear = find_ambiguous((row.text, row.target) for row in (*train, *new) if not row.bare)
        new = [row for row in new if row.bare or row.text not in unclear]
        bench.note("by", by)
        bench.note("rows", len(new))
        if not new:
            raise ArmFailure(
                f"nothing could be written by {by} from {len(rows)} rows and "
                f"{len(documents)} documents",
                remedy="name a `helper:` model, or give rows a `group` that stands in their text",
            )
        before = train if self.place == "beside" else ()
        return start.replace(lessons=Lessons(rows=(*before, *new)))

    def _write(self, helper: Helper, sources: Sequence[tuple[Example, str]]) -> list[Example]:
        """What the helper writes of each source; lines that do not have the form are left out."""
        rows: dict[str, Example] = {}
        for kind in self.kinds:
            form = LINES if kind == "paraphrases" else FORM
            task = ASKED[kind].format(n=self.copies) + form
            # Of a row that asks, the question alone is said again.
            texts = [
                row.text if kind == "paraphrases" and not row.bare else text
                for row, text in sources
            ]
            prompts = [[Message(role="user", content=f"{task}\n\n{text}")] for text in texts]
            for (row, _), reply in zip(sources, helper.ask(prompts), strict=True):
                if kind != "paraphrases":
                    pairs = read_questions(reply.text, self.copies)
                else:  # a question stays one, plain text stays plain
                    lines = [one.strip(" -*\t") for one in reply.text.splitlines() if one.strip()]
                    pairs = [
                        ("", line) if row.bare else (line, row.target)
                        for line in lines[: self.copies]
                    ]
                for text, target in pairs:
                    new = make_row(row, text, target)
                    rows.setdefault(new.key, new)
        return list(rows.values())


def _list_sources(
    rows: Sequence[Example], passages: Sequence[Document]
) -> list[tuple[Example, str]]:
    """What a helper reads of each row and passage."""
    texts = [(row, row.target if row.bare else f"{row.text}\n{row.target}") for row in rows]
    return [
        *texts,
        *((Example(id=f"{p.id}/", evidence=(p.id.split("#")[0],)), p.passage) for p in passages),
    ]
