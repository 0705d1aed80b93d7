"""Questions about small tables of invented houses, and the SQL that answers them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from whatworks.data.task import Example, Splits
from whatworks_claims.english import words
from whatworks_claims.english.wordings import Sizes, draw_shared

INSTRUCTIONS = "Write one SQL query that answers the question. Answer with the query only."


@dataclass(frozen=True)
class _Table:
    """A table: who stands in it, where they belong, what they do, and a number."""

    name: str
    one: str
    place: str
    work: str
    number: str
    works: tuple[str, ...]
    numbers: tuple[int, int]


_TABLES = (
    _Table("staff", "employee", "town", "trade", "age", words.TRADES, (20, 66)),
    _Table("players", "musician", "town", "instrument", "concerts", words.INSTRUMENTS,
           (2, 60)),
    _Table("readers", "reader", "village", "subject", "loans",
           ("history", "gardening", "cooking", "travel", "poetry", "sailing", "chess", "birds"),
           (1, 40)),
    _Table("rowers", "rower", "club", "boat", "races",
           ("single", "double", "four", "eight", "skiff", "gig"), (1, 30)),
)  # fmt: skip
_WORDINGS: tuple[tuple[str, str], ...] = (
    ("Which {one} is from {place}?", "SELECT name FROM {table} WHERE {where} = '{place}'"),
    ("How many have the {work_name} {work}?",
     "SELECT COUNT(*) FROM {table} WHERE {what} = '{work}'"),
    ("Who has more than {limit} {number}?", "SELECT name FROM {table} WHERE {number} > {limit}"),
    ("What is the {work_name} of {who}?", "SELECT {what} FROM {table} WHERE name = '{who}'"),
    ("What is the maximum of {number} in {place}?",
     "SELECT MAX({number}) FROM {table} WHERE {where} = '{place}'"),
    ("From which {where} is {who}?", "SELECT {where} FROM {table} WHERE name = '{who}'"),
    ("List the names of all from {place}.", "SELECT name FROM {table} WHERE {where} = '{place}'"),
    ("What is the average of {number} in {place}?",
     "SELECT AVG({number}) FROM {table} WHERE {where} = '{place}'"),
    ("Give the number of rows with the {work_name} {work}.",
     "SELECT COUNT(*) FROM {table} WHERE {what} = '{work}'"),
    ("Name everyone with fewer than {limit} {number}.",
     "SELECT name FROM {table} WHERE {number} < {limit}"),
    ("How high is {number} for {who}?", "SELECT {number} FROM {table} WHERE name = '{who}'"),
    ("How many are there from {place}?",
     "SELECT COUNT(*) FROM {table} WHERE {where} = '{place}'"),
    ("Which names go with the {work_name} {work}?",
     "SELECT name FROM {table} WHERE {what} = '{work}'"),
    ("What is the minimum of {number} for the {work_name} {work}?",
     "SELECT MIN({number}) FROM {table} WHERE {what} = '{work}'"),
    ("Tell me the {number} of {who}.", "SELECT {number} FROM {table} WHERE name = '{who}'"),
    ("What does the {number} of all from {place} add up to?",
     "SELECT SUM({number}) FROM {table} WHERE {where} = '{place}'"),
    ("Count those with more than {limit} {number}.",
     "SELECT COUNT(*) FROM {table} WHERE {number} > {limit}"),
    ("What is the mean of {number} for the {work_name} {work}?",
     "SELECT AVG({number}) FROM {table} WHERE {what} = '{work}'"),
)  # fmt: skip


def write_queries(sizes: Sizes, seed: int = 0) -> Splits:
    """Questions with their ``CREATE TABLE`` statement; the table's rows stand in ``meta``."""
    rng = random.Random(f"english queries {seed}")
    return draw_shared(rng, sizes, len(_WORDINGS), _write_query)


def _write_query(rng: random.Random, number: int) -> Example:
    table = rng.choice(_TABLES)
    places = words.draw_distinct(rng, words.draw_town, 3)
    works = rng.sample(table.works, 3)
    people = words.draw_distinct(rng, words.draw_person, 8)
    # Each place and each work comes at least twice, so that no question has an empty answer.
    rows: list[Sequence[str | int]] = [
        [who, places[i % 3], works[(i + i // 3) % 3], rng.randint(*table.numbers)]
        for i, who in enumerate(people)
    ]
    amounts = sorted(int(row[3]) for row in rows)
    low, high = amounts[0] + 1, max(amounts[0] + 1, amounts[-1] - 1)
    wording, query = _WORDINGS[number]
    filling = {
        "one": table.one, "place": rng.choice(places), "work": rng.choice(works),
        "who": rng.choice(people), "limit": rng.randint(low, high), "table": table.name,
        "where": table.place, "what": table.work, "work_name": table.work, "number": table.number,
    }  # fmt: skip
    context = (
        f"CREATE TABLE {table.name} (name TEXT, {table.place} TEXT, {table.work} TEXT, "
        f"{table.number} INT)"
    )
    return Example(
        id="query",
        inputs={"context": context, "question": wording.format(**filling)},
        target=query.format(**filling),
        meta={"rows": {table.name: rows}},
    )
