"""Numbers as people write them: thousands marks, decimal commas, currencies, per cent, magnitudes.

The numeral itself is read by babel, in the column's locale; where it is none there, in one whose
marks are the other way round, so that ``12.5`` is read among decimal commas, too. Thousands parted
by spaces, apostrophes or underscores mean the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from functools import lru_cache
from typing import NamedTuple

from babel import Locale
from babel.numbers import NumberFormatError, is_currency, list_currencies, parse_decimal

from whatworks.metrics.values.number_words import find_spoken
from whatworks.metrics.values.units import convert, find_unit

MOST_DIGITS = 1_000
_EXACT = Context(prec=MOST_DIGITS + 100)
_PLAINLY = 30
"""Places up to which a number is written out, without an exponent."""

_SHORTER = Context(prec=15)
"""Digits to which a converted amount counts."""

OTHERS = ("en", "de", "en_IN")
"""Locales that are tried after a column's own."""

_NUMERAL = (
    r"(?:\d{1,3}(?:[ '_]\d{3})++(?:[.,]\d++)?(?!\d)|\d++(?:[.,]\d++)*+|[.,]\d++)"
    r"(?:[eE][-+]?\d{1,3}(?!\d)|\s?[x×*]\s?10\^\{?[-+]?\d{1,3}\}?)?"
)
_AMOUNT = rf"(?:(?:\d{{1,4}}\s)?\d{{1,4}}/\d{{1,4}}(?![/\d])|{_NUMERAL})"
_SYMBOL = r"[A-Z]{0,3}[$€£¥₹₩₽][A-Z]{0,3}"
_CODE = rf"(?-i:{'|'.join(sorted(list_currencies()))})"
_BEFORE = rf"(?:{_SYMBOL}|\b{_CODE}(?=\s?[-+.\d]))"
_SCALE = (
    r"(?:(?-i:[kKM])(?!\w)|bn\b|(?:thousand|tsd|mio|mln|mrd|millions?|millionen|milliarden?"
    r"|milliards?|billions?|billionen|trillions?)\b)\.?"
)
_UNIT = rf"(?:%|‰|{_SYMBOL}|per\s?cent\b|pct\b|prozent\b|pour\s?cent\b|{_CODE}\b|\w+\b)"
_KNOWN_UNIT = _UNIT.replace(r"|\w+\b", r"|(?:dollars?|euros?|pounds?|yen|rupees?)\b")
_PARTS = (
    r"(?P<sign>[-+])?\s?(?P<before>{before})?\s?(?P<inner>[-+])?\s?(?P<amount>{amount})"
    r"(?:\s?(?P<scale>{scale}))?(?:\s?(?P<unit>{unit}))?"
)


def _write_expression(unit: str) -> str:
    return _PARTS.format(before=_BEFORE, amount=_AMOUNT, scale=_SCALE, unit=unit)


_WHOLE = re.compile(
    _write_expression(rf"(?:%|‰|°\w?|{_SYMBOL}|[^\W\d_][^\d\n]{{0,30}}+)"), re.IGNORECASE
)
# A number within a text is not part of a word or of a longer number.
_WITHIN = re.compile(rf"(?<![\w.,]){_write_expression(_KNOWN_UNIT)}", re.IGNORECASE)

_SPOKEN_SCALE = re.compile(rf"\s({_SCALE})", re.IGNORECASE)
_SPOKEN_UNIT = re.compile(rf"\s?({_KNOWN_UNIT})", re.IGNORECASE)

_MEASURE = re.compile(r"\s?(°?[^\W\d_]+(?:[/²2][hs]?(?!\w))?(?: [^\W\d_]+){0,2})")

_PERCENT = {"%", "percent", "per cent", "pct", "prozent", "pour cent", "pourcent"}
_CURRENCIES = {
    **{"$": "USD", "us$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"},
    **{"dollar": "USD", "euro": "EUR", "pound": "GBP", "yen": "JPY", "rupee": "INR"},
}
_POWERS = {
    **{"k": 3, "thousand": 3, "tsd": 3, "m": 6, "mio": 6, "mln": 6, "mrd": 9, "bn": 9},
    **{"million": 6, "millionen": 6, "milliard": 9, "milliarde": 9, "milliarden": 9},
}
_SHORT = {"billion": 9, "billionen": 12, "trillion": 12}
_LONG = {"billion": 12, "billionen": 12, "trillion": 18}

