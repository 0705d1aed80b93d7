"""Times of day and dates as people write them, in a locale's order and with its names of months."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from babel.dates import get_date_format, get_month_names

TIME = (
    r"(?<![\w:.])(\d{1,2})(?::|\s?h\s?|\.(?=\d\d\s?(?:uhr|[ap]\.?m)))(\d{2})(?!\d)(?::(\d{2})(?!\d))?"
    r"(?:\s?(?:([ap])\.?m\b\.?|uhr\b|h\b))?(?![\d:])"
)
DATE = (
    r"(?<![\w./-])(?:(\d{1,4})([./-])(\d{1,2})\2(\d{2,4})(?![\d/-])"
    r"|(\d{1,2})(?:st|nd|rd|th|\.)?\s(?:of\s)?([^\W\d_]{3,10})\.?,?\s(\d{4})\b"
    r"|([^\W\d_]{3,10})\.?\s(\d{1,2})(?:st|nd|rd|th)?,?\s(\d{4})\b)"
)
_TIME, _DATE = re.compile(TIME, re.IGNORECASE), re.compile(DATE, re.IGNORECASE)


@dataclass(frozen=True)
class Time:
    """A time of day."""

    hour: int
    minute: int
    second: int = 0

    def __str__(self) -> str:
        return f"{self.hour:02}:{self.minute:02}" + (f":{self.second:02}" if self.second else "")


@dataclass(frozen=True)
class Date:
    """A day."""

    day: date

    def __str__(self) -> str:
        return self.day.isoformat()


def read_time(text: str) -> Time | None:
    """The time that a whole text is."""
    match = _TIME.fullmatch(text)
    return _make_time(match) if match else None


def find_times(text: str) -> Iterator[tuple[Time, int, int]]:
    """The times within a text, each with where it stands."""
    for match in _TIME.finditer(text):
        if time := _make_time(match):
            yield time, match.start(), match.end()


def _make_time(match: re.Match[str]) -> Time | None:
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    if half := (match[4] or "").lower():
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    return Time(hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None


def read_date(text: str, locale: str) -> Date | None:
    """The date that a whole text is, its parts in the locale's order where that decides."""
    match = _DATE.fullmatch(text)
    return _make_date(match, locale) if match else None


def find_dates(text: str, locale: str) -> Iterator[tuple[Date, int, int]]:
    """The dates within a text, each with where it stands."""
    for match in _DATE.finditer(text):
        if day := _make_date(match, locale):
            yield day, match.start(), match.end()


def is_day_first(locale: str) -> bool:
    """Whether a locale writes the day before the month."""
    pattern = str(get_date_format("short", locale).pattern)
    return pattern.index("d") < pattern.index("M")


def _make_date(match: re.Match[str], locale: str) -> Date | None:
    first, _, middle, last, day, month, year, month2, day2, year2 = match.groups()
    if first is not None:
        if len(first) == 4:
            return _make_day(int(first), int(middle), int(last))
        if len(first) > 2 or len(last) == 3:
            return None
        century = 0 if len(last) == 4 else 2000 if int(last) < 69 else 1900
        one, two = int(first), int(middle)
        if (is_day_first(locale) and two <= 12) or one > 12:
            one, two = two, one
        return _make_day(century + int(last), one, two)
    name = (month or month2).casefold()
    number = _list_months(locale).get(name) or _list_months("en").get(name)
    return _make_day(int(year or year2), number, int(day or day2)) if number else None


def _make_day(year: int, month: int, day: int) -> Date | None:
    try:
        return Date(date(year, month, day))
    except ValueError:
        return None


@lru_cache(maxsize=16)
def _list_months(locale: str) -> Mapping[str, int]:
    return {
        name.casefold().rstrip("."): number
        for width in ("abbreviated", "wide")
        for number, name in get_month_names(width, locale=locale).items()
    }
