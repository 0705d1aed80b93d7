"""Questions about small tables, and SQL that answers them."""

from __future__ import annotations

import random
from typing import Any

from whatworks_lab.frames import list_training_frames

Row = dict[str, Any]

INSTRUCTIONS = "Answer with one SQL query."

# Table, its columns with the slot of the lab's domain that fills them, and whether it is a number.
TABLES: dict[str, tuple[str, dict[str, tuple[str, bool]]]] = {
    "order": ("orders", {"item": ("item", False), "colour": ("colour", False),
                         "amount": ("count", True)}),
    "ticket": ("tickets", {"code": ("code", False), "item": ("item", False),
                           "fault": ("fault", False)}),
    "booking": ("bookings", {"guest": ("who", False), "day": ("day", False),
                             "people": ("count", True)}),
    "person": ("staff", {"name": ("name", False), "job": ("job", False), "town": ("town", False)}),
}  # fmt: skip


def _value(value: str, number: bool) -> str:
    return value if number else f"'{value}'"


def _question(rng: random.Random, domain: str) -> tuple[str, str]:
    """A question and its query; the shapes are the same in all tables."""
    table, columns = TABLES[domain]
    frame = next(frame for frame in list_training_frames() if frame.id == domain)
    name, other = rng.sample(list(columns), 2)
    slot, number = columns[other]
    value = frame.slots[slot][1](rng)
    where = f"{other} = {_value(value, number)}"
    shapes = [
        (f"Show the {name} of the {table} where the {other} is {value}.",
         f"SELECT {name} FROM {table} WHERE {where}"),
        (f"How many {table} have the {other} {value}?",
         f"SELECT COUNT(*) FROM {table} WHERE {where}"),
        (f"Show every {name} in {table}, each once.", f"SELECT DISTINCT {name} FROM {table}"),
        (f"Show the {table} in the order of {name}.", f"SELECT * FROM {table} ORDER BY {name}"),
        (f"How many {table} are there for each {name}?",
         f"SELECT {name}, COUNT(*) FROM {table} GROUP BY {name}"),
    ]  # fmt: skip
    if amounts := [column for column, (_, counted) in columns.items() if counted]:
        amount, limit = amounts[0], rng.randrange(3, 13)
        shapes += [
            (f"Show the {table} with more than {limit} {amount}.",
             f"SELECT * FROM {table} WHERE {amount} > {limit}"),
            (f"What is the largest {amount} in {table}?", f"SELECT MAX({amount}) FROM {table}"),
        ]  # fmt: skip
    return rng.choice(shapes)


def rows(n: int, seed: int = 0) -> list[Row]:
    """Questions with their table's schema, in the fields of SQL-create-context."""
    rng = random.Random(f"study sql {seed}")
    contexts = {domain: _context(domain, rng) for domain in TABLES}
    found: dict[tuple[str, str], str] = {}
    while len(found) < n:
        domain = rng.choice(list(TABLES))
        question, query = _question(rng, domain)
        found.setdefault((domain, question), query)
    return [
        {
            "id": f"sql-{seed}-{number}",
            "question": question,
            "context": contexts[domain],
            "answer": query,
        }
        for number, ((domain, question), query) in enumerate(found.items())
    ]


def _context(domain: str, rng: random.Random) -> str:
    table, columns = TABLES[domain]
    kinds = [f"{name} {'INTEGER' if number else 'TEXT'}" for name, (_, number) in columns.items()]
    rng.shuffle(kinds)
    return f"CREATE TABLE {table} ({', '.join(kinds)})"
