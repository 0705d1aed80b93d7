"""Notations drawn per document: the model has to take them from the demonstrations.

Three families are held out: training never writes them, the gates and the studies use them. The
family ``free`` composes a notation from brackets, signs and gaps drawn anew for each document, so
that structure has to be copied from the demonstrations; it never composes a held-out one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from whatworks_lab import frames
from whatworks_lab.document import Doc, DocumentTurn, make_answer, make_chat, make_user
from whatworks_lab.frames import Frame, FrameItem
from whatworks_lab.relations import WORDS

NAMED_FAMILIES = ("json", "pairs", "call", "sql", "table", "lines", "xml", "values", "marked")
FREE_SHARE = 0.55
HELD_OUT_FAMILIES = ("square", "lisp", "arrow")
HELD_OUT_KEYS = ("recipient", "merchandise", "municipality", "occupation", "weekday", "magnitude")

ASK_FORMAT = (
    "Convert the message.", "Write the message in the format shown.", "Translate.", "",
    "Give the record.", "Convert the text into the format of the examples.", "Follow the examples.",
)  # fmt: skip


@dataclass(frozen=True)
class Notation:
    """One way of writing an item: the family, the key for each slot, and the order of the slots."""

    family: str
    act: str
    keys: dict[str, str]
    write: Callable[[list[tuple[str, str]]], str]

    def target(self, item: FrameItem) -> str:
        """The item in this notation."""
        return self.write([(self.keys[s], item.slots[s]) for s in self.keys if s in item.slots])


def _choose_style(rng: random.Random) -> Callable[[str], str]:
    return rng.choice((str, str, str.upper, str.title))


def _make_writer(
    rng: random.Random, family: str, act: str
) -> Callable[[list[tuple[str, str]]], str]:
    pick = rng.choice
    if family == "json":
        gap = pick(((", ", ": "), (", ", ": "), (",", ":")))
        nested = rng.random() < 0.2

        def as_json(pairs: list[tuple[str, str]]) -> str:
            body: object = dict(pairs)
            return json.dumps({act: body} if nested else body, separators=gap, ensure_ascii=False)

        return as_json
    if family == "pairs":
        sign, gap = pick(("=", ": ", " = ", ":", "/")), pick(("; ", ", ", " & ", " | ", " + "))
        head = pick(("", f"{act}: ", f"{act} "))
        return lambda pairs: head + gap.join(f"{k}{sign}{v}" for k, v in pairs)
    if family == "call":
        left, right = pick(("()", "{}", "<>", "()"))
        sign, gap = pick(("=", ":", ": ", " = ")), pick((", ", "; ", " | "))
        return lambda pairs: f"{act}{left}{gap.join(f'{k}{sign}{v}' for k, v in pairs)}{right}"
    if family == "sql":
        big = _choose_style(rng) is str.upper
        into, values = ("INSERT INTO", "VALUES") if big else ("insert into", "values")
        named = rng.random() < 0.6

        def as_sql(pairs: list[tuple[str, str]]) -> str:
            columns = f" ({', '.join(k for k, _ in pairs)})" if named else ""
            cells = ", ".join(f"'{v}'" for _, v in pairs)
            return f"{into} {act}{columns} {values} ({cells})"

        return as_sql
    if family == "table":
        return lambda pairs: "| " + " | ".join(v for _, v in pairs) + " |"
    if family == "lines":
        sign = pick((": ", "=", " - "))
        return lambda pairs: "\n".join(f"{k}{sign}{v}" for k, v in pairs)
    if family == "xml":
        return lambda pairs: "".join(f"<{k}>{v}</{k}>" for k, v in pairs)
    if family == "values":
        gap = pick((", ", "; ", " / ", ","))
        return lambda pairs: gap.join(v for _, v in pairs)
    if family == "marked":
        mark = pick("#@*%&")
        return lambda pairs: " ".join(f"{mark}{k} {v}" for k, v in pairs)
    if family == "free":
        return _make_free_writer(rng, act)
    if family == "square":
        return lambda pairs: f"{act}({', '.join(f'{k}[{v}]' for k, v in pairs)})"
    if family == "lisp":
        return lambda pairs: f"({act} {' '.join(f'({k} {v})' for k, v in pairs)})"
    if family == "arrow":
        return lambda pairs: f"{act} > " + " > ".join(f"{k} -> {v}" for k, v in pairs)
    raise ValueError(f"unknown family of notations: {family}")


_SIGNS = "=:~^|/#@%*+-_.!$&?<>;,"
_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ("'", "'"), ('"', '"'), ("*", "*"))


def _draw_sign(rng: random.Random) -> str:
    """One or two signs, perhaps with spaces; never an arrow."""
    while True:
        sign = "".join(rng.choices(_SIGNS, k=rng.choice((1, 1, 2))))
        if "->" not in sign:
            return rng.choice(("{}", "{}", "{} ", " {} ")).format(sign)


def _make_free_writer(rng: random.Random, act: str) -> Callable[[list[tuple[str, str]]], str]:
    """A notation composed of brackets, signs and gaps.

    The held-out families are what it must not compose: a value in square brackets right behind
    its key, round brackets around a key and its value, arrows, and ``>`` between the pairs.
    """
    bare: tuple[str, str] = ("", "")
    around: dict[str, tuple[str, str]] = {part: bare for part in ("key", "value", "pair", "all")}
    around["all"] = rng.choice((bare, *_BRACKETS[:4]))
    for part in rng.choice(((), ("key",), ("value",), ("value",), ("pair",), ("pair",))):
        around[part] = rng.choice(_BRACKETS)
    joint = rng.choice((_draw_sign(rng), _draw_sign(rng), " ", ""))
    if joint == "" and around["key"] == bare and around["value"] == bare:
        joint = _draw_sign(rng)
    if (joint == "" and around["value"][0] == "[") or (joint == " " and around["pair"][0] == "("):
        joint = _draw_sign(rng)
    gap = rng.choice((", ", "; ", " ", ",", "\n", _draw_sign(rng), _draw_sign(rng)))
    if gap.strip() == ">":
        gap = " "
    head = rng.choice(("outside", "inside", "none"))
    behind = rng.choice(("", "", " ", _draw_sign(rng)))
    if behind.strip() == ">":
        behind = " "

    def put(part: str, text: str) -> str:
        return f"{around[part][0]}{text}{around[part][1]}"

    def write(pairs: list[tuple[str, str]]) -> str:
        body = gap.join(put("pair", put("key", k) + joint + put("value", v)) for k, v in pairs)
        if head == "inside":
            return put("all", act + (behind or " ") + body)
        return (act + behind if head == "outside" else "") + put("all", body)

    return write


def draw_notation(rng: random.Random, frame: Frame, family: str) -> Notation:
    """A notation of `family` for `frame`, with key names, order and signs drawn anew."""
    order = list(frame.slots)
    rng.shuffle(order)
    if len(order) > 2 and rng.random() < 0.3:
        order.pop()
    style = _choose_style(rng)
    foreign = rng.random() < 0.25
    spare = iter(rng.sample(WORDS, len(order)))
    keys = {s: style(next(spare) if foreign else rng.choice(frame.slots[s][0])) for s in order}
    act = style(rng.choice(WORDS) if foreign else rng.choice(frame.acts))
    return Notation(family, act, keys, _make_writer(rng, family, act))


def draw_format_pairs(
    rng: random.Random, family: str, count: int, frame: Frame | None = None
) -> list[tuple[str, str]]:
    """`count` sentences of one frame with their targets in one notation."""
    if frame is None:
        known = frames.list_training_frames()
        frame = frames.make_loose_frame(rng) if rng.random() < 0.3 else rng.choice(known)
    notation = draw_notation(rng, frame, family)
    items: list[FrameItem] = []
    while len(items) < count:
        item = frames.fill(rng, frame)
        if any(slot in item.slots for slot in notation.keys):
            items.append(item)
    return [(item.text, notation.target(item)) for item in items]


def write_format_doc(rng: random.Random, most: int = 8) -> Doc:
    """Demonstrations of a notation and more sentences to convert."""
    family = "free" if rng.random() < FREE_SHARE else rng.choice(NAMED_FAMILIES)
    pairs = draw_format_pairs(rng, family, 1 + rng.randint(1, most))
    instructions = rng.choice(ASK_FORMAT)
    turns: list[DocumentTurn] = []
    for place, (text, target) in enumerate(pairs):
        # The first target's notation cannot be foreseen; the values in it can be copied.
        turns += [make_user(text), make_answer(target, 0.2 if place == 0 else 1.0)]
    return make_chat("format", instructions, *turns)


def write_named_json_doc(rng: random.Random) -> Doc:
    """JSON whose keys the instructions name, with few demonstrations or none."""
    known = frames.list_training_frames()
    frame = rng.choice(known)
    order = rng.sample(list(frame.slots), rng.randint(1, len(frame.slots)))
    keys = {s: rng.choice(frame.slots[s][0]) for s in order}
    listed = ", ".join(keys.values())
    ask = rng.choice((
        f"Write JSON with the keys {listed}.", f"Return JSON with keys {listed}.",
        f"Convert the message to JSON. Keys: {listed}.", f"Extract {listed} as JSON.",
    ))  # fmt: skip
    turns: list[DocumentTurn] = []
    for _ in range(rng.randint(1, 4)):
        item = frames.fill(rng, frame)
        target = {keys[s]: item.slots.get(s, "") for s in order}
        turns += [
            make_user(item.text),
            make_answer(json.dumps({k: v for k, v in target.items() if v})),
        ]
    return make_chat("format", ask, *turns)
