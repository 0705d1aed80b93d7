"""augment: the given facts and documents in other words, as questions, turned round, implied."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar, Literal, TypeVar, get_args

from pydantic import Field

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Document, Example, Message
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.methods.rag import cut_passages
from whatworks.methods.rewording import (
    KINDS,
    Kind,
    StatedSentence,
    find_ambiguous,
    make_row,
    read_facts,
    reword,
)
from whatworks.methods.synthetic_texts import Reading, find_orders, write_texts
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
READINGS: tuple[Reading, ...] = get_args(Reading)
WORDS = 400
"""Words of a document that are read at once where plain texts are written about it."""

K = TypeVar("K", bound=str)


class Augment(Method):
    """Write more rows from the given ones and from the documents, for the trainer after it.

    The same fact in many wordings is learned where one wording is not (Allen-Zhu and Li 2023,
    "Physics of Language Models 3.1"); turned round, because a tuned model does not do it by itself
    (Berglund et al. 2024, "The Reversal Curse"); implications (Akyurek et al. 2024, "Deductive
    Closure Training").

    Attributes:
        kinds: What is written; ``entities`` and ``readings`` are plain texts about the documents
            (``synthetic_texts``), which only a model writes.
        source: ``rows``, ``documents`` or ``both``, as far as the task has them.
        by: ``helper`` is the study's helper model; ``model`` the candidate's own; ``rules`` reuse
            the wordings that the material has itself. By default the helper, where the study has
            one, else rules.
        copies: Most rows for each fact (or passage) and kind.
        tokens: Most tokens of what is written, in all; the rows of a smaller number are among those
            of a larger one.
        place: ``beside`` the train rows, or ``instead`` of them.
    """

    name: ClassVar[str] = "augment"
    owns: ClassVar[frozenset[str]] = frozenset({"lessons"})
    makes: ClassVar[frozenset[Lesson]] = frozenset({"rows"})
    reads_documents: ClassVar[bool] = True

    kinds: tuple[Kind | Reading, ...] = Field(
        default=("paraphrases", "questions", "reversals"), min_length=1
    )
    source: Literal["rows", "documents", "both"] = "both"
    by: Literal["helper", "model", "rules"] | None = None
    copies: int = Field(default=3, ge=1)
    tokens: int | None = Field(default=None, ge=1)
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
        if by == "rules":
            new = self._reword(train, documents)
        else:
            passages = cut_passages(bench, 120, 0) if documents else ()
            writer = self._find_writer(by, start, bench)
            new = self._write(writer, _list_sources(rows, passages))
            new += self._write_texts(writer, start, bench, new)
        unclear = find_ambiguous((row.text, row.target) for row in (*train, *new) if not row.bare)
        new = [row for row in new if row.bare or row.text not in unclear]
        if self.tokens is not None:
            new = new[: _count_within(self.tokens, _count_tokens(new, start, bench))]
        bench.note("by", by)
        bench.note("rows", len(new))
        bench.note("synthetic_tokens", sum(_count_tokens(new, start, bench)))
        if not new:
            raise ArmFailure(
                f"nothing could be written by {by} from {len(rows)} rows and "
                f"{len(documents)} documents"
                + (f" within {self.tokens} tokens" if self.tokens else ""),
                remedy="name a `helper:` model, or give rows a `group` that stands in their text"
                if by == "rules"
                else "name a stronger `helper:`, or raise `tokens`",
            )
        before = train if self.place == "beside" else ()
        return start.replace(lessons=Lessons(rows=(*before, *new)))

    def _find_writer(self, by: str, start: Candidate, bench: Bench) -> Helper:
        if by == "model":
            return bench.open_writer(start)
        return require_helper(bench.helper, "`augment: {by: helper}`")

    def _reword(self, train: Sequence[Example], documents: Sequence[Document]) -> list[Example]:
        """What the rules make of it."""
        kinds = self._list_kinds(KINDS)
        if left := self._list_kinds(READINGS):
            raise ArmFailure(
                f"`{', '.join(left)}` are texts that a model writes, "
                + ("and the study names no helper" if self.by is None else "not rules"),
                remedy="name one in the study file, `helper: MODEL`, or let the model write "
                "itself: `augment: {by: model}`",
            )
        own, beside = read_facts(train, documents), list[StatedSentence]()
        if self.source == "documents":  # the rows still give their wordings
            of_train = {row.id for row in train}
            beside = [one for one in own if one.row.id in of_train]
            own = [one for one in own if one.row.id not in of_train]
        return reword(own, kinds, self.copies, beside)

    def _list_kinds(self, among: Sequence[K]) -> list[K]:
        return [kind for kind in among if kind in self.kinds]

    def _write_texts(
        self, writer: Helper, start: Candidate, bench: Bench, before: Sequence[Example]
    ) -> list[Example]:
        """Plain texts about the documents, of the kinds that are such, beside other rows."""
        rows: list[Example] = []

        def is_enough(texts: Sequence[Example]) -> bool:
            taken = sum(_count_tokens([*before, *rows, *texts], start, bench))
            return self.tokens is not None and taken >= self.tokens

        for kind in self._list_kinds(READINGS):
            sources = _list_sources((), cut_passages(bench, WORDS, 0))
            orders = find_orders(kind, writer, sources, self.copies)
            bench.note(kind, sum(map(len, orders)))
            rows += write_texts(writer, sources, orders, is_enough)
        return rows

    def _write(self, helper: Helper, sources: Sequence[tuple[Example, str]]) -> list[Example]:
        """What the helper writes of each source; lines that do not have the form are left out."""
        rows: dict[str, Example] = {}
        for kind in self._list_kinds(KINDS):
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


def _count_tokens(rows: Sequence[Example], start: Candidate, bench: Bench) -> list[int]:
    """Tokens of each row, by the tokenizer of the model that is to learn them."""
    texts = [row.target if row.bare else f"{row.text}\n{row.target}" for row in rows]
    return bench.examiner.engine.count_tokens(bench.examiner.files(start.weights), texts)


def _count_within(most: int, tokens: Sequence[int]) -> int:
    """How many of the first rows have at most so many tokens together."""
    return sum(taken <= most for taken in itertools.accumulate(tokens))
