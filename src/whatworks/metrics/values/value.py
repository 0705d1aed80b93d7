"""One parser for what a short text stands for, and the locale that a column is written in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

from whatworks.metrics.values.choice import Standing, choose
from whatworks.metrics.values.moment import (
    Date,
    Time,
    find_dates,
    find_times,
    is_day_first,
    read_date,
    read_time,
)
from whatworks.metrics.values.number import (
    Number,
    find_numbers,
    read_number,
    read_strictly,
    simplify,
)

MOST_VALUES = 2_000
"""Values in a text beyond which it gives none."""
_FROM = r"(?:(?:from|between|von|zwischen|de|entre)\s+)?"
_TO = r"\s?(?:[-–—]|\b(?:to|bis|à)\b|\b(?:and|und|et)\b)\s?"
_END = r"[$€£¥]?\d[\d.,' ]*+\s?[%€$£]?"
_RANGE = re.compile(rf"{_FROM}({_END}){_TO}({_END})(?:\s?[^\W\d]{{1,20}})?", re.IGNORECASE)
_RANGE_WITHIN = re.compile(rf"(?<![\w.,-]){_RANGE.pattern}(?![-\w])", re.IGNORECASE)
_MARKED = re.compile(r"(?<![\w.,/:-])[-+]?\d++(?:[.,]\d++)++(?![\w/:-])")
_SLASHED = re.compile(r"\b(\d{1,2})([/.])(\d{1,2})\2\d{2,4}\b")


@dataclass(frozen=True)
class Range:
    """From one number to another."""

    low: Number
    high: Number

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


Value = Number | Range | Time | Date


def read_value(text: str, locale: str) -> Value | None:
    """What a whole text stands for, None if it is none of these."""
    text = simplify(text)
    bare = text.removesuffix(".")
    return (
        read_date(bare, locale)
        or read_time(text)
        or read_time(bare)
        or read_number(text, locale)
        or _make_range(_RANGE.fullmatch(bare), locale)
    )


def find_value(text: str, wanted: Value, locale: str) -> Value | None:
    """The value within a text that it gives as its answer, of the kind of the one that is wanted.

    The one that ``choice`` says; None where there is none, where it is one of several guesses, or
    of more than ``MOST_VALUES``: so many stand in no answer, but where a model repeats itself.
    """
    text = simplify(text)
    match wanted:
        case Number():
            values: Iterable[tuple[Value, int, int]] = find_numbers(text, locale)
        case Time():
            values = find_times(text)
        case Date():
            values = find_dates(text, locale)
        case Range():
            values = (
                (ends, match.start(), match.end())
                for match in _RANGE_WITHIN.finditer(text)
                if (ends := _make_range(match, locale))
            )
    standing = [Standing(*one) for one in islice(values, MOST_VALUES + 1)]
    return choose(text, standing) if len(standing) <= MOST_VALUES else None


def is_close(value: Value, wanted: Value, tolerance: Decimal, relative: Decimal) -> bool:
    """Whether two values are the same, numbers give or take what is allowed."""
    if isinstance(value, Number) and isinstance(wanted, Number):
        return value.is_close(wanted, max(tolerance, relative * abs(wanted.amount)))
    if isinstance(value, Range) and isinstance(wanted, Range):
        ends = ((value.low, wanted.low), (value.high, wanted.high))
        return all(is_close(one, other, tolerance, relative) for one, other in ends)
    return value == wanted


def _make_range(match: re.Match[str] | None, locale: str) -> Range | None:
    if match is None:
        return None
    low, high = (read_number(match[at].strip().rstrip(".,"), locale) for at in (1, 2))
    return Range(low, high) if low and high and low.amount < high.amount else None


def resolve_locale(name: str) -> str:
    """A locale's name.

    Raises:
        ValueError: If babel has no such locale.
    """
    try:
        return str(Locale.parse(name.replace("-", "_")))
    except (UnknownLocaleError, ValueError):
        raise ValueError("no locale: write en, de, fr, de_CH, en_GB ...") from None


def guess_locale(texts: Iterable[str]) -> str:
    """The locale in which a column of numbers, times and dates is written, by all of its texts.

    Decimal commas make it ``de``, points ``en``; a text that is a number either way (``1.234``)
    decides nothing. Where neither is decided, ``en``. Dates with slashes whose first part can be no
    month make it ``en_GB``.
    """
    comma = point = day_first = month_first = 0
    for text in map(simplify, texts):
        if slashed := _SLASHED.search(text):
            day_first += int(slashed[1]) > 12
            month_first += int(slashed[3]) > 12
            comma += slashed[2] == "."
            continue
        if marked := _MARKED.search(text):
            written = marked[0].lstrip("+-")
            english, german = (read_strictly(written, name) is not None for name in ("en", "de"))
            # A lone zero before three digits is no thousand: 0.125.
            zero = written.startswith("0")
            comma += german and (not english or (zero and written[1] == ","))
            point += english and (not german or (zero and written[1] == "."))
    if comma > point:
        return "de"
    return "en_GB" if day_first > month_first else "en"


def describe_locale(locale: str) -> str:
    """How a locale writes a number: ``1.234,5 (de)``."""
    dates = ", the day before the month" if is_day_first(locale) else ""
    return f"{format_decimal(Decimal('1234.5'), locale=locale)} ({locale}{dates})"