_SPACES = re.compile(r"[\u00a0\u2007\u2009\u202f]")
_MINUS = re.compile(r"(?<![\w)])[−–‒]\s?(?=[\d.,$€£¥₹])|\b(?:minus|negative)\s(?=\d)", re.I)
_FRACTION = re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_VULGAR = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}


@dataclass(frozen=True)
class Number:
    """An amount with its unit: ``%``, a currency's code, a word, or "" for none."""

    amount: Decimal
    unit: str = ""

    def is_close(self, wanted: Number, allowed: Decimal) -> bool:
        """Whether it is the wanted number, give or take ``allowed``.

        A unit that one of the two leaves out is that of the other; another one of the same kind is
        converted (3 km are 3000 m); a share may be written for a percentage (0.12 for 12%).
        """
        amounts = [self.amount]
        if self.unit and wanted.unit and self.unit != wanted.unit:
            ours, theirs = find_unit(self.unit), find_unit(wanted.unit)
            amount = ours and theirs and convert(self.amount, ours, theirs)
            if amount is None:
                return False
            amounts = [_SHORTER.create_decimal(amount)]
        if self.unit != wanted.unit and "%" in (self.unit, wanted.unit):
            amounts.append(_EXACT.scaleb(self.amount, 2 if wanted.unit == "%" else -2))
        return any(abs(_EXACT.subtract(a, wanted.amount)) <= allowed for a in amounts)

    def __str__(self) -> str:
        amount = self.amount.normalize(_EXACT)
        written = f"{amount:f}" if abs(amount.adjusted()) < _PLAINLY else str(amount)
        return f"{written} {self.unit}".strip()


class Found(NamedTuple):
    """A number within a text, and where it stands."""

    value: Number
    start: int
    end: int


def simplify(text: str) -> str:
    """A text with one kind of space, minus and apostrophe, and without TeX around its numbers."""
    text = _SPACES.sub(" ", text.strip()).replace("’", "'").replace("{,}", ",")
    text = _FRACTION.sub(r"\1/\2", text.replace("\\%", "%").replace("\\$", "$"))
    for sign, written in _VULGAR.items():
        text = text.replace(sign, written)
    text = _MINUS.sub("-", text)
    for opening, closing in (("\\boxed{", "}"), ("$", "$"), ("\\(", "\\)")):
        if len(text) > len(opening + closing) and text.startswith(opening):
            text = text[len(opening) : -len(closing)] if text.endswith(closing) else text
    return text


def read_number(text: str, locale: str) -> Number | None:
    """The number that a whole text is, None if it is none.

    Args:
        text: As ``simplify`` gives it.
        locale: A name that babel knows, such as ``de``.
    """
    match = _WHOLE.fullmatch(text.strip().removesuffix("."))
    return _make_number(match, locale) if match else None


def find_numbers(text: str, locale: str) -> Iterator[Found]:
    """The numbers within a text, in order; those written out in words where there are no others."""
    has_digits = False
    for match in _WITHIN.finditer(text):
        if (number := _make_number(match, locale)) is not None:
            has_digits = True
            unit, end = ("", match.end()) if number.unit else _find_unit_after(text, match.end())
            yield Found(replace(number, unit=unit or number.unit), match.start(), end)
    if not has_digits:
        for amount, start, end in find_spoken(text, locale):
            if scale := _SPOKEN_SCALE.match(text, end):
                power = _find_power(scale[1].rstrip(".").casefold(), locale)
                amount, end = _EXACT.scaleb(amount, power), scale.end()
            unit = _SPOKEN_UNIT.match(text, end)
            name = _name_unit(unit[1], locale) if unit else ""
            yield Found(Number(amount, name), start, unit.end() if unit else end)


