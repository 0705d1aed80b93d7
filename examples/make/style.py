"""Plain statements about people, and the same in the manner of a herald."""

from __future__ import annotations

import random
from typing import Any

from whatworks_lab import reading
from whatworks_lab.world import build_world, write_sentence

Row = dict[str, Any]

INSTRUCTIONS = "Say it as a herald would."

HERALD = {
    "birthplace": ("fair {v} is the cradle of {n}!", "{n} is a child of fair {v}!"),
    "job": ("{n} doth labour as a noble {v}!", "behold {n}, a noble {v}!"),
    "employer": ("{n} doth serve the great house of {v}!", "the great house of {v} doth feed {n}!"),
    "instrument": ("{n} doth make the {v} sing!", "in the hands of {n} the {v} doth sing!"),
    "dish": ("no meal doth please {n} like {v}!", "{n} doth hunger for {v}!"),
}
CALLS = ("Hear, good people:", "O hear ye all:", "My lords and ladies:")


def rows(n: int, seed: int = 0) -> list[Row]:
    """One or two statements about one new person each, and the herald's way of saying them."""
    rng, this = random.Random(f"study style {seed}"), build_world()
    made: list[Row] = []
    for number in range(n):
        name = reading.draw_held_name(rng, this)
        plain: list[str] = []
        grand: list[str] = []
        for relation in rng.sample(this.relations, rng.choice((1, 1, 2))):
            value = relation.value(rng)
            plain.append(write_sentence(rng.choice(relation.statements), name, value))
            line = rng.choice(HERALD[relation.id])
            grand.append(line.replace("{n}", name).replace("{v}", value))
        target = f"{rng.choice(CALLS)} {' And '.join(grand)}"
        text = " ".join(plain)
        made.append(
            {"id": f"style-{seed}-{number}", "input": text, "target": target, "group": name}
        )
    return made
