"""What several metrics share: normalised text, overlap of multisets, short quotations."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from statistics import fmean
from typing import Any, NamedTuple, TypeVar

from whatworks.data.task import Example
from whatworks.metrics.score import Score

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


T = TypeVar("T")


class Overlap(NamedTuple):
    """Precision, recall and F1 of one multiset against another."""

    precision: float
    recall: float
    f1: float


def overlap(said: Counter[Any], wanted: Counter[Any]) -> Overlap:
    """Multiset overlap; two empty multisets agree fully.

    Precision is the share of what was said that was wanted, recall the share of what was wanted
    that was said, F1 = 2 * common / (said + wanted).
    """
    common, n_said, n_wanted = (said & wanted).total(), said.total(), wanted.total()
    if not n_said and not n_wanted:
        return Overlap(1.0, 1.0, 1.0)
    return Overlap(
        common / n_said if n_said else 0.0,
        common / n_wanted if n_wanted else 0.0,
        2 * common / (n_said + n_wanted),
    )


def normalise(text: str) -> str:
    """Case, punctuation, articles and spaces removed (SQuAD, Rajpurkar et al. 2016, section 6.1).

    Unlike there, Unicode forms and punctuation are treated as ASCII's, and a text that consists
    of articles or punctuation alone keeps them, so that the option "A" is not the empty answer.
    """
    return _without_articles(_folded(text, gap=""))


def contained(needle: str, text: str) -> bool:
    """Whether the words of ``needle`` stand in ``text`` in one piece, both normalised.

    Punctuation may join words ("U.S." is "us") or separate them ("Paris-based" has "paris"). A
    needle of articles alone, the option "A", must stand there as it is written.
    """
    if not _ARTICLE.sub(" ", _folded(needle, " ")).strip():
        return _as_written(needle, text)
    for gap in ("", " "):
        inner = _without_articles(_folded(needle, gap))
        if inner and f" {inner} " in f" {_without_articles(_folded(text, gap))} ":
            return True
    return False


def readable(examples: Sequence[Example], parse: Callable[[str], T]) -> list[T]:
    """The targets that ``parse`` reads without a ``ValueError``; `whatworks check` tells others."""
    found: list[T] = []
    for example in examples:
        with suppress(ValueError):
            found.append(parse(example.target))
    return found


def part_means(
    examples: Sequence[Example], scores: Sequence[Score], options: object = None
) -> dict[str, float]:
    """Mean of every part over the scores that have it: figures that any metric may declare."""
    del examples, options
    names = dict.fromkeys(name for score in scores for name in score.parts)
    return {name: fmean(s.parts[name] for s in scores if name in s.parts) for name in names}


def _folded(text: str, gap: str) -> str:
    """Case-folded, punctuation replaced by ``gap``, single spaces."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(gap if _is_punctuation(character) else character for character in plain)
    return " ".join(kept.split()) or " ".join(plain.split())


def _without_articles(folded: str) -> str:
    return " ".join(_ARTICLE.sub(" ", folded).split()) or folded


def _as_written(needle: str, text: str) -> bool:
    """Whether words stand in a text in their own case; in small letters before no other word."""
    words = r"\W+".join(re.findall(r"\w+", unicodedata.normalize("NFKC", needle)))
    after = r"(?!\s+\w)" if needle.islower() else ""
    said = unicodedata.normalize("NFKC", text)
    return bool(words) and re.search(rf"\b{words}\b{after}", said) is not None


def _is_punctuation(character: str) -> bool:
    if character.isascii():
        return not (character.isalnum() or character.isspace())
    return unicodedata.category(character)[0] == "P"