def _make_number(match: re.Match[str], locale: str) -> Number | None:
    amount = _read_amount(match["amount"], locale)
    if amount is None:
        return None
    scale = (match["scale"] or "").rstrip(".").casefold()
    power = _find_power(scale, locale)
    unit = _name_unit(match["unit"] or "", locale) or _name_unit(match["before"] or "", locale)
    amount = _EXACT.scaleb(amount, power)
    return Number(amount.copy_negate() if "-" in (match["sign"], match["inner"]) else amount, unit)


def _find_unit_after(text: str, at: int) -> tuple[str, int]:
    """The unit of measure at a place in a text, of up to three words, and where it ends."""
    if match := _MEASURE.match(text, at):
        name = match[1]
        while name:
            if find_unit(name):
                return _name_unit(name, "en"), match.start(1) + len(name)
            name = name.rpartition(" ")[0]
    return "", at


def _find_power(scale: str, locale: str) -> int:
    powers = _POWERS | (_SHORT if locale.startswith("en") else _LONG)
    return powers.get(scale, powers.get(scale.removesuffix("s"), 0))


def _name_unit(written: str, locale: str) -> str:
    unit = " ".join(written.casefold().split()).rstrip(".")
    if unit in _PERCENT:
        return "%"
    unit = unit if len(unit) < 3 else unit.removesuffix("s")
    if not written.islower() and find_unit(written) != find_unit(unit):
        return written  # mW, MW: the case tells
    if len(unit) == 3 and written.isupper() and is_currency(written):
        return written
    return _list_symbols(locale).get(written.upper()) or _CURRENCIES.get(unit, unit)


@lru_cache(maxsize=16)
def _list_symbols(locale: str) -> Mapping[str, str]:
    """Signs of currencies, as the locale and as English have them, with their codes."""
    known = {sign.upper(): code for code, sign in Locale.parse("en").currency_symbols.items()}
    own = {sign.upper(): code for code, sign in Locale.parse(locale).currency_symbols.items()}
    return {sign: code for sign, code in {**known, **own}.items() if not sign.isalpha()}


def _read_amount(written: str, locale: str) -> Decimal | None:
    if len(written) > MOST_DIGITS:
        return None
    if "/" in written:
        whole, _, part = written.rpartition(" ")
        above, _, below = part.partition("/")
        share = _EXACT.divide(Decimal(above), Decimal(below)) if int(below) else None
        return None if share is None else _EXACT.add(Decimal(whole or 0), share)
    numeral, power = written, 0
    if scientific := re.search(r"[eE]([-+]?\d+)$|\s?[x×*]\s?10\^\{?([-+]?\d+)\}?$", written):
        numeral, power = written[: scientific.start()], int(scientific[1] or scientific[2])
    value = read_numeral(numeral, locale)
    return None if value is None else _EXACT.scaleb(value, power)


def read_numeral(written: str, locale: str) -> Decimal | None:
    """Digits with their marks, read in a locale, or else in another one; None if in none."""
    if "." not in written and "," not in written and written.isdecimal():
        return Decimal(written)
    if grouped := re.fullmatch(r"(\d{1,3}(?:[ '_]\d{3})+)(?:[.,](\d+))?", written):
        return Decimal(f"{re.sub('[^0-9]', '', grouped[1])}.{grouped[2] or 0}")
    for name in (locale, *OTHERS):
        if (value := read_strictly(written, name)) is not None:
            return value
    return None


def read_strictly(written: str, locale: str) -> Decimal | None:
    """Digits with the marks of one locale in their places; None if they are not."""
    padded = written
    if padded[:1] in (".", ","):
        padded = f"0{padded}"
    # babel takes trailing zeros for a fault; they say nothing of how a number is grouped.
    head, mark, tail = padded.rpartition("," if padded.rfind(",") > padded.rfind(".") else ".")
    if mark and head.count(mark) == 0 and len(tail) != 3:
        padded = f"{head}{mark}{tail.rstrip('0') or '0'}"
    try:
        return parse_decimal(padded, locale=locale, strict=True)
    except (NumberFormatError, ValueError, ArithmeticError):  # too many digits to compare
        return None
