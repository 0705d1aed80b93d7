"""Text without what does not count: case, punctuation, articles, spaces.

As in SQuAD (Rajpurkar et al. 2016, section 6.1), but for what tells one answer from another: signs
and decimal points (``-5``, ``1.5``, ``12:30``), the symbols of names (``C++``, ``A-``, ``x^2``),
currencies and per cent.
"""

from __future__ import annotations

import re
import unicodedata

_ARTICLE = re.compile(r"(?<!\S)(?:a|an|the)(?!\S)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_LOOSE = re.compile(
    r"(?<=[$€£¥]) (?=\d)|(?<=\d) (?=[%‰°])|(?<=[\w)]) (?=[<>=] )|(?<=[<>=]) (?=[-\w])"
)
_MEASURED = re.compile(
    r"(?<=\d)(?=(?:km|cm|mm|kg|mg|ml|ms|mph|gb|mb|tb|kb|hz|khz|mhz|ghz|kw|mw|kwh|lbs?|oz|ft|min|hrs?)"
    r"(?!\w))"
)
"""Between a number and its unit of measure, written with or without a space."""
_DASHES = str.maketrans(dict.fromkeys("−–—‐‑‒", "-") | {"’": "'", "`": "'"})
_CLOSE = frozenset(".'")
"""Signs within a word: it is read on without a gap."""


def normalise(text: str) -> str:
    """Case, punctuation, articles and spaces removed; hyphens part words, initials are joined.

    Unlike in SQuAD, Unicode forms and punctuation are treated as ASCII's, and a text that consists
    of articles or punctuation alone keeps them, so that the option "A" is not the empty answer.
    """
    return _join_initials(_strip_articles(_fold(text, "", " ")))


def is_contained(needle: str, text: str) -> bool:
    """Whether the words of ``needle`` stand in ``text`` in one piece, both normalised.

    Punctuation may join words ("U.S." is "us") or separate them ("Paris-based" has "paris"). A
    needle of articles alone, the option "A", must stand there as it is written.
    """
    if not _ARTICLE.sub(" ", _fold(needle, " ", " ")).strip():
        return _is_as_written(needle, text)
    if f" {normalise(needle)} " in f" {normalise(text)} ":
        return True
    for close, wide in (("", " "), ("", ""), (" ", " ")):
        inner = _strip_articles(_fold(needle, close, wide))
        if inner and f" {inner} " in f" {_strip_articles(_fold(text, close, wide))} ":
            return True
    return False


def part_words(text: str) -> str:
    """The words of a text, case-folded and parted by single spaces, articles among them."""
    return _fold(text.replace("_", " "), " ", " ")


def _fold(text: str, close: str, wide: str) -> str:
    """Case-folded, single spaces; points and apostrophes as ``close``, others as ``wide``."""
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_DASHES)
    plain = _MEASURED.sub(" ", " ".join(plain.split()).replace(" & ", " and "))
    plain = _LOOSE.sub("", _THOUSANDS.sub("", plain))
    signs: list[str] = []
    for at, sign in enumerate(plain):
        if not _is_punctuation(sign) or _is_telling(plain, at):
            signs.append(sign)
        else:
            signs.append(close if sign in _CLOSE else wide)
    return " ".join("".join(signs).split()) or plain


def _is_telling(text: str, at: int) -> bool:
    """Whether a sign in a text tells one answer from another, by what stands beside it."""
    sign, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    word, words = before.isalnum(), before.isalnum() and after.isalnum()
    if sign in ".:/,-" and before.isdigit() and after.isdigit():
        return True
    if sign == "-":  # -5, -$5; A-, Cl-
        if after.isdigit() or (after in ("$", "€", "£", ".") and text[at + 2 : at + 3].isdigit()):
            return not word
        short = word and not text[max(0, at - 3) : max(0, at - 2)].isalnum()
        return short and (not after or after in " .,;)\"'")
    if sign in "+#":  # C++, A+, C#, #1
        return word or (before == "+" == sign) or (sign == "#" and after.isdigit())
    if sign == "$":
        return after.isdigit() or words
    if sign == "%":
        return before.isdigit()
    return (sign == "@" and after.isalnum()) or (sign in "*_&^<>=~|" and words)


def _join_initials(folded: str) -> str:
    """``j r r tolkien`` as ``jrr tolkien``."""
    return re.sub(r"(?<!\S)([^\W\d_]) (?=[^\W\d_](?!\S))", r"\1", folded)


def _strip_articles(folded: str) -> str:
    return " ".join(_ARTICLE.sub(" ", folded).split()) or folded


def _is_as_written(needle: str, text: str) -> bool:
    """Whether words stand in a text in their own case; in small letters before no other word."""
    words = r"\W+".join(re.findall(r"\w+", unicodedata.normalize("NFKC", needle)))
    after = r"(?!\s+\w)" if needle.islower() else ""
    plain = unicodedata.normalize("NFKC", text)
    whole = rf"(?<!\w){words}(?![\w+#]|-(?!\w)){after}"
    return bool(words) and re.search(whole, plain) is not None


def _is_punctuation(character: str) -> bool:
    if character.isascii():
        return not (character.isalnum() or character.isspace())
    return unicodedata.category(character)[0] == "P"
