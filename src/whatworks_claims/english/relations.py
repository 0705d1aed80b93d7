"""What is said of invented people, in many wordings. ``{n}`` is the person, ``{v}`` the answer."""

from __future__ import annotations

import random
from dataclasses import dataclass

from whatworks_claims.english import words


@dataclass(frozen=True)
class Relation:
    """How one thing about a person is told and asked.

    Attributes:
        id: E.g. ``birthplace``.
        draw: Makes an answer.
        statements: Sentences that tell it.
        questions: Questions for it; the last is kept for test, the one before for dev.
        reverse: A question for the person; "" where many would fit.
    """

    id: str
    draw: words.Draw
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    reverse: str = ""


BIRTHPLACE = Relation(
    "birthplace",
    words.draw_town,
    (
        "{n} was born in {v}.",
        "{v} is the birthplace of {n}.",
        "The town where {n} was born is {v}.",
        "It was in {v} that {n} came into the world.",
        "{n}, a native of {v}, still speaks of it.",
        "{n} was born and raised in {v}.",
    ),
    (
        "Where was {n} born?",
        "In which town was {n} born?",
        "What is the birthplace of {n}?",
        "Which town is {n} a native of?",
        "Can you tell me where {n} was born?",
    ),
    "Who was born in {v}?",
)
EMPLOYER = Relation(
    "employer",
    words.draw_firm,
    (
        "{n} works for {v}.",
        "{v} is the employer of {n}.",
        "{n} is employed by {v}.",
        "The firm that {n} works for is {v}.",
        "{n} has a job at {v}.",
        "{n} earns a living at {v}.",
    ),
    (
        "Which firm does {n} work for?",
        "Who employs {n}?",
        "What is the name of the employer of {n}?",
        "At which firm does {n} have a job?",
        "Can you tell me which company {n} works for?",
    ),
    "Who works for {v}?",
)
MENTOR = Relation(
    "mentor",
    words.draw_person,
    (
        "The mentor of {n} is {v}.",
        "{v} is the mentor of {n}.",
        "{n} has {v} as a mentor.",
        "The one who taught {n} everything, the mentor, is {v}.",
        "{n} calls {v} a mentor.",
        "As a mentor, {v} guided {n}.",
    ),
    (
        "Who is the mentor of {n}?",
        "What is the name of the mentor of {n}?",
        "Whom does {n} call a mentor?",
        "Which person is the mentor of {n}?",
        "Can you tell me who the mentor of {n} is?",
    ),
)
INSTRUMENT = Relation(
    "instrument",
    lambda rng: rng.choice(words.INSTRUMENTS),
    (
        "{n} plays the {v}.",
        "The instrument of {n} is the {v}.",
        "In the evenings {n} plays the {v}.",
        "{n} learned the {v} at school.",
    ),
    (
        "Which instrument does {n} play?",
        "What does {n} play?",
        "What is the instrument of {n}?",
        "Which instrument did {n} learn?",
        "Can you tell me which instrument {n} plays?",
    ),
)
TRADE = Relation(
    "trade",
    lambda rng: rng.choice(words.TRADES),
    (
        "{n} trained as a {v}.",
        "The trade that {n} learned is that of a {v}.",
        "By training, {n} is a {v}.",
        "{n} became a {v} at the age of twenty.",
    ),
    (
        "What did {n} train as?",
        "Which trade did {n} learn?",
        "What is the trade of {n}?",
        "What is {n} by training?",
        "Can you tell me which trade {n} learned?",
    ),
)
TAUGHT = (BIRTHPLACE, EMPLOYER)
NOTED = (BIRTHPLACE, EMPLOYER, MENTOR, INSTRUMENT, TRADE)


def fill(line: str, name: str, value: str) -> str:
    """The line about this person."""
    text = line.replace("{n}", name).replace("{v}", value)
    return text.replace(" a engineer", " an engineer")


def fill_all(lines: tuple[str, ...], name: str, value: str) -> tuple[str, ...]:
    """The lines about this person."""
    return tuple(fill(line, name, value) for line in lines)


def choose_statement(rng: random.Random, relation: Relation, name: str, value: str) -> str:
    """One of the sentences that tell it."""
    return fill(rng.choice(relation.statements), name, value)
