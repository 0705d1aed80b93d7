"""Meaning representations as ViGGO writes them: ``inform(name[Portal], year[2007])``."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import NoReturn

from whatworks.base.phrasing import quote_briefly

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

    def fold(self) -> MeaningRepresentation:
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
    reader = _GrammarReader(text)
    representation = reader.representation()
    reader.end()
    return representation


def find(text: str) -> MeaningRepresentation | None:
    """The first meaning representation within a text."""
    for count, start in enumerate(_OPENING.finditer(text)):
        if count == _MOST_STARTS:
            break
        try:
            return _GrammarReader(text, start.start(1)).representation()
        except MalformedMR:
            continue
    return None


class _GrammarReader:
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
        match = _NAME.match(self.text, self.at)
        if not match:
            self._fail(what)
        self.at = match.end()
        return match[0]

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
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _fail(self, what: str) -> NoReturn:
        here = (
            quote_briefly(self.text[self.at :], 20) if self.text[self.at :].strip() else "the end"
        )
        raise MalformedMR(f"expected {what} at character {self.at + 1}, found {here}")


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())
