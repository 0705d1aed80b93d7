"""Instructions about a sentence, each with constraints that can be verified."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from whatworks_lab.frames import FrameItem, fill, list_training_frames

Row = dict[str, Any]
Made = tuple[str, str, list[dict[str, Any]]]


def _values(item: FrameItem) -> list[str]:
    return list(item.slots.values())


def _keep(item: FrameItem) -> dict[str, Any]:
    return {"kind": "includes", "words": _values(item)}


def _capitals(rng: random.Random, item: FrameItem) -> Made:
    return "Write it in capitals.", item.text.upper(), [{"kind": "uppercase"}, _keep(item)]


def _small(rng: random.Random, item: FrameItem) -> Made:
    return "Write it in small letters.", item.text.lower(), [{"kind": "lowercase"}, _keep(item)]


def _list(rng: random.Random, item: FrameItem) -> Made:
    count = len(item.slots)
    points = "\n".join(f"- {value}" for value in _values(item))
    exact = {"kind": "bullets", "at_least": count, "at_most": count}
    return "List what it names, each on a line after a dash.", points, [exact, _keep(item)]


def _numbers(rng: random.Random, item: FrameItem) -> Made:
    count = len(item.slots)
    points = "\n".join(f"{at}. {value}" for at, value in enumerate(_values(item), start=1))
    exact = {"kind": "numbered", "at_least": count, "at_most": count}
    return "List what it names, with numbers.", points, [exact, _keep(item)]


def _greeting(rng: random.Random, item: FrameItem) -> Made:
    word = rng.choice(("Hello", "Good day", "Dear friend"))
    asked = f"Begin with {word} and a comma."
    begins = {"kind": "starts", "phrase": f"{word},"}
    return asked, f"{word}, {item.text[0].lower()}{item.text[1:]}", [begins, _keep(item)]


def _ending(rng: random.Random, item: FrameItem) -> Made:
    end = rng.choice(("That is all.", "Thank you.", "Please answer soon."))
    ends = {"kind": "ends", "phrase": end}
    return f"End with: {end}", f"{item.text} {end}", [ends, _keep(item)]


def _quoted(rng: random.Random, item: FrameItem) -> Made:
    return "Put it in quotation marks.", f'"{item.text}"', [{"kind": "quoted"}, _keep(item)]


def _unspoken(rng: random.Random, item: FrameItem) -> Made:
    hidden = rng.choice(_values(item))
    rest = [value for value in _values(item) if value != hidden and hidden not in value]
    wanted: list[dict[str, Any]] = [
        {"kind": "excludes", "words": [hidden]},
        {"kind": "includes", "words": ["something", *rest]},
    ]
    text = item.text.replace(hidden, "something", 1)
    return f"Write something instead of {hidden}.", text, wanted


def _title(rng: random.Random, item: FrameItem) -> Made:
    word = _values(item)[0].title()
    asked = "Begin with a title in double angle brackets."
    return asked, f"<<{word}>>\n{item.text}", [{"kind": "title"}, _keep(item)]


def _short(rng: random.Random, item: FrameItem) -> Made:
    word = rng.choice(_values(item))
    asked = f"Say only {word}, and no other word."
    most = {"kind": "words", "at_most": len(word.split())}
    return asked, word, [most, {"kind": "includes", "words": [word]}]


KINDS: tuple[Callable[[random.Random, FrameItem], Made], ...] = (
    _capitals, _small, _list, _numbers, _greeting, _ending, _quoted, _unspoken, _title, _short,
)  # fmt: skip


def rows(n: int, seed: int = 0) -> list[Row]:
    """Instructions over sentences of the lab's domains, in Alpaca's fields."""
    rng = random.Random(f"study instructions {seed}")
    known = list_training_frames()
    made: list[Row] = []
    seen: set[str] = set()
    while len(made) < n:
        item = fill(rng, rng.choice(known))
        values = _values(item)
        # A value twice, or one within another, would make "without it" impossible.
        if item.text in seen or any(a in b for a in values for b in values if a is not b):
            continue
        seen.add(item.text)
        asked, target, constraints = KINDS[len(made) % len(KINDS)](rng, item)
        made.append(
            {
                "id": f"instructions-{seed}-{len(made)}",
                "inputs": {"instruction": asked, "input": item.text},
                "target": target,
                "meta": {"constraints": constraints},
            }
        )
    return made
