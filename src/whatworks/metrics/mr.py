"""Meaning representations as in ViGGO: ``act(slot[value, value], slot[value])``.

Grammar (Juraska et al. 2019, ViGGO, written out)::

    mr    = act "(" [ slot { "," slot } ] ")"
    slot  = name "[" value "]"
    value = any characters; brackets inside must be balanced
    act, name = letter or "_", then letters, digits, "_", "-", "."

White space is free between symbols. A value is a list of items, separated by commas that stand in
no bracket or parenthesis: ``genres[driving/racing, sport]`` has two items, ``esrb[E 10+ (for
Everyone 10 and Older)]`` one, ``name[]`` none. The order of a value's items never counts.

Empty answers are malformed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from whatworks.constraint import ROOM, Constraint
from whatworks.errors import InputError
from whatworks.metrics import Score
from whatworks.metrics.compare import brief, overlap, part_means, readable
from whatworks.task import Example

summary = part_means

_NAME = re.compile(r"[^\W\d][\w.-]*")
# Each run of name characters is looked at once: a long answer takes time in proportion.
_OPENING = re.compile(r"(?<![\w.-])[\d.-]*+([^\W\d][\w.-]*+)\s*+\(")
_SPACE = re.compile(r"\s*")
_MOST_STARTS = 50
"""Places at which a representation is looked for inside a longer answer."""


class MalformedMR(ValueError):
    """A text is no meaning representation; says what was expected where."""


@dataclass(frozen=True)
class Slot:
    """A name with the items of its value, sorted."""

    name: str
    items: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(self.items)}]"


@dataclass(frozen=True)
class MeaningRepresentation:
    """A dialogue act with its slots, in the order written."""

    act: str
    slots: tuple[Slot, ...]

    def __str__(self) -> str:
        return f"{self.act}({', '.join(map(str, self.slots))})"

    def equals(self, other: MeaningRepresentation, *, order: bool) -> bool:
        """The same act with the same slots, in the same order if that counts."""
        same_slots = (
            self.slots == other.slots if order else Counter(self.slots) == Counter(other.slots)
        )
        return self.act == other.act and same_slots

    def folded(self) -> MeaningRepresentation:
        """Without differences of case and of spaces."""
        slots = (Slot(_fold(s.name), tuple(sorted(map(_fold, s.items)))) for s in self.slots)
        return MeaningRepresentation(_fold(self.act), tuple(slots))

    def names(self) -> Counter[str]:
        """The names of the slots."""
        return Counter(slot.name for slot in self.slots)

    def pairs(self) -> Counter[tuple[str, str]]:
        """(slot, item) for every item; (slot, "") for a slot without any."""
        return Counter((s.name, item) for s in self.slots for item in s.items or ("",))


def parse(text: str) -> MeaningRepresentation:
    """Read a text that is one meaning representation and nothing else.

    Raises:
        MalformedMR: Saying what was expected, and at which character.
    """
    reader = _Reader(text)
    found = reader.representation()
    reader.end()
    return found


def find(text: str) -> MeaningRepresentation | None:
    """The first meaning representation within a text."""
    for count, start in enumerate(_OPENING.finditer(text)):
        if count == _MOST_STARTS:
            break
        try:
            return _Reader(text, start.start(1)).representation()
        except MalformedMR:
            continue
    return None


_GRAMMAR = """\
start: act "(" (slot (", " slot){{0,{slots}}})? ")"
act: {acts}
slot: name "[" VALUE? "]"
name: {names}
VALUE: /{plain}{{1,{length}}}(\\({plain}{{0,{length}}}\\){plain}{{0,{length}}}){{0,{groups}}}/
"""


def form(train: Sequence[Example]) -> Constraint | None:
    """A representation with the acts and the slots of the train rows' targets; values are free.

    Free up to ``ROOM`` times what train has at most, in characters, parentheses and slots: without
    an end, a model that doesn't find one writes on until it is cut off.
    """
    found = readable(train, parse)
    acts = sorted({one.act for one in found})
    slots = [slot for one in found for slot in one.slots]
    names = sorted({slot.name for slot in slots})
    if not names:
        return None
    values = [", ".join(slot.items) for slot in slots]
    text = _GRAMMAR.format(
        acts=" | ".join(f'"{act}"' for act in acts),
        names=" | ".join(f'"{name}"' for name in names),
        slots=ROOM * max(len(one.slots) for one in found) - 1,
        length=ROOM * max(1, *map(len, values)),
        plain=r"[^\[\]()\n]",
        groups=ROOM * max(1, *(value.count("(") for value in values)),
    )
    return Constraint(kind="lark", text=text)


def label(text: str) -> str:
    """The representation, written in one way, whatever the order of its slots."""
    try:
        found = parse(text)
    except MalformedMR:
        return ""
    return str(MeaningRepresentation(found.act, tuple(sorted(found.slots, key=str))))


def mr(example: Example, text: str, *, order: bool = False) -> Score:
    """The target's act and slots.

    Parts: ``parsed``; ``act`` (equal); ``slot_f1`` over slot names, ``value_f1`` over (slot, item)
    pairs; ``ordered`` and ``unordered``: equality with and without the order of the slots.
    Lenient: found within the answer, up to case, spaces and order.

    Args:
        example: Its target is a meaning representation.
        text: The answer.
        order: Whether the order of the slots counts.

    Raises:
        InputError: If the target is malformed.
    """
    try:
        wanted = parse(example.target)
    except MalformedMR as error:
        raise InputError(
            f"the target is no meaning representation: {error}",
            place=f"example {example.id!r}",
            remedy="mend it: act(slot[value], ...)",
        ) from None
    problem = ""
    try:
        said = parse(text)
    except MalformedMR as error:
        problem, said = str(error), None
    found = said or find(text)
    lenient = float(found is not None and found.folded().equals(wanted.folded(), order=False))
    if said is None:
        names = ("parsed", "act", "slot_f1", "value_f1", "ordered", "unordered")
        feedback = f"not of the form act(slot[value], ...): {problem}; wanted {brief(str(wanted))}"
        return Score(0.0, "malformed", feedback, lenient=lenient, parts=dict.fromkeys(names, 0.0))
    parts = {
        "parsed": 1.0,
        "act": float(said.act == wanted.act),
        "slot_f1": overlap(said.names(), wanted.names()).f1,
        "value_f1": overlap(said.pairs(), wanted.pairs()).f1,
        "ordered": float(said.equals(wanted, order=True)),
        "unordered": float(said.equals(wanted, order=False)),
    }
    if parts["ordered" if order else "unordered"]:
        return Score(1.0, "correct", parts=parts, label=str(said))
    feedback = "; ".join(_differences(said, wanted))
    return Score(0.0, "wrong", feedback, lenient=lenient, parts=parts, label=str(said))


def _differences(said: MeaningRepresentation, wanted: MeaningRepresentation) -> Iterator[str]:
    if said.act != wanted.act:
        yield f"act {brief(said.act)}, wanted {brief(wanted.act)}"
    extra = Counter(said.slots) - Counter(wanted.slots)
    missing = Counter(wanted.slots) - Counter(said.slots)
    if missing:
        yield "missing " + ", ".join(map(str, missing.elements()))
    if extra:
        yield "not wanted " + ", ".join(map(str, extra.elements()))
    if said.act == wanted.act and not missing and not extra:
        yield "the slots in another order, wanted " + ", ".join(s.name for s in wanted.slots)


class _Reader:
    """Recursive descent over the grammar above, one method per rule."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text, self.at = text, at

    def representation(self) -> MeaningRepresentation:
        act = self._name("an act")
        self._symbol("(")
        slots: list[Slot] = []
        if not self._try(")"):
            slots.append(self._slot())
            while self._try(","):
                slots.append(self._slot())
            self._symbol(")", "',' or ')'")
        return MeaningRepresentation(act, tuple(slots))

    def end(self) -> None:
        self._space()
        if self.at < len(self.text):
            self._fail("nothing more")

    def _slot(self) -> Slot:
        name = self._name("a slot name")
        self._symbol("[")
        return Slot(name, self._items())

    def _items(self) -> tuple[str, ...]:
        """The items up to the bracket that closes the value, which is read over."""
        items, start, brackets, parentheses = list[str](), self.at, 0, 0
        for position in range(self.at, len(self.text)):
            match self.text[position]:
                case "]" if brackets == 0:
                    items.append(self.text[start:position])
                    self.at = position + 1
                    return tuple(sorted(filter(None, (" ".join(i.split()) for i in items))))
                case "]":
                    brackets -= 1
                case "[":
                    brackets += 1
                case "(":
                    parentheses += 1
                case ")":
                    parentheses = max(0, parentheses - 1)
                case "," if not brackets and not parentheses:
                    items.append(self.text[start:position])
                    start = position + 1
                case _:
                    pass
        self.at = len(self.text)
        self._fail("']'")

    def _name(self, what: str) -> str:
        self._space()
        found = _NAME.match(self.text, self.at)
        if not found:
            self._fail(what)
        self.at = found.end()
        return found[0]

    def _symbol(self, symbol: str, what: str = "") -> None:
        if not self._try(symbol):
            self._fail(what or repr(symbol))

    def _try(self, symbol: str) -> bool:
        self._space()
        if not self.text.startswith(symbol, self.at):
            return False
        self.at += len(symbol)
        return True

    def _space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _fail(self, what: str) -> NoReturn:
        here = brief(self.text[self.at :], 20) if self.text[self.at :].strip() else "the end"
        raise MalformedMR(f"expected {what} at character {self.at + 1}, found {here}")


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())
