"""The words of a text, for BM25, hashed vectors and the length of chunks alike."""

from __future__ import annotations

import re
import unicodedata

# Scripts written without spaces: each sign counts as a word.
SIGN = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
# Python's \w leaves out the vowel signs and accents that stand inside words of many scripts.
MARKS = r"\u0300-\u036f\u0591-\u05c7\u064b-\u0652\u0900-\u0963\u0966-\u0e7f"
_WORD = re.compile(rf"{SIGN}|(?:(?!{SIGN})[\w{MARKS}])+")
_SYMBOL = re.compile(r"[^\w\s]")


def split_words(text: str) -> list[str]:
    """Words in order, in one Unicode form and without case.

    Punctuation is left out, unless there is nothing else: then each symbol is a word, so that
    ``:-)`` and ``?!`` still differ.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(plain) or _SYMBOL.findall(plain)
