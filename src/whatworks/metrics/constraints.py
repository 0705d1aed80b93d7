"""Verifiable constraints on a text, as functions ``(text, *, settings) -> what is wrong, or ""``.

The kinds are those of IFEval (Zhou et al. 2023, "Instruction-Following Evaluation for Large
Language Models", table 1) and a few more. A new kind is one function and one entry in ``KINDS``;
its settings are its keyword-only parameters. Where a count is constrained, ``at_least`` and
``at_most`` are both included; without either, one is wanted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

import py3langid  # noqa: F401  # pyright: ignore[reportUnusedImport]  # says what is missing

from whatworks.base.phrasing import brief
from whatworks.metrics.language import find_language

_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
# Each takes time in proportion to an answer's length, whatever the answer: possessive quantifiers
# where a run of characters may not match, and nothing that begins at a line's start crosses lines.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)]*+(?:\s|$)")
_BULLET = re.compile(r"^[ \t]*+[*\-•+][ \t]++\S", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*+\d++[.)][ \t]++\S", re.MULTILINE)
_HIGHLIGHT = re.compile(r"(?<!\*)(\*{1,2})(?=[^\s*])[^*\n]*[^\s*]\1(?!\*)|(?<!\*)\*[^\s*]\*(?!\*)")
_PLACEHOLDER = re.compile(r"\[[^\[\]\n]+\]")
_TITLE = re.compile(r"<<[^\S\n]*+[^<>\s][^<>\n]*+>>")
_FENCE = re.compile(r"```[a-zA-Z]*\s*")

Kind = Callable[..., str]


# -- how long ------------------------------------------------------------------------------------


def words(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Words: runs of letters and digits, with apostrophes and hyphens inside."""
    return _amount(len(_WORD.findall(text)), at_least, at_most, "words")


