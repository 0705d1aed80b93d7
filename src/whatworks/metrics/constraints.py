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

from whatworks.base.phrasing import quote_briefly
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


def check_words(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Words: runs of letters and digits, with apostrophes and hyphens inside."""
    return _check_amount(len(_WORD.findall(text)), at_least, at_most, "words")


def check_sentences(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Sentences: stretches with a word in them, parted by full stops and the like."""
    matches = [part for part in _SENTENCE_END.split(text) if _WORD.search(part)]
    return _check_amount(len(matches), at_least, at_most, "sentences")


def check_paragraphs(
    text: str, *, at_least: int | None = None, at_most: int | None = None, divider: str = "\n\n"
) -> str:
    """Paragraphs that are not blank, parted by ``divider``, a blank line by default."""
    return _check_amount(len(_split_parts(text, divider)), at_least, at_most, "paragraphs")


def check_lines(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Lines that are not blank."""
    return _check_amount(len(_split_parts(text, "\n")), at_least, at_most, "lines")


def check_characters(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Characters, space around the text aside."""
    return _check_amount(len(text.strip()), at_least, at_most, "characters")


# -- what is said --------------------------------------------------------------------------------


def check_includes(
    text: str,
    *,
    words: Sequence[str],
    at_least: int | None = None,
    at_most: int | None = None,
) -> str:
    """Each of these words or phrases, so often; as whole words, in any case."""
    for word in words:
        if problem := _check_amount(_count_word(word, text), at_least, at_most, f"times {word!r}"):
            return problem
    return ""


def check_excludes(text: str, *, words: Sequence[str]) -> str:
    """None of these words or phrases."""
    forbidden = [word for word in words if _count_word(word, text)]
    return f"says {forbidden[0]!r}, which is forbidden" if forbidden else ""


def check_order(text: str, *, words: Sequence[str]) -> str:
    """These words, one after the other."""
    at = 0
    for word in words:
        match = _compile_whole_word(word).search(text, at)
        if match is None:
            return f"{word!r} does not come in its place: {', '.join(words)}"
        at = match.end()
    return ""


def check_letter(
    text: str, *, letter: str, at_least: int | None = None, at_most: int | None = None
) -> str:
    """A letter, so often, in either case."""
    times = text.casefold().count(letter.casefold())
    return _check_amount(times, at_least, at_most, f"times the letter {letter!r}")


def check_choice(text: str, *, options: Sequence[str]) -> str:
    """One of these answers, in words that may stand around it."""
    matches = [option for option in options if _count_word(option, text)]
    # "no" inside "no way" is one answer, not two.
    matches = [
        one for one in matches if not any(_count_word(one, two) for two in matches if two != one)
    ]
    if len(matches) == 1:
        return ""
    return f"gives {len(matches)} of the answers {', '.join(map(repr, options))}, wanted one"


def check_placeholders(
    text: str, *, at_least: int | None = None, at_most: int | None = None
) -> str:
    """Placeholders in square brackets, such as ``[name]``."""
    return _check_amount(len(_PLACEHOLDER.findall(text)), at_least, at_most, "placeholders")


def check_postscript(text: str, *, marker: str = "P.S.") -> str:
    """A postscript: a line at the end that begins with the marker and says something."""
    pattern = re.escape(marker.rstrip()).replace(r"\.", r"\.\s?")
    match = re.search(rf"^[^\S\n]*+{pattern}\s*+\S", text, re.MULTILINE | re.IGNORECASE)
    return "" if match else f"has no postscript {marker!r}"


def check_language(text: str, *, language: str) -> str:
    """The language, as a code of ISO 639-1 (``de``), told by py3langid (Lui and Baldwin 2012)."""
    code = find_language(text)
    return "" if code == language else f"reads as {code!r}, wanted the language {language!r}"


# -- in which form -------------------------------------------------------------------------------


def check_bullets(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Bullet points: lines that begin with ``*``, ``-``, ``+`` or ``•``."""
    return _check_amount(len(_BULLET.findall(text)), at_least, at_most, "bullet points")


def check_numbered(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Numbered points: lines that begin with ``1.`` or ``1)``."""
    return _check_amount(len(_NUMBERED.findall(text)), at_least, at_most, "numbered points")


def check_highlights(text: str, *, at_least: int | None = None, at_most: int | None = None) -> str:
    """Highlighted stretches, ``*so*`` or ``**so**``."""
    return _check_amount(len(_HIGHLIGHT.findall(text)), at_least, at_most, "highlighted stretches")


def check_title(text: str) -> str:
    """A title in double angle brackets, ``<<so>>``."""
    return "" if _TITLE.search(text) else "has no title in <<double angle brackets>>"


def check_sections(
    text: str, *, marker: str = "Section", at_least: int | None = None, at_most: int | None = None
) -> str:
    """Sections that begin with the marker and a number: ``Section 1``."""
    head = rf"^[^\w\n]*{re.escape(marker)}\s++\d++\b"
    heads = re.findall(head, text, re.MULTILINE | re.IGNORECASE)
    return _check_amount(len(heads), at_least, at_most, f"headings {marker!r} with a number")


def check_json(text: str) -> str:
    """JSON and nothing else, perhaps in a code fence."""
    bare = text.strip()
    first, _, rest = bare.partition("\n")
    fenced = _FENCE.fullmatch(first) and rest.endswith("\n```")
    try:
        json.loads(rest.removesuffix("```") if fenced else bare)
    except (ValueError, RecursionError):
        return "is not JSON"
    return ""


def check_quoted(text: str) -> str:
    """All of it in double quotation marks."""
    bare = text.strip()
    pairs = ('""', "“”", "„“", "«»")
    whole = len(bare) > 2 and any(bare[0] + bare[-1] == pair for pair in pairs)
    return "" if whole else "does not stand in double quotation marks"


def check_answers(text: str, *, count: int = 2, divider: str = "******") -> str:
    """Whether there are so many answers, separated by the divider."""
    parts = _split_parts(text, divider)
    if len(parts) == count == len(set(parts)):
        return ""
    return f"gives {len(set(parts))} answers parted by {divider}, wanted {count}"


# -- letters and signs ---------------------------------------------------------------------------


def check_uppercase(text: str) -> str:
    """Capital letters throughout."""
    return "" if text.isupper() else "is not in capital letters throughout"


def check_lowercase(text: str) -> str:
    """Small letters throughout."""
    return "" if text.islower() else "is not in small letters throughout"


def check_capital_words(
    text: str, *, at_least: int | None = None, at_most: int | None = None
) -> str:
    """Words written in capitals throughout."""
    capitals = [word for word in _WORD.findall(text) if word.isupper()]
    return _check_amount(len(capitals), at_least, at_most, "words in capitals")


def check_without(text: str, *, characters: str = ",") -> str:
    """None of these characters; no comma, by default."""
    forbidden = [character for character in characters if character in text]
    return f"holds {forbidden[0]!r}, which is forbidden" if forbidden else ""


# -- how it begins and ends ----------------------------------------------------------------------


def check_start(text: str, *, phrase: str) -> str:
    """This beginning, in any case."""
    same = text.strip().casefold().startswith(phrase.strip().casefold())
    return (
        ""
        if same
        else f"begins with {quote_briefly(text.strip()[: len(phrase)])}, wanted {phrase!r}"
    )


def check_end(text: str, *, phrase: str) -> str:
    """This end, in any case; quotation marks around the whole do not count."""
    same = text.strip().strip('"”').casefold().endswith(phrase.strip().casefold())
    return (
        ""
        if same
        else f"ends with {quote_briefly(text.strip()[-len(phrase) :])}, wanted {phrase!r}"
    )


def check_paragraph_start(text: str, *, number: int, word: str, divider: str = "\n\n") -> str:
    """The word with which paragraph ``number`` begins, counted from 1."""
    parts = _split_parts(text, divider)
    first = _WORD.search(parts[number - 1]) if 0 < number <= len(parts) else None
    if first is not None and first[0].casefold() == word.casefold():
        return ""
    return f"paragraph {number} does not begin with {word!r}"


def check_repeats(text: str, *, phrase: str) -> str:
    """This text first, word for word, and then more."""
    bare, opening = text.strip().casefold(), phrase.strip().casefold()
    if not bare.startswith(opening):
        return f"does not begin by repeating {quote_briefly(phrase)}"
    return "" if bare[len(opening) :].strip() else "only repeats, and says nothing of its own"


KINDS: Mapping[str, Kind] = {
    "words": check_words,
    "sentences": check_sentences,
    "paragraphs": check_paragraphs,
    "lines": check_lines,
    "characters": check_characters,
    "includes": check_includes,
    "excludes": check_excludes,
    "in_order": check_order,
    "letter": check_letter,
    "choice": check_choice,
    "placeholders": check_placeholders,
    "postscript": check_postscript,
    "language": check_language,
    "bullets": check_bullets,
    "numbered": check_numbered,
    "highlights": check_highlights,
    "title": check_title,
    "sections": check_sections,
    "json": check_json,
    "quoted": check_quoted,
    "answers": check_answers,
    "uppercase": check_uppercase,
    "lowercase": check_lowercase,
    "capital_words": check_capital_words,
    "without": check_without,
    "starts": check_start,
    "ends": check_end,
    "paragraph_starts": check_paragraph_start,
    "repeats": check_repeats,
}


def _check_amount(count: int, at_least: int | None, at_most: int | None, what: str) -> str:
    if at_least is None and at_most is None:
        at_least = 1
    if at_least is not None and count < at_least:
        return f"{count} {what}, wanted at least {at_least}"
    if at_most is not None and count > at_most:
        return f"{count} {what}, wanted at most {at_most}"
    return ""


def _split_parts(text: str, divider: str) -> list[str]:
    return [part.strip() for part in text.split(divider) if part.strip()]


def _count_word(word: str, text: str) -> int:
    return len(_compile_whole_word(word).findall(text))


def _compile_whole_word(word: str) -> re.Pattern[str]:
    """The word as a whole one: not within a longer word."""
    inner = r"\s+".join(map(re.escape, word.split()))
    return re.compile(rf"(?<!\w){inner}(?!\w)", re.IGNORECASE)
