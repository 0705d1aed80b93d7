"""A model writes questions about passages, and answers them with the passage and without it.

A question is kept when the model that reads the passage gives the answer it was written with (round
trip, Alberti et al. 2019, "Synthetic QA Corpora Generation with Roundtrip Consistency") and does
not give it without the passage: what it knows or guesses tests no document. Every reply is kept in
the store as it comes, so a killed call goes on where it stopped.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whatworks.base.errors import InputError
from whatworks.base.progress import Phase, Watcher
from whatworks.data.splitting import mix_evenly
from whatworks.data.task import Document, Example, Message
from whatworks.methods.written_questions import read_questions
from whatworks.models.constraint import Constraint
from whatworks.models.decoding import Decoding
from whatworks.models.helper import Helper
from whatworks.prompts.retrieval import chunk
from whatworks.prompts.retrieval.recall import get_document_id
from whatworks.studies.bootstrap import sieve
from whatworks.studies.bootstrap.prompts import build_blind, build_reading, build_writing

BATCH = 16
"""Requests between two movements of the bar: what a killed call repeats at most."""

_SHORT = Decoding(max_tokens=48)
"""How a question is answered."""
_LONG = 64
"""Tokens of a question with its answer."""
_LINE = r"[^\s=?][^\n=?？]{7,200}[?？] => [^\n=?]{1,80}"
"""A question with its answer, as a model that runs here is held to write it."""


@dataclass(frozen=True)
class Author:
    """Who writes and answers.

    Attributes:
        helper: Asks the model and keeps its replies.
        runs_here: Whether the model's form can be held token by token.
    """

    helper: Helper
    runs_here: bool


@dataclass(frozen=True)
class Written:
    """What came of asking.

    Attributes:
        passages: Passages that were asked about.
        asked: Questions that were written, in the form.
        rows: Those that are kept. ``group`` and ``evidence`` are the document, ``meta["passage"]``
            is the text that holds the answer.
        left_out: How many were left out, by reason (``sieve.REASONS``).
    """

    passages: int
    asked: int
    rows: tuple[Example, ...]
    left_out: Mapping[str, int]


def choose_passages(
    documents: Sequence[Document], size: int, most: int | None, seed: int
) -> list[Document]:
    """Passages of about ``size`` words, at most ``most``, each document by its share of them.

    Raises:
        InputError: If there is no text in the documents.
    """
    passages = {one.id: one for one in chunk(documents, size=size)}
    if not passages:
        raise InputError(
            f"there is no text in the {len(documents)} documents",
            remedy="give documents with text in them",
        )
    if most is None or most >= len(passages):
        return [*passages.values()]
    names = random.Random(f"passages {seed}").sample(sorted(passages), len(passages))
    chosen = {*mix_evenly({name: get_document_id(name) for name in names})[:most]}
    return [one for name, one in passages.items() if name in chosen]


def write_rows(
    author: Author, passages: Sequence[Document], count: int, watcher: Watcher
) -> Written:
    """Questions about passages that are answered with the passage and not without it.

    Args:
        author: Writes and answers.
        passages: What is asked about, by ``choose_passages``.
        count: Questions asked for about each passage.
        watcher: Shows a bar for the passages, and one for each of the two answers.

    Raises:
        ArmFailure: If the model cannot be reached or a passage does not fit its context.
    """
    form = f"{_LINE}(\n{_LINE}){{0,{count - 1}}}"
    decoding = Decoding(
        max_tokens=_LONG * count,
        constraint=Constraint(kind="regex", text=form) if author.runs_here else None,
    )
    asked = [build_writing(one.passage, count) for one in passages]
    replies = _ask(author, asked, decoding, watcher, "questions")
    rows = [
        _make_row(passage, number, *pair)
        for passage, reply in zip(passages, replies, strict=True)
        for number, pair in enumerate(read_questions(reply, count), start=1)
    ]
    left, reasons = sieve.sift_texts(rows)
    read = [build_reading(row.meta["passage"], row.text) for row in left]
    said = _ask(author, read, _SHORT, watcher, "answers with the passage")
    right = sieve.find_right(left, said)
    reasons |= {row.id: sieve.UNANSWERED for row in left if row.id not in right}
    left = [row for row in left if row.id in right]
    said = _ask(author, [build_blind(row.text) for row in left], _SHORT, watcher, "answers alone")
    known = sieve.find_right(left, said)
    reasons |= {row.id: sieve.KNOWN for row in left if row.id in known}
    kept = [row for row in left if row.id not in known]
    why = [*reasons.values()]
    counts = {one: why.count(one) for one in sieve.REASONS if one in why}
    return Written(len(passages), len(rows), tuple(kept), counts)


def _make_row(passage: Document, number: int, question: str, answer: str) -> Example:
    document = get_document_id(passage.id)
    return Example(
        id=f"{passage.id}/{number}",
        inputs={"question": question},
        target=answer,
        group=document,
        evidence=(document,),
        meta={"passage": passage.passage},
    )


def _ask(
    author: Author,
    prompts: Sequence[Sequence[Message]],
    decoding: Decoding,
    watcher: Watcher,
    bar: str,
) -> list[str]:
    """A reply to each prompt; they are kept a batch at a time."""
    replies: list[str] = []
    tick = Phase(watcher, bar, "", len(prompts))
    for at in range(0, len(prompts), BATCH):
        batch = prompts[at : at + BATCH]
        replies += [one.text for one in author.helper.ask(batch, decoding)]
        tick(len(batch))
    watcher.done(bar)
    return replies
