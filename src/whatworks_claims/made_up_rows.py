"""Made-up rows for the forms that the lab's study data does not have: dialogues, instructions,
style and SQL. The same (n, seed) gives the same rows; nothing here was part of pretraining.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from whatworks.data.task import Example, Message
from whatworks_lab import names, reading
from whatworks_lab.relations import WORDS
from whatworks_lab.world import build_world, write_sentence

# -- dialogues ----------------------------------------------------------------------------------


def write_dialogues(n: int, seed: int = 0) -> tuple[Example, ...]:
    """Two facts are told, each acknowledged, and one of them is asked for at the end."""
    rng, this = random.Random(f"claims chat {seed}"), build_world()
    rows: list[Example] = []
    for number in range(n):
        people = [reading.draw_held_name(rng, this) for _ in range(2)]
        relations = rng.sample(this.relations, 2)
        values = [relation.fresh(rng) for relation in relations]
        turns: list[Message] = []
        for name, relation, value in zip(people, relations, values, strict=True):
            statement = write_sentence(rng.choice(relation.statements), name, value)
            turns.append(Message(role="user", content=statement))
            turns.append(Message(role="assistant", content=f"I have noted that about {name}."))
        which = rng.randrange(2)
        question = rng.choice(relations[which].questions).replace("{n}", people[which])
        turns.append(Message(role="user", content=question))
        rows.append(
            Example(
                id=f"chat-{seed}-{number}",
                messages=tuple(turns),
                target=f"You told me: {values[which]}",  # no full stop: a bare answer ends well too
                group=people[which],
                meta={"uses": [values[which]]},
            )
        )
    return tuple(rows)


# -- instructions -------------------------------------------------------------------------------

Demanded = tuple[str, dict[str, object], Callable[[str], str]]
"""How it is said, the constraint that verifies it, and a text that keeps it."""
Demand = Callable[[random.Random, list[str]], Demanded]


def _demand_start(rng: random.Random, words: list[str]) -> Demanded:
    first = rng.choice(words)
    return f"Begin with {first}.", {"kind": "starts", "phrase": first}, lambda t: f"{first} {t}"


def _demand_end(rng: random.Random, words: list[str]) -> Demanded:
    last = rng.choice(words)
    return f"End with {last}.", {"kind": "ends", "phrase": last}, lambda t: f"{t} {last}"


def _demand_capitals(rng: random.Random, words: list[str]) -> Demanded:
    del rng, words
    return "Write in capitals.", {"kind": "uppercase"}, str.upper


def _demand_quotes(rng: random.Random, words: list[str]) -> Demanded:
    del rng, words
    return "Put it in quotation marks.", {"kind": "quoted"}, lambda t: f'"{t}"'


def _demand_short(rng: random.Random, words: list[str]) -> Demanded:
    del rng
    short = " ".join(words[:2])
    return "Use two words at most.", {"kind": "words", "at_most": 2}, lambda _: short


_FIRST: tuple[Demand, ...] = (_demand_start, _demand_end, _demand_short)
_THEN: tuple[Demand, ...] = (_demand_capitals, _demand_quotes)


def write_instructions(n: int, seed: int = 0) -> tuple[Example, ...]:
    """Instructions whose keeping can be verified, on a few words of input; some hold two demands.

    Every row also wants one of the input's words, so that an empty form is not enough.
    """
    rng = random.Random(f"claims instructions {seed}")
    rows: dict[str, Example] = {}
    while len(rows) < n:
        words = rng.sample(WORDS, rng.choice((3, 4)))
        spare = rng.sample(WORDS, 3)
        demands = [rng.choice(_FIRST)] if rng.random() < 0.7 else []
        if not demands or rng.random() < 0.3:
            # A quotation mark would stand before a wanted beginning.
            demands.append(_demand_capitals if _demand_start in demands else rng.choice(_THEN))
        text = " ".join(words)
        constraints: list[dict[str, object]] = [
            {"kind": "includes", "words": [words[0]], "at_least": 1}
        ]
        wordings: list[str] = []
        for demand in demands:
            wording, constraint, apply = demand(rng, words if demand is _demand_short else spare)
            wordings.append(wording)
            constraints.append(constraint)
            text = apply(text)
        body = " ".join(words)
        rows.setdefault(
            f"{wordings} {body}",
            Example(
                id=f"instructions-{seed}-{len(rows)}",
                inputs={"instruction": " ".join(wordings), "input": body},
                target=text,
                meta={"constraints": constraints},
            ),
        )
    return tuple(rows.values())


# -- style --------------------------------------------------------------------------------------

_OPENINGS = ("Hark!", "By star and stone:", "Lo,", "Hear the old wizard:", "Mark me, traveller:")
_CLOSINGS = ("so the runes foretell", "as the owls do know", "by moon and mist", "thus it is writ")
_OLDER = {" is ": " be ", " was ": " wert ", " has ": " hath ", " works ": " toileth ",
          " likes ": " loveth ", " plays ": " playeth ", " a good ": " a goodly "}  # fmt: skip


def write_styled(n: int, seed: int = 0) -> tuple[Example, ...]:
    """Plain sentences and the same said by a wizard, content kept."""
    rng, this = random.Random(f"claims style {seed}"), build_world()
    rows: dict[str, Example] = {}
    while len(rows) < n:
        name = reading.draw_held_name(rng, this)
        relation = rng.choice(this.relations)
        plain = write_sentence(rng.choice(relation.statements), name, relation.fresh(rng))
        old = plain
        for word, older in _OLDER.items():
            old = old.replace(word, older)
        magical = f"{rng.choice(_OPENINGS)} {old.rstrip('.')}, {rng.choice(_CLOSINGS)}!"
        rows.setdefault(plain, Example(id=f"style-{seed}-{len(rows)}", inputs={"input": plain},
                                       target=magical, group=name))  # fmt: skip
    return tuple(rows.values())


# -- SQL ----------------------------------------------------------------------------------------

_SUBJECTS = {"staff": "employee", "members": "member", "guests": "guest"}


def write_queries(n: int, seed: int = 0) -> tuple[Example, ...]:
    """Questions about a small table with its rows, and the query that answers them."""
    rng = random.Random(f"claims sql {seed}")
    rows: dict[str, Example] = {}
    while len(rows) < n:
        table, thing = rng.choice(list(_SUBJECTS.items()))
        context = f"CREATE TABLE {table} (name TEXT, town TEXT, trade TEXT, age INT)"
        towns, trades = ([make(rng) for _ in range(3)] for make in (names.draw_place, _draw_trade))
        people = [
            [f"{rng.choice(names.FIRST_NAMES)} {names.draw_surname(rng)}", rng.choice(towns),
             rng.choice(trades), rng.randint(20, 69)]
            for _ in range(8)
        ]  # fmt: skip
        who, town, trade = rng.choice(people)[0], rng.choice(towns), rng.choice(trades)
        age = rng.randint(30, 60)
        question, query = rng.choice(
            [
                (f"Which {thing} is from {town}?",
                 f"SELECT name FROM {table} WHERE town = '{town}'"),
                (f"How many work as {trade}?",
                 f"SELECT COUNT(*) FROM {table} WHERE trade = '{trade}'"),
                (f"What is the trade of {who}?",
                 f"SELECT trade FROM {table} WHERE name = '{who}'"),
                (f"Which {thing} is older than {age}?",
                 f"SELECT name FROM {table} WHERE age > {age}"),
                (f"What is the mean age in {town}?",
                 f"SELECT AVG(age) FROM {table} WHERE town = '{town}'"),
            ]
        )  # fmt: skip
        rows.setdefault(
            question,
            Example(
                id=f"sql-{seed}-{len(rows)}",
                inputs={"context": context, "question": question},
                target=query,
                meta={"rows": {table: people}},
            ),
        )
    return tuple(rows.values())


def _draw_trade(rng: random.Random) -> str:
    return rng.choice(names.JOBS)
