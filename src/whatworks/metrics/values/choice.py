"""Which of several values in a text it gives as its answer.

In this order: the last one in a TeX box; one at the beginning that the rest explains ("17 (8 + 9)")
or that stands there on a line of its own; the one right behind "answer:"; the last. Left out are
numbers of steps and of lists, what is denied ("not 17"), and bounds ("more than 17"). One of
several guesses ("17 or 18", "16, 17, 18", "between 17 and 20") is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from whatworks.metrics.denial import is_alternative, is_denied


class Standing(NamedTuple):
    """A value, and where it stands in a text."""

    value: Any
    start: int
    end: int


_BOX = re.compile(r"\\boxed\{[^{}]*\}")
_MARK = re.compile(
    r"\b(?:answer|antwort|réponse|respuesta)\b[*_]*(?:\s?[:=]|\s+(?:is|was|ist|lautet|est|es)\b:?)"
    r"[\s*_`\"'(]*(?:(?:about|approximately|roughly|just|only|etwa|environ)\s)?[\s*_`\"'$(]*$",
    re.IGNORECASE,
)
_LOOK = 60
"""Characters before a value in which a mark is looked for."""
_BECAUSE = r"(?:because|since|as|for|given|so that|denn|weil|da|car|parce que|porque|pues)\b"
_UNITS = r"(?:\s[^\W\d_]{1,15}){0,2}"
_ENDS = re.compile(
    rf"[\"'`*_)]*{_UNITS}[\"'`*_)]*\s*(?:$|[.;!?](?!\d)|\n|[(=]|,?\s*{_BECAUSE}|,)", re.I
)
_EXPLAINED = re.compile(
    rf"[\"'`*_)]*{_UNITS}[\"'`*_)]*\s*(?:[(=]|\n|,?\s+{_BECAUSE})", re.IGNORECASE
)
_OPENING = re.compile(r"[\s*_`\"'#>(]*")
_BOUND = re.compile(
    r"(?:\b(?:more|less|fewer|greater|higher|lower|larger|smaller)\sthan|\bmehr\sals|\bweniger\sals"
    r"|\bplus\sde|\bmoins\sde|\bmás\sde|\bmenos\sde|[<>≤≥])\s*[$€£¥]?$",
    re.IGNORECASE,
)
_STEP = re.compile(
    r"\b(?:step|schritt|étape|paso|part|question|case|figure|example|equation)\s*#?$", re.IGNORECASE
)
_NUMBERED = re.compile(r"^[ \t]*(\d{1,3})[.)][ \t]+\S", re.MULTILINE)
_BETWEEN = re.compile(
    r"\s*(?:,|;|/|&|-|–|,?\s*\b(?:or|and|oder|und|ou|et|o|y|to|bis|à)\b)\s*", re.I
)
_BEFORE_LIST = re.compile(r"(?:^|[:(]|\b(?:either|between|from|entre|zwischen|von))\s*$", re.I)
_AFTER_LIST = re.compile(r"[\s.!)*_]*$")


def choose(text: str, standing: Sequence[Standing]) -> Any:
    """The value that a text gives, None where it gives none.

    Args:
        text: As the values were found in it.
        standing: The values of one kind, in order.
    """
    numbered = _list_numbering(text)
    kept = [one for one in standing if not _is_aside(text, one) and one.start not in numbered]
    if not kept:
        return None
    boxed = [
        one for box in _BOX.finditer(text) for one in kept if box.start() <= one.start < box.end()
    ]
    chosen = boxed[-1] if boxed else _find_explained(text, kept) or _find_marked(text, kept)
    at = kept.index(chosen or kept[-1])
    return None if _is_guess(text, kept, at) else kept[at].value


def _list_numbering(text: str) -> frozenset[int]:
    """Where the numbers of a numbered list stand: 1., 2., ... at the beginning of lines."""
    marks = list(_NUMBERED.finditer(text))
    if [int(mark[1]) for mark in marks[:2]] != [1, 2]:
        return frozenset()
    return frozenset(mark.start(1) for mark in marks)


def _is_aside(text: str, one: Standing) -> bool:
    """Whether a value is denied, a bound, or the number of a step."""
    before = text[max(0, one.start - _LOOK) : one.start]
    return bool(
        is_denied(text, one.start, one.end) or _BOUND.search(before) or _STEP.search(before)
    )


def _find_marked(text: str, kept: Sequence[Standing]) -> Standing | None:
    """The last value right behind a mark, if nothing goes on to reckon with it."""
    for one in reversed(kept):
        before = text[max(0, one.start - _LOOK) : one.start]
        if _MARK.search(before) and _ENDS.match(text, one.end):
            return one
    return None


def _find_explained(text: str, kept: Sequence[Standing]) -> Standing | None:
    """A value that a text begins with, where what follows is a reason or stands apart."""
    first = kept[0]
    opening = _OPENING.match(text)
    begins = opening is not None and opening.end() >= first.start
    return first if begins and _EXPLAINED.match(text, first.end) else None


def _is_guess(text: str, kept: Sequence[Standing], at: int) -> bool:
    """Whether a value is one of several that differ: beside an "or", or in a bare list."""
    one = kept[at]
    others = [other for other in (*kept[max(0, at - 1) : at], *kept[at + 1 : at + 2])]
    if not any(other.value != one.value for other in others):
        return False
    if is_alternative(text, one.start, one.end):
        return True
    first = last = at
    while first and _BETWEEN.fullmatch(text, kept[first - 1].end, kept[first].start):
        first -= 1
    while last + 1 < len(kept) and _BETWEEN.fullmatch(text, kept[last].end, kept[last + 1].start):
        last += 1
    return (
        last > first
        and _BEFORE_LIST.search(text[max(0, kept[first].start - _LOOK) : kept[first].start])
        is not None
        and _AFTER_LIST.match(text, kept[last].end) is not None
    )
