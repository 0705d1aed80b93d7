"""Numbers in words: ``forty-two``, ``zweiundvierzig``, ``quarante-deux``, ``cuarenta y dos``.

Whole numbers up to 999,999 in English, to 999 in German, French and Spanish; halves in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple


def _split(words: str) -> list[str]:
    return words.split()


_EN = _split(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
)
_EN_TENS = _split("twenty thirty forty fifty sixty seventy eighty ninety")
_DE = _split(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn"
    " sechzehn siebzehn achtzehn neunzehn"
)
_DE_TENS = _split("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
_FR = _split(
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
    " dix-sept dix-huit dix-neuf"
)
_FR_TENS = _split("vingt trente quarante cinquante soixante")
_ES = _split(
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince"
    " dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro"
    " veinticinco veintiséis veintisiete veintiocho veintinueve"
)
_ES_TENS = _split("treinta cuarenta cincuenta sesenta setenta ochenta noventa")
_ES_HUNDREDS = _split(
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos"
    " novecientos"
)
_ORDINALS = _split(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth"
    " fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_LONGEST = 10
"""Words that one number has at most."""
_WORD = re.compile(r"[^\W\d_]+")
_HALF = re.compile(r"\s+and\s+a\s+half\b", re.IGNORECASE)


class Spoken(NamedTuple):
    """A number in words, and where it stands."""

    amount: Decimal
    start: int
    end: int


def find_spoken(text: str, locale: str) -> Iterator[Spoken]:
    """The numbers in words within a text, in English and in the locale's language, in order."""
    languages = list(dict.fromkeys((locale.partition("_")[0], "en")))
    openers = frozenset(["a"]).union(*map(_list_openers, languages))
    words = list(_WORD.finditer(text))
    at = 0
    while at < len(words):
        number = None
        if words[at][0].casefold() not in openers:
            at += 1
            continue
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            run = words[at : at + length]
            gaps = (text[a.end() : b.start()] for a, b in pairwise(run))
            if any(gap.strip(" -") for gap in gaps):
                continue
            phrase = " ".join(word[0].casefold() for word in run)
            number = next((n for one in languages if (n := _read(phrase, one)) is not None), None)
            if number is not None:
                end = run[-1].end()
                amount = Decimal(number)
                if half := _HALF.match(text, end):
                    amount, end = amount + Decimal("0.5"), half.end()
                yield Spoken(amount, run[0].start(), end)
                at += length
                while at < len(words) and words[at].start() < end:
                    at += 1
                break
        if number is None:
            at += 1


def read_count(text: str) -> tuple[str, int] | None:
    """A text that is one whole number or one place in a row, in digits or English words."""
    plain = " ".join(re.sub(r"(?<=[a-z])-(?=[a-z])", " ", text.casefold()).split()).strip(" .!")
    if match := re.fullmatch(r"(\d{1,6})(st|nd|rd|th)?", plain):
        return ("place" if match[2] else "count"), int(match[1])
    if plain in _ORDINALS:
        return "place", _ORDINALS.index(plain) + 1
    number = _read(plain, "en")
    return None if number is None else ("count", number)


def _read(phrase: str, language: str) -> int | None:
    if language == "en":
        return _read_english(phrase)
    return list_numbers(language).get(phrase)


def _read_english(phrase: str) -> int | None:
    """``two hundred and five thousand three``: thousands, hundreds, tens, ones in their order."""
    head, mark, tail = phrase.partition("thousand")
    if mark:
        above = _read_hundreds(head.strip()) if head.strip() else None
        rest = tail.strip().removeprefix("and ")
        below = _read_hundreds(rest) if rest else 0
        return None if above is None or below is None else 1000 * above + below
    return _read_hundreds(phrase)


def _read_hundreds(phrase: str) -> int | None:
    head, mark, tail = phrase.partition("hundred")
    if mark:
        above = 1 if head.strip() == "a" else list_numbers("en").get(head.strip())
        rest = tail.strip().removeprefix("and ")
        below = list_numbers("en").get(rest) if rest else 0
        return None if above is None or below is None else 100 * above + below
    return list_numbers("en").get(phrase)


@lru_cache(maxsize=8)
def list_numbers(language: str) -> Mapping[str, int]:
    """Words with single spaces for hyphens, and what they count."""
    below = {"en": _list_english, "de": _list_german, "fr": _list_french, "es": _list_spanish}
    return {
        words.replace("-", " ").casefold(): number
        for words, number in (below[language]() if language in below else ())
    }


@lru_cache(maxsize=8)
def _list_openers(language: str) -> frozenset[str]:
    """The first words of numbers."""
    return frozenset(words.partition(" ")[0] for words in list_numbers(language))


def _list_english() -> Iterator[tuple[str, int]]:
    yield from zip(_EN, range(20), strict=True)
    for ten, word in enumerate(_EN_TENS, start=2):
        yield word, 10 * ten
        yield from ((f"{word} {_EN[one]}", 10 * ten + one) for one in range(1, 10))


def _list_german() -> Iterator[tuple[str, int]]:
    small = dict(zip(range(20), _DE, strict=True))
    for ten, word in enumerate(_DE_TENS, start=2):
        small[10 * ten] = word
        for one in range(1, 10):
            small[10 * ten + one] = f"{'ein' if one == 1 else _DE[one]}und{word}"
    yield from ((word, number) for number, word in small.items())
    for hundred in range(1, 10):
        for word in [f"{_DE[hundred]}hundert"] if hundred > 1 else ["hundert", "einhundert"]:
            yield word, 100 * hundred
            yield from ((word + small[n], 100 * hundred + n) for n in range(1, 100))


def _list_french() -> Iterator[tuple[str, int]]:
    small = dict(zip(range(20), _FR, strict=True))
    for ten, word in enumerate(_FR_TENS, start=2):
        small[10 * ten] = word
        for one in range(1, 20 if ten == 6 else 10):
            small[10 * ten + one] = f"{word} {'et ' if one in (1, 11) else ''}{_FR[one]}"
    small[80] = "quatre-vingts"
    small |= {80 + n: f"quatre-vingt-{_FR[n]}" for n in range(1, 20)}
    yield from ((word, number) for number, word in small.items())
    for hundred in range(1, 10):
        word = "cent" if hundred == 1 else f"{_FR[hundred]} cent"
        yield word if hundred == 1 else f"{word}s", 100 * hundred
        yield from ((f"{word} {small[n]}", 100 * hundred + n) for n in range(1, 100))


def _list_spanish() -> Iterator[tuple[str, int]]:
    small = dict(zip(range(30), _ES, strict=True))
    for ten, word in enumerate(_ES_TENS, start=3):
        small[10 * ten] = word
        small |= {10 * ten + one: f"{word} y {_ES[one]}" for one in range(1, 10)}
    yield from ((word, number) for number, word in small.items())
    yield "cien", 100
    for hundred, word in enumerate(_ES_HUNDREDS, start=1):
        if hundred > 1:
            yield word, 100 * hundred
        yield from ((f"{word} {small[n]}", 100 * hundred + n) for n in range(1, 100))