def sentences(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Sentences: stretches with a word in them, parted by full stops and the like."""
    found = [part for part in _SENTENCE_END.split(text) if _WORD.search(part)]
    return _amount(len(found), at_least, at_most, "sentences")


def paragraphs(
    text: str, *, at_least: int | None = None, at_most: int | None = None, divider: str = "\n\n"
) -> str:
    """Paragraphs that are not blank, parted by ``divider``, a blank line by default."""
    return _amount(len(_parts(text, divider)), at_least, at_most, "paragraphs")


def lines(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Lines that are not blank."""
    return _amount(len(_parts(text, "\n")), at_least, at_most, "lines")


def characters(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Characters, space around the text aside."""
    return _amount(len(text.strip()), at_least, at_most, "characters")


# -- what is said --------------------------------------------------------------------------------


def includes(
    text: str,
    *,
    words: Sequence[str],
    at_least: int | None = None,
    at_most: int | None = None,
) -> str:
    """Each of these words or phrases, so often; as whole words, in any case."""
    for word in words:
        if problem := _amount(_times(word, text), at_least, at_most, f"times {word!r}"):
            return problem
    return ""


def excludes(text: str, *, words: Sequence[str]) -> str:
    """None of these words or phrases."""
    said = [word for word in words if _times(word, text)]
    return f"says {said[0]!r}, which is forbidden" if said else ""


def in_order(text: str, *, words: Sequence[str]) -> str:
    """These words, one after the other."""
    at = 0
    for word in words:
        found = _whole(word).search(text, at)
        if found is None:
            return f"{word!r} does not come in its place: {', '.join(words)}"
        at = found.end()
    return ""


def letter(
    text: str, *, letter: str, at_least: int | None = None, at_most: int | None = None
) -> str:
    """A letter, so often, in either case."""
    times = text.casefold().count(letter.casefold())
    return _amount(times, at_least, at_most, f"times the letter {letter!r}")


def choice(text: str, *, options: Sequence[str]) -> str:
    """One of these answers, in words that may stand around it."""
    said = [option for option in options if _times(option, text)]
    # "no" inside "no way" is one answer, not two.
    said = [one for one in said if not any(_times(one, two) for two in said if two != one)]
    if len(said) == 1:
        return ""
    return f"gives {len(said)} of the answers {', '.join(map(repr, options))}, wanted one"


def placeholders(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Placeholders in square brackets, such as ``[name]``."""
    return _amount(len(_PLACEHOLDER.findall(text)), at_least, at_most, "placeholders")


def postscript(text: str, *, marker: str = "P.S.") -> str:
    """A postscript: a line at the end that begins with the marker and says something."""
    pattern = re.escape(marker.rstrip()).replace(r"\.", r"\.\s?")
    found = re.search(rf"^[^\S\n]*+{pattern}\s*+\S", text, re.MULTILINE | re.IGNORECASE)
    return "" if found else f"has no postscript {marker!r}"


def language(text: str, *, language: str) -> str:
    """The language, as a code of ISO 639-1 (``de``), told by py3langid (Lui and Baldwin 2012)."""
    told = find_language(text)
    return "" if told == language else f"reads as {told!r}, wanted the language {language!r}"


# -- in which form -------------------------------------------------------------------------------


def bullets(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Bullet points: lines that begin with ``*``, ``-``, ``+`` or ``•``."""
    return _amount(len(_BULLET.findall(text)), at_least, at_most, "bullet points")


def numbered(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Numbered points: lines that begin with ``1.`` or ``1)``."""
    return _amount(len(_NUMBERED.findall(text)), at_least, at_most, "numbered points")


def highlights(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Highlighted stretches, ``*so*`` or ``**so**``."""
    return _amount(len(_HIGHLIGHT.findall(text)), at_least, at_most, "highlighted stretches")


def title(text: str) -> str:
    """A title in double angle brackets, ``<<so>>``."""
    return "" if _TITLE.search(text) else "has no title in <<double angle brackets>>"


def sections(
    text: str, *, marker: str = "Section", at_least: int | None = None, at_most: int | None = None
) -> str:
    """Sections that begin with the marker and a number: ``Section 1``."""
    head = rf"^[^\w\n]*{re.escape(marker)}\s++\d++\b"
    heads = re.findall(head, text, re.MULTILINE | re.IGNORECASE)
    return _amount(len(heads), at_least, at_most, f"headings {marker!r} with a number")


def is_json(text: str) -> str:
    """JSON and nothing else, perhaps in a code fence."""
    bare = text.strip()
    first, _, rest = bare.partition("\n")
    fenced = _FENCE.fullmatch(first) and rest.endswith("\n```")
    try:
        json.loads(rest.removesuffix("```") if fenced else bare)
    except (ValueError, RecursionError):
        return "is not JSON"
    return ""


def quoted(text: str) -> str:
    """All of it in double quotation marks."""
    bare = text.strip()
    pairs = ('""', "“”", "„“", "«»")
    whole = len(bare) > 2 and any(bare[0] + bare[-1] == pair for pair in pairs)
    return "" if whole else "does not stand in double quotation marks"


def answers(text: str, *, count: int = 2, divider: str = "******") -> str:
    """So many answers, parted by the divider."""
    found = _parts(text, divider)
    if len(found) == count == len(set(found)):
        return ""
    return f"gives {len(set(found))} answers parted by {divider}, wanted {count}"


# -- letters and signs ---------------------------------------------------------------------------


def uppercase(text: str) -> str:
    """Capital letters throughout."""
    return "" if text.isupper() else "is not in capital letters throughout"


def lowercase(text: str) -> str:
    """Small letters throughout."""
    return "" if text.islower() else "is not in small letters throughout"


def capital_words(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Words written in capitals throughout."""
    found = [word for word in _WORD.findall(text) if word.isupper()]
    return _amount(len(found), at_least, at_most, "words in capitals")


def without(text: str, *, characters: str = ",") -> str:
    """None of these characters; no comma, by default."""
    found = [character for character in characters if character in text]
    return f"holds {found[0]!r}, which is forbidden" if found else ""


# -- how it begins and ends ----------------------------------------------------------------------


def starts(text: str, *, phrase: str) -> str:
    """This beginning, in any case."""
    same = text.strip().casefold().startswith(phrase.strip().casefold())
    return "" if same else f"begins with {brief(text.strip()[: len(phrase)])}, wanted {phrase!r}"


def ends(text: str, *, phrase: str) -> str:
    """This end, in any case; quotation marks around the whole do not count."""
    same = text.strip().strip('"”').casefold().endswith(phrase.strip().casefold())
    return "" if same else f"ends with {brief(text.strip()[-len(phrase) :])}, wanted {phrase!r}"


def paragraph_starts(text: str, *, number: int, word: str, divider: str = "\n\n") -> str:
    """The word with which paragraph ``number`` begins, counted from 1."""
    found = _parts(text, divider)
    first = _WORD.search(found[number - 1]) if 0 < number <= len(found) else None
    if first is not None and first[0].casefold() == word.casefold():
        return ""
    return f"paragraph {number} does not begin with {word!r}"


def repeats(text: str, *, phrase: str) -> str:
    """This text first, word for word, and then more."""
    bare, wanted = text.strip().casefold(), phrase.strip().casefold()
    if not bare.startswith(wanted):
        return f"does not begin by repeating {brief(phrase)}"
    return "" if bare[len(wanted) :].strip() else "only repeats, and says nothing of its own"


KINDS: Mapping[str, Kind] = {
    "words": words,
    "sentences": sentences,
    "paragraphs": paragraphs,
    "lines": lines,
    "characters": characters,
    "includes": includes,
    "excludes": excludes,
    "in_order": in_order,
    "letter": letter,
    "choice": choice,
    "placeholders": placeholders,
    "postscript": postscript,
    "language": language,
    "bullets": bullets,
    "numbered": numbered,
    "highlights": highlights,
    "title": title,
    "sections": sections,
    "json": is_json,
    "quoted": quoted,
    "answers": answers,
    "uppercase": uppercase,
    "lowercase": lowercase,
    "capital_words": capital_words,
    "without": without,
    "starts": starts,
    "ends": ends,
    "paragraph_starts": paragraph_starts,
    "repeats": repeats,
}


def _amount(count: int, at_least: int | None, at_most: int | None, what: str) -> str:
    if at_least is None and at_most is None:
        at_least = 1
    if at_least is not None and count < at_least:
        return f"{count} {what}, wanted at least {at_least}"
    if at_most is not None and count > at_most:
        return f"{count} {what}, wanted at most {at_most}"
    return ""


def _parts(text: str, divider: str) -> list[str]:
    return [part.strip() for part in text.split(divider) if part.strip()]


def _times(word: str, text: str) -> int:
    return len(_whole(word).findall(text))


def _whole(word: str) -> re.Pattern[str]:
    """The word as a whole one: not within a longer word."""
    inner = r"\s+".join(map(re.escape, word.split()))
    return re.compile(rf"(?<!\w){inner}(?!\w)", re.IGNORECASE)
