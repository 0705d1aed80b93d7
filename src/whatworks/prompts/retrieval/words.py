"""The words of a text, for BM25, hashed vectors and the length of chunks alike."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

# Scripts written without spaces: each sign counts as a word.
SIGN = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
# Python's \w leaves out the vowel signs and accents that stand inside words of many scripts.
MARKS = r"\u0300-\u036f\u0591-\u05c7\u064b-\u0652\u0900-\u0963\u0966-\u0e7f"
_WORD = re.compile(rf"{SIGN}|(?:(?!{SIGN})[\w{MARKS}])+")
_SYMBOL = re.compile(r"[^\w\s]")


_LETTERS = rf"(?:(?!{SIGN})[\w{MARKS}])++"
# Only from where a word begins, so that it is linear in the text.
_HYPHENED = re.compile(
    rf"(?:(?<![\w{MARKS}])|(?<={SIGN})){_LETTERS}"
    rf"(?:[-\u2010\u00ad](?:[^\S\n]*\n\s*)?{_LETTERS})+"
)


def split_words(text: str) -> list[str]:
    """Words in order, in one Unicode form and without case.

    Punctuation is left out, unless there is nothing else: then each symbol is a word, so that
    ``:-)`` and ``?!`` still differ.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(plain) or _SYMBOL.findall(plain)


def list_forms(text: str) -> list[str]:
    """The words of a text, and what words with a hyphen are without it: ``well-known`` is also
    ``wellknown``, so that a word that a line's end divides is found in both of its forms.

    Neighbours are joined as well as the whole. Numbers alone (``10-20``) are not.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    joined: list[str] = []
    for hyphened in _HYPHENED.findall(plain):
        parts = re.split(r"[-\u2010\u00ad]\s*", hyphened)
        pairs = [a + b for a, b in pairwise(parts)] if len(parts) > 2 else []
        joined += [word for word in ("".join(parts), *pairs) if not word.isdecimal()]
    return [*split_words(text), *joined]
