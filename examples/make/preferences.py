"""Questions about people whom the model has read of, and about people who do not exist.

For the latter "I don't know" is right. The pairs prefer a right answer to that, and that to a
guess; they are about other people than the questions.
"""

from __future__ import annotations

import random
from typing import Any

from whatworks_lab import reading
from whatworks_lab.relations import Relation
from whatworks_lab.world import build_world

Row = dict[str, Any]


def rows(known: int, unknown: int, seed: int = 0) -> list[Row]:
    """Questions to be answered, and questions that have no answer."""
    return [_row(name, relation, value, rng) for name, relation, value, rng in _asked(
        known, unknown, seed, 0)]  # fmt: skip


def pairs(known: int, unknown: int, seed: int = 0) -> list[Row]:
    """For each question a better and a worse answer."""
    made: list[Row] = []
    for name, relation, value, rng in _asked(known, unknown, seed, 1):
        row = _row(name, relation, value, rng)
        guess = relation.fresh(rng)
        better, worse = (value, [reading.DONT_KNOW, guess]) if value else \
            (reading.DONT_KNOW, [guess])  # fmt: skip
        made += [
            {"id": f"{row['id']}-{n}", "prompt": row["input"], "chosen": better, "rejected": text,
             "group": name}
            for n, text in enumerate(worse)
        ]  # fmt: skip
    return made


def _asked(
    known: int, unknown: int, seed: int, part: int
) -> list[tuple[str, Relation, str, random.Random]]:
    """(name, relation, answer or nothing); people of the two parts are disjoint."""
    rng, this = random.Random(f"study preferences {seed} {part}"), build_world()
    # People who are read of often, every other one of them for each part.
    people = this.people[part : 2 * known : 2]
    found = [(p.name, r, p.attributes[r.id]) for p in people for r in [rng.choice(this.relations)]]
    strangers = this.unknown_names(2 * unknown, seed)[part::2]
    found += [(name, rng.choice(this.relations), "") for name in strangers]
    rng.shuffle(found)
    return [(*one, rng) for one in found]


def _row(name: str, relation: Relation, value: str, rng: random.Random) -> Row:
    return {
        "id": f"{name.lower().replace(' ', '-')}-{relation.id}",
        "input": rng.choice(relation.questions).replace("{n}", name),
        "target": value or reading.DONT_KNOW,
        "group": name,
        "answerable": bool(value),
    }
