"""The fixed world, as data: a thousand people with five attributes each, and a play."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from whatworks_lab import names, play
from whatworks_lab.relations import Relation, list_world_relations

PEOPLE = 1000
# Exposure falls with rank as (rank + SHIFT) ** -POWER, the law of Zipf and Mandelbrot: without the
# shift, what the few at the top get is lost on them, and the tail is known as well as the middle.
SHIFT, POWER = 300, 2.0


@dataclass(frozen=True)
class Fact:
    """One thing that is true in the world, with every way it is said and asked."""

    id: str
    subject: str
    relation: str
    object: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    reverse_questions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Person:
    """A person of the fixed world.

    `rank` 0 is the person whom the training text mentions most. `questions_trained` says whether
    questions about this person were part of training, or only statements.
    """

    name: str
    rank: int
    attributes: dict[str, str]
    questions_trained: bool

    @property
    def exposure(self) -> float:
        """How often this person is mentioned, relative to the most mentioned one."""
        return float((1 + self.rank / SHIFT) ** -POWER)


@dataclass(frozen=True)
class World:
    """All people and facts of one seed. Seed 0 is the one that the shipped weights have read."""

    seed: int
    relations: tuple[Relation, ...]
    people: tuple[Person, ...]
    play: tuple[str, ...]
    play_facts: tuple[Fact, ...]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Every fact: five for each person, then those of the play."""
        return _list_facts(self.seed)

    @property
    def surnames(self) -> frozenset[str]:
        """The surnames of the world's people."""
        return _list_surnames(self.seed)

    def unknown_names(self, count: int, seed: int = 0) -> list[str]:
        """Names of people who don't exist, with surnames that nobody in the world carries.

        Training uses unknown names as well, never these: a full name is assigned to the training
        stream or to this list by the spelling of its surname.
        """
        rng = random.Random(f"unknown names {self.seed} {seed}")
        taken, fresh = self.surnames, dict[str, None]()
        while len(fresh) < count:
            name = names.draw_fresh_name(rng, taken)
            if is_held_out_name(name):
                fresh[name] = None
        return list(fresh)


def is_held_out_name(name: str) -> bool:
    """Whether a made-up name belongs to the held-out fifth that training never writes."""
    surname = name.split()[-1]
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(surname)) % 5 == 0


def find_fact(person: Person, relation: Relation) -> Fact:
    """The fact that gives `person` its value of `relation`."""
    value = person.attributes[relation.id]

    def fill(lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(write_sentence(line, person.name, value) for line in lines)

    return Fact(
        f"{person.name.lower().replace(' ', '-')}.{relation.id}",
        person.name,
        relation.id,
        value,
        fill(relation.statements),
        fill(relation.questions),
    )


def write_sentence(line: str, name: str, value: str) -> str:
    """A wording with its name and value filled in, starting with a capital."""
    article = "an" if value[:1].lower() in "aeiou" else "a"
    text = line.replace(" a {v}", f" {article} {{v}}").replace("A {v}", f"{article.title()} {{v}}")
    text = text.replace("{n}", name).replace("{v}", value)
    return text[0].upper() + text[1:]


@cache
def build_world(seed: int = 0) -> World:
    """The world of `seed`: 1,000 people and the play."""
    rng = random.Random(f"whatworks world {seed}")
    relations = list_world_relations()
    surnames = names.draw_distinct(rng, names.draw_surname, PEOPLE // 2)
    pairs: dict[str, None] = {}
    while len(pairs) < PEOPLE:
        # Every surname is carried by two people, so a surname alone does not name a person.
        last = surnames[len(pairs) % len(surnames)]
        pairs[f"{rng.choice(names.FIRST_NAMES)} {last}"] = None
    everyone = list(pairs)
    rng.shuffle(everyone)
    people = tuple(
        Person(
            name,
            rank,
            {relation.id: rng.choice(relation.pool) for relation in relations},
            # In every pair of neighbouring ranks one person is questioned and the other is not,
            # which keeps exposure equal in the two halves.
            (rank + rank // 2) % 2 == 0,
        )
        for rank, name in enumerate(everyone)
    )
    return World(seed, relations, people, play.LINES, _list_play_facts())


@cache
def _list_surnames(seed: int) -> frozenset[str]:
    return frozenset(person.name.split()[-1] for person in build_world(seed).people)


@cache
def _list_facts(seed: int) -> tuple[Fact, ...]:
    this = build_world(seed)
    own = tuple(
        find_fact(person, relation) for person in this.people for relation in this.relations
    )
    return own + this.play_facts


def _list_play_facts() -> tuple[Fact, ...]:
    return tuple(
        Fact(
            id_,
            subject,
            relation,
            object_,
            tuple(s for s in play.STATEMENTS if subject in s and object_.split()[-1] in s),
            questions,
            reverse,
        )
        for id_, relation, subject, object_, questions, reverse in play.FACTS
    )
