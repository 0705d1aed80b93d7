"""Real facts: questions about entities with the paragraphs that answer them, and without answer.

EntityQuestions (Sciavolino et al. 2021) joined to Wikipedia paragraphs, and SelfAware (Yin et al.
2023), below ``$WHATWORKS_DATA``. The wordings beside each relation's own question are ours.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from functools import cache
from typing import Any

from whatworks.base.paths import find_public_data
from whatworks.data.task import Document, Example, MetricSpec, Splits, Task
from whatworks_claims.fact_sheet import Sheet, SheetFact

_WORDINGS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # relation: statements, then questions; {s} is the subject, {v} the answer
    "P36": (
        ("The capital of {s} is {v}.", "{v} is the capital of {s}.", "{s} has {v} as its capital."),
        ("Which city is the capital of {s}?", "{s} has which capital?", "Name the capital of {s}."),
    ),
    "P26": (
        ("{s} is married to {v}.", "The spouse of {s} is {v}.", "{v} is the spouse of {s}."),
        ("Who is the spouse of {s}?", "Whom did {s} marry?", "Name the spouse of {s}."),
    ),
    "P112": (
        ("{s} was founded by {v}.", "{v} founded {s}.", "The founder of {s} is {v}."),
        ("By whom was {s} founded?", "Who is the founder of {s}?", "Name the founder of {s}."),
    ),
    "P170": (
        ("{s} was created by {v}.", "{v} created {s}.", "The creator of {s} is {v}."),
        ("Who created {s}?", "Who is the creator of {s}?", "Name the creator of {s}."),
    ),
    "P276": (
        ("{s} is located in {v}.", "{s} stands in {v}.", "The location of {s} is {v}."),
        ("In which place is {s}?", "What is the location of {s}?", "Name the place of {s}."),
    ),
    "P20": (
        ("{s} died in {v}.", "The place of death of {s} is {v}.", "{s} passed away in {v}."),
        ("In which place did {s} die?", "What is the place of death of {s}?",
         "Name the place where {s} died."),
    ),
    "P50": (
        ("{s} was written by {v}.", "{v} is the author of {s}.", "{v} wrote {s}."),
        ("Who wrote {s}?", "By whom was {s} written?", "Name the author of {s}."),
    ),
    "P19": (
        ("{s} was born in {v}.", "The birthplace of {s} is {v}.", "{s} comes from {v}."),
        ("In which place was {s} born?", "What is the birthplace of {s}?",
         "Name the birthplace of {s}."),
    ),
}  # fmt: skip


@cache
def _read_rows() -> tuple[dict[str, Any], ...]:
    path = find_public_data("entityquestions/joined_wikipedia.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    by_subject: dict[str, dict[str, Any]] = {}
    for row in rows:  # one question for each entity
        by_subject.setdefault(row["subject"], row)
    entities = list(by_subject.values())
    random.Random("entities").shuffle(entities)
    return tuple(entities)


def make_real_sheet(count: int) -> Sheet:
    """``count`` facts to teach, and as many neighbours of the same relations."""
    chosen = [row for row in _read_rows() if row["relation"] in _WORDINGS][: 2 * count]
    facts = [_make_fact(row) for row in chosen]
    return Sheet(tuple(facts[:count]), (), tuple(facts[count:]))


def _make_fact(row: Mapping[str, Any]) -> SheetFact:
    statements, wordings = _WORDINGS[row["relation"]]
    subject, answers = row["subject"], row["answers"]

    def fill(lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(line.replace("{s}", subject).replace("{v}", answers[0]) for line in lines)

    return SheetFact(
        id=f"{row['relation']}.{subject}",
        subject=subject,
        object=answers[0],
        statements=fill(statements),
        questions=(row["question"], *fill(wordings)),
        aliases=tuple(answers[1:]),
    )


def make_questions_task(train: int, dev: int, test: int) -> Task:
    """Questions about entities that no other row mentions, with a paragraph for each."""
    rows = _read_rows()[: train + dev + test]
    examples = tuple(_make_example(row) for row in rows)
    notes = tuple(
        Document(id=f"doc-{row['subject']}", title=row["subject"], text=row["paragraph"])
        for row in rows
    )
    return Task(
        name="open-notes",
        splits=Splits(
            train=examples[:train], dev=examples[train : train + dev], test=examples[train + dev :]
        ),
        metric=MetricSpec(name="facts"),
        instructions="Answer the question from the text.",
        documents=notes,
    )


def read_closed_book(count: int) -> list[Example]:
    """Questions with their relation, for telling what a model knows."""
    usable = [row for row in _read_rows() if row["relation"] in _WORDINGS]
    return [_make_example(row) for row in usable[:count]]


def read_unanswerable(count: int) -> list[Example]:
    """Questions that have no answer, of SelfAware."""
    path = find_public_data("selfaware/SelfAware.json")
    rows = json.loads(path.read_text(encoding="utf-8"))["example"]
    open_ = [row for row in rows if row["answerable"] is False]
    random.Random("selfaware").shuffle(open_)
    return [
        Example(
            id=f"selfaware-{row['question_id']}",
            inputs={"question": row["question"]},
            meta={"answerable": False},
        )
        for row in open_[:count]
    ]


def _make_example(row: Mapping[str, Any]) -> Example:
    return Example(
        id=f"{row['relation']}.{row['subject']}",
        inputs={"question": row["question"]},
        target=row["answers"][0],
        group=row["subject"],
        evidence=(f"doc-{row['subject']}",),
        meta={"relation": row["relation"], "aliases": row["answers"][1:]},
    )
