"""Whether a text says that something is the answer: it is named, neither denied nor a guess.

What has to be read for this is little: the words beside it (``denial``), a list of which it is one
item, and, in scripts that part no words, the signs beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from whatworks.metrics.abstention import is_abstention
from whatworks.metrics.denial import is_alternative, is_denied
from whatworks.metrics.normalise import is_contained, normalise
from whatworks.metrics.values.number_words import read_count

_TAG = re.compile(r"</?[A-Za-z][\w-]*\s*/?>")
_ITEM = re.compile(r"^[ \t]*(?:\d{1,3}[.)]|[-*•])[ \t]+(.*)$", re.MULTILINE)
_SHORT = 4
"""Words of an item in a list of guesses."""
_LONGEST = 1_000
"""Signs of an answer that the words beside it can deny; a longer one is no name, nor a guess."""
_AND = r"\s+(?:and|&|und|et|y|e|и)\s+"

_UNSPACED = r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]"
_WHOLLY_UNSPACED = re.compile(rf"(?:{_UNSPACED}|[・\s])+")
_KANA = r"[\u3040-\u309f]"
_HAN = r"[\u3400-\u9fff]"
_LINKS_BEFORE, _LINKS_BEHIND = "是为為在叫于於即", "的是市国國人"
_HANGUL = re.compile(r"[\uac00-\ud7a3][\uac00-\ud7a3\s]*")
_PARTICLES = "입니다|이다|이에요|예요|은|는|이|가|을|를|의|에서|에|으로|로"
_DENIED_BEFORE = re.compile(r"(?:不是|并非|並非|非|没有|不在)$")
_DENIED_BEHIND = re.compile(r"(?:では(?:ない|ありません)|じゃない|でない|(?:이|가)\s?아니)")


def is_stated(needle: str, text: str, known: Sequence[str] = ()) -> bool:
    """Whether a text says that ``needle`` is the answer, up to case and punctuation.

    Its words stand there in one piece, and where they stand last they are not denied ("not Rome"),
    not one of several guesses ("Rome or Milan", a list with one to a line), and the text does not
    decline to answer. Whole numbers in words are those in digits.

    Args:
        needle: A short answer.
        text: The text of a model.
        known: Other right answers.
    """
    if "<" not in needle:
        text = _TAG.sub(" ", text)
    count = read_count(needle)
    if count is not None and read_count(text) == count:
        return True
    if is_abstention(text) and not is_abstention(needle):
        return False
    plain = unicodedata.normalize("NFKC", text)
    if _WHOLLY_UNSPACED.fullmatch(needle) or _HANGUL.fullmatch(needle):
        places = _find_unspaced(unicodedata.normalize("NFKC", needle), plain)
        return bool(places) and not _is_refused(plain, *places[-1], known)
    if not is_contained(needle, text):
        return False
    if len(needle) > _LONGEST:
        return True
    places = find_places(needle, plain)
    if not places:  # in another form than it is written
        return True
    return not (_is_refused(plain, *places[-1], known) or _is_item(needle, plain, known))


def is_denied_last(name: str, text: str) -> bool:
    """Whether a name is denied where it stands last in a text."""
    places = find_places(name, text)
    return bool(places) and is_denied(text, *places[-1])


def find_places(needle: str, text: str) -> Sequence[tuple[int, int]]:
    """Where the words of ``needle`` stand in a text, in any case, whatever parts them."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", needle))
    if not words:
        return []
    signs = re.search(r"[+#]+$", needle.strip())
    ends = re.escape(signs[0]) if signs else ""
    pattern = r"[\W_]{0,4}?".join(map(re.escape, words))
    whole = rf"(?<![^\W_]){pattern}(?![^\W_]){ends}(?![+#])"
    return [match.span() for match in re.finditer(whole, text, re.IGNORECASE)]


def _is_refused(text: str, start: int, end: int, known: Sequence[str]) -> bool:
    """Whether what stands at a place is denied or one of several guesses."""
    if is_denied(text, start, end) or is_alternative(text, start, end, known):
        return True
    if _DENIED_BEFORE.search(text[:start][-4:]) or _DENIED_BEHIND.match(text, end):
        return True
    return _is_one_of_two(text, start, end, known)


def _is_one_of_two(text: str, start: int, end: int, known: Sequence[str]) -> bool:
    """Whether a text is two names with "and" between, one of which stands at a place."""
    name = r"[A-ZÀ-ÞА-Я][\w.'’-]*(?:\s[A-ZÀ-ÞА-Я][\w.'’-]*){0,3}"
    before, behind = text[:start].strip(" \"'*_`"), text[end:].strip(" \"'*_`.!")
    if not before:
        other = re.fullmatch(rf"{_AND}({name})", f" {behind}")
    else:
        other = re.fullmatch(rf"(?:[Bb]oth\s)?({name}){_AND}", f"{before} ") if not behind else None
    return other is not None and normalise(other[1]) not in map(normalise, known)


def _is_item(needle: str, text: str, known: Sequence[str]) -> bool:
    """Whether a text is a list of short items of which the needle is only one."""
    items = [normalise(item) for item in _ITEM.findall(text) if item.strip()]
    if normalise(needle) not in items:
        return False
    right = {normalise(one) for one in (needle, *known)}
    return any(item not in right and len(item.split()) <= _SHORT for item in items)


def _find_unspaced(needle: str, text: str) -> Sequence[tuple[int, int]]:
    """Where a needle stands whose script parts no words, and not as a part of a longer one."""
    whole = re.escape(needle)
    if _HANGUL.fullmatch(needle):
        pattern = rf"(?<![\uac00-\ud7a3]){whole}(?=(?:{_PARTICLES})|이?\s?아니|[^\uac00-\ud7a3]|$)"
    elif re.search(_HAN, needle):
        pattern = (
            rf"(?:(?<={_KANA})|(?<=[{_LINKS_BEFORE}])|(?<!{_UNSPACED}))"
            rf"{whole}(?=[{_LINKS_BEHIND}]|{_KANA}|(?!{_UNSPACED})|$)"
        )
    else:
        pattern = whole
    return [match.span() for match in re.finditer(pattern, text)]
