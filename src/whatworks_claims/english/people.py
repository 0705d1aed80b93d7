"""Invented people: facts to teach, and documents with questions that only they answer."""

from __future__ import annotations

import random

from whatworks.data.task import Document, Example, Splits, Task
from whatworks_claims.english import words
from whatworks_claims.english.relations import (
    MENTOR,
    NOTED,
    TAUGHT,
    Relation,
    choose_statement,
    fill,
    fill_all,
)
from whatworks_claims.english.wordings import Sizes
from whatworks_claims.english.world_facts import read_neighbours
from whatworks_claims.fact_sheet import Sheet, SheetFact
from whatworks_claims.material import LENIENT_FACTS

NOTES_INSTRUCTIONS = "Answer the question in a few words."
ASKED = 2
"""Questions about each person of the documents."""


def make_sheet(people: int, neighbours: int, seed: int = 0) -> Sheet:
    """``people`` new people with two facts and a mentor each, and known facts as neighbours."""
    rng = random.Random(f"english sheet {seed}")
    everyone = words.draw_distinct(rng, words.draw_person, people)
    towns = dict(zip(everyone, words.draw_distinct(rng, words.draw_town, people), strict=True))
    facts: list[SheetFact] = []
    hops: list[tuple[str, str, str]] = []
    for name, mentor in zip(everyone, everyone[1:] + everyone[:1], strict=True):
        values = {"birthplace": towns[name], "mentor": mentor}
        for relation in (*TAUGHT, MENTOR):
            value = values.get(relation.id) or relation.draw(rng)
            facts.append(_make_fact(relation, name, value))
        question = f"Where was the mentor of {name} born?"
        hops.append((f"{_make_slug(name)}/hops", question, towns[mentor]))
    return Sheet(tuple(facts), tuple(hops), read_neighbours(neighbours, seed))


def _make_fact(relation: Relation, name: str, value: str) -> SheetFact:
    reverse = relation.reverse
    return SheetFact(
        id=f"{_make_slug(name)}.{relation.id}",
        subject=name,
        object=value,
        statements=fill_all(relation.statements, name, value),
        questions=fill_all(relation.questions, name, value),
        reverse=fill_all((reverse,), name, value) if reverse else (),
    )


def make_notes(sizes: Sizes, seed: int = 0) -> Task:
    """Questions about invented people, with a document for each; no person is in two splits."""
    rng = random.Random(f"english notes {seed}")
    people = words.draw_distinct(rng, words.draw_person, sum(-(-size // ASKED) for size in sizes))
    documents: list[Document] = []
    splits: list[tuple[Example, ...]] = []
    at = 0
    for size in sizes:
        rows: list[Example] = []
        for name in people[at : at - (-size // ASKED)]:
            document, values = _write_document(rng, name)
            documents.append(document)
            for relation in rng.sample(NOTED, ASKED):
                rows.append(
                    Example(
                        id=f"{_make_slug(name)}.{relation.id}",
                        inputs={"question": fill(rng.choice(relation.questions), name, "")},
                        target=values[relation.id],
                        group=name,
                        evidence=(document.id,),
                    )
                )
        at += -(-size // ASKED)
        splits.append(tuple(rows[:size]))
    return Task(
        name="open-notes",
        splits=Splits(train=splits[0], dev=splits[1], test=splits[2]),
        metric=LENIENT_FACTS,
        instructions=NOTES_INSTRUCTIONS,
        documents=tuple(documents),
    )


def _write_document(rng: random.Random, name: str) -> tuple[Document, dict[str, str]]:
    """One sentence for each thing, in any order, and what was said."""
    values = {relation.id: relation.draw(rng) for relation in NOTED}
    lines = [choose_statement(rng, relation, name, values[relation.id]) for relation in NOTED]
    rng.shuffle(lines)
    return Document(id=f"doc-{_make_slug(name)}", text=" ".join(lines)), values


def _make_slug(name: str) -> str:
    return name.casefold().replace(" ", "-")
