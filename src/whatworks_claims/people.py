"""Made-up people with facts that the embedded model has never read, and known people beside them.

On another model both are unknown; then what presupposes knowledge says so.
"""

from __future__ import annotations

import random

from whatworks.data.task import Example
from whatworks_claims.fact_sheet import Sheet, SheetFact
from whatworks_lab import names, reading
from whatworks_lab.relations import Relation
from whatworks_lab.world import Person, build_world, write_sentence

_REVERSE = {
    "birthplace": "Who was born in {v}?",
    "employer": "Who works for {v}?",
}
_MENTOR = ("The mentor of {n} is {v}.", "{v} is the mentor of {n}.", "For {n}, the mentor is {v}.")
_MENTOR_QUESTIONS = (
    "What is the mentor of {n}?",
    "Which mentor does {n} have?",
    "Tell me the mentor of {n}.",
    "What do we know of the mentor of {n}?",
)


def make_sheet(people: int, neighbours: int, seed: int = 0) -> Sheet:
    """``people`` new people with two facts and a mentor each, and known people's facts."""
    rng, this = random.Random(f"claims people {seed}"), build_world()
    everyone = names.draw_distinct(rng, lambda r: reading.draw_held_name(r, this), people)
    relations = [relation for relation in this.relations if relation.id in _REVERSE]
    facts: list[SheetFact] = []
    for name in everyone:
        facts += [_make_fact(rng, relation, name, relation.fresh(rng)) for relation in relations]
    homes = {fact.subject: fact.object for fact in facts if fact.id.endswith("birthplace")}
    hops: list[tuple[str, str, str]] = []
    for name, mentor in zip(everyone, everyone[1:] + everyone[:1], strict=True):
        facts.append(
            SheetFact(
                id=f"{_make_slug(name)}.mentor",
                subject=name,
                object=mentor,
                statements=_fill(_MENTOR, name, mentor),
                questions=_fill(_MENTOR_QUESTIONS, name, mentor),
            )
        )
        question = f"Where was the mentor of {name} born?"
        hops.append((f"{_make_slug(name)}/hops", question, homes[mentor]))
    near = [_make_known_fact(rng, person) for person in rng.sample(this.people[:100], neighbours)]
    return Sheet(tuple(facts), tuple(hops), tuple(near))


def write_questions(people: list[Person], seed: int = 0, *, each: int = 1) -> list[Example]:
    """Closed-book questions about people of the world, with their relation."""
    rng, this = random.Random(f"claims questions {seed}"), build_world()
    rows: list[Example] = []
    for person in people:
        for relation in rng.sample(this.relations, each):
            value = person.attributes[relation.id]
            rows.append(_write_question(rng, relation, person.name, value))
    return rows


def write_strangers(count: int, seed: int = 0, *, answers: bool) -> list[Example]:
    """Questions about people who do not exist; with made-up answers, or with none."""
    rng, this = random.Random(f"claims strangers {seed}"), build_world()
    examples: list[Example] = []
    for name in this.unknown_names(count, seed):
        relation = rng.choice(this.relations)
        if answers:
            examples.append(_write_question(rng, relation, name, relation.fresh(rng)))
        else:
            row = _write_question(rng, relation, name, "")
            examples.append(row.replace(meta={**row.meta, "answerable": False}))
    return examples


def _write_question(rng: random.Random, relation: Relation, name: str, value: str) -> Example:
    return Example(
        id=f"{_make_slug(name)}.{relation.id}",
        inputs={"question": rng.choice(relation.questions).replace("{n}", name)},
        target=value,
        group=name,
        meta={"relation": relation.id},
    )


def _make_known_fact(rng: random.Random, person: Person) -> SheetFact:
    relation = rng.choice(build_world().relations)
    return _make_fact(rng, relation, person.name, person.attributes[relation.id])


def _make_fact(rng: random.Random, relation: Relation, name: str, value: str) -> SheetFact:
    wordings = rng.sample(relation.statements, len(relation.statements))
    reverse = _REVERSE.get(relation.id, "")
    return SheetFact(
        id=f"{_make_slug(name)}.{relation.id}",
        subject=name,
        object=value,
        statements=_fill(tuple(wordings), name, value),
        questions=_fill(relation.questions, name, value),
        reverse=_fill((reverse,), name, value) if reverse else (),
    )


def _fill(lines: tuple[str, ...], name: str, value: str) -> tuple[str, ...]:
    return tuple(write_sentence(line, name, value) for line in lines)


def _make_slug(name: str) -> str:
    return name.lower().replace(" ", "-")
