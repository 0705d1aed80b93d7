"""Error patterns: mistakes grouped by what is wrong, so that a prompt can be mended. Pure.

A mistake is an answer that is not fully right. Its pattern is decided by the score (kind, lenient
value, parts), the metric's name, and the answer beside the target; each mistake has one pattern,
the first that applies. People read them (``whatworks errors``, the report), and ``prompt-search``
takes its edits from them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from whatworks.analysis.result_rows import ResultRow
from whatworks.base.phrasing import quote_briefly
from whatworks.data.meaning_representation import MalformedMR
from whatworks.data.meaning_representation import parse as parse_mr
from whatworks.data.task import Example
from whatworks.metrics.abstention import is_abstention
from whatworks.metrics.citations import EVIDENCE
from whatworks.metrics.json.metric import MalformedJSON, list_fields
from whatworks.metrics.json.metric import parse as parse_json
from whatworks.metrics.language import SURE, find_language
from whatworks.metrics.normalise import normalise
from whatworks.metrics.score import Score

PatternName = Literal[
    "not asked",
    "empty",
    "refused",
    "extra text around the answer",
    "too long",
    "wrong language",
    "malformed",
    "label not in the list",
    "label confused",
    "missing field",
    "field not wanted",
    "wrong value",
    "wrong order",
    "passage misread",
    "passage not found",
    "fact not known",
    "wrong style",
    "wrong answer",
]


_TELLING = ("sql", "instructions", "chat")
"""Metrics whose reason for a wrong answer is of a kind, and not the two answers again."""

_TOO_LONG = 2.0
_LONG_WORDS = 8
"""A wrong answer is too long when it has twice the target's words and this many more."""

_LANGUAGES = {
    **{"en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian"},
    **{"nl": "Dutch", "pt": "Portuguese", "pl": "Polish", "sv": "Swedish", "tr": "Turkish"},
}
"""Names of frequent languages; others go by their code."""


@dataclass(frozen=True)
class Mistake:
    """One answer that is not fully right.

    Attributes:
        example: The row asked for.
        answer: The answer.
        name: Its pattern.
        detail: Which field, which labels, which reason: what mistakes of a pattern differ in.
        feedback: The metric's own words.
    """

    example: Example
    answer: str
    name: PatternName
    detail: str
    feedback: str


@dataclass(frozen=True)
class Pattern:
    """Mistakes of one kind, the most frequent details first."""

    name: PatternName
    mistakes: tuple[Mistake, ...]

    @property
    def count(self) -> int:
        """How many answers."""
        return len(self.mistakes)

    @property
    def details(self) -> list[tuple[str, int]]:
        """Details with their counts, most frequent first; those without any are left out."""
        counts = Counter(m.detail for m in self.mistakes if m.detail)
        return counts.most_common()


@dataclass(frozen=True)
class RunChanges:
    """What became of the examples that two runs have in common, by id."""

    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    still_wrong: tuple[str, ...]
    still_right: tuple[str, ...]


def group_mistakes(mistakes: Iterable[Mistake]) -> tuple[Pattern, ...]:
    """Mistakes by pattern, the most frequent pattern first."""
    by_name: dict[PatternName, list[Mistake]] = {}
    for mistake in mistakes:
        by_name.setdefault(mistake.name, []).append(mistake)
    patterns = [Pattern(name, tuple(members)) for name, members in by_name.items()]
    return tuple(sorted(patterns, key=lambda pattern: -pattern.count))


def find_patterns(
    metric: str, rows: Iterable[ResultRow], examples: Mapping[str, Example]
) -> tuple[Pattern, ...]:
    """The patterns in some rows of results; failed runs and unknown examples are left out."""
    mistakes = (
        find_mistake(metric, examples[row.example], row.output, _read_score(row))
        for row in rows
        if row.status == "scored" and row.example in examples
    )
    return group_mistakes(one for one in mistakes if one is not None)


def find_changes(before: Iterable[ResultRow], after: Iterable[ResultRow]) -> RunChanges:
    """Which examples were fixed and which were broken between two sets of rows.

    An example is right when it is fully right with most of its seeds.
    """
    old, new = _find_right(before), _find_right(after)
    common = [name for name in new if name in old]

    def those(was: bool, now: bool) -> tuple[str, ...]:
        return tuple(name for name in common if (old[name], new[name]) == (was, now))

    return RunChanges(
        fixed=those(False, True),
        broken=those(True, False),
        still_wrong=those(False, False),
        still_right=those(True, True),
    )


def find_mistake(metric: str, example: Example, answer: str, score: Score) -> Mistake | None:
    """What is wrong with an answer; None when it is fully right."""
    if score.value >= 1.0:
        return None
    name, detail = _name_pattern(metric, example, answer, score)
    return Mistake(example, answer, name, detail, score.feedback)


def _name_pattern(
    metric: str, example: Example, answer: str, score: Score
) -> tuple[PatternName, str]:
    answer, wanted = answer.strip(), example.target.strip()
    if score.feedback.startswith("not asked"):
        return "not asked", "the prompt is too long"
    if not answer:
        return "empty", ""
    if metric == "category" and score.kind == "wrong":  # a label, be it "unknown"
        return "label confused", f"{wanted} taken for {answer}"
    if score.kind == "abstained" or is_abstention(answer):
        return "refused", ""
    if score.forgiving >= 1.0 and normalise(answer) != normalise(wanted):
        return "extra text around the answer", _describe_extra(answer, wanted)
    if score.forgiving >= 1.0:
        return "wrong style", "right up to case, punctuation or spaces"
    if metric == "category":
        return "label not in the list", quote_briefly(answer, 40)
    for detect in (_detect_script, _detect_language):
        if (is_now := detect(answer)) and (should := detect(wanted)) and is_now != should:
            return "wrong language", f"{is_now} instead of {should}"
    if score.kind == "malformed":
        return "malformed", _normalise_reason(score.feedback)
    if (fields := _parse_fields(metric, answer)) and (wished := _parse_fields(metric, wanted)):
        return _name_field_pattern(fields, wished)
    words, enough = len(answer.split()), len(wanted.split())
    if wanted and words >= _TOO_LONG * enough and words >= enough + _LONG_WORDS:
        return (
            "too long",
            f"{_round_words(words)} words where about {_round_words(enough)} are wanted",
        )
    if metric == "style":
        return "wrong style", _normalise_reason(score.feedback)
    if EVIDENCE in score.parts:
        shown = score.parts[EVIDENCE] >= 1.0
        return ("passage misread", "") if shown else ("passage not found", "")
    if metric == "facts":
        return "fact not known", ""
    return "wrong answer", _normalise_reason(score.feedback) if metric in _TELLING else ""


def _parse_fields(metric: str, text: str) -> dict[str, str]:
    """Field names with their values, {} where the metric or the text has none."""
    try:
        if metric == "json":
            flat_fields = list_fields(parse_json(text)).elements()
            pairs = [(str(field).partition(" = ")[0], repr(field.value)) for field in flat_fields]
        elif metric == "mr":
            read = parse_mr(text)
            pairs = [("act", read.act), *((s.name, ", ".join(s.items)) for s in read.slots)]
        else:
            return {}
    except (MalformedJSON, MalformedMR):
        return {}
    fields: dict[str, str] = {}
    for name, value in sorted(pairs):
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _name_field_pattern(
    answer: Mapping[str, str], wanted: Mapping[str, str]
) -> tuple[PatternName, str]:
    missing = [name for name in wanted if name not in answer]
    extra = [name for name in answer if name not in wanted]
    if missing and extra:
        return "missing field", f"{missing[0]}, written {extra[0]}"
    if missing:
        return "missing field", missing[0]
    if extra:
        return "field not wanted", extra[0]
    different = [name for name in wanted if answer[name] != wanted[name]]
    if not different:
        return "wrong order", ""
    if different[0] == "act":
        return "label confused", f"{wanted['act']} taken for {answer['act']}"
    return "wrong value", different[0]


def _describe_extra(answer: str, wanted: str) -> str:
    """On which side of the answer there is more."""
    at = answer.casefold().find(wanted.casefold())
    if at < 0 or not wanted:
        return ""
    before, after = answer[:at].strip(), answer[at + len(wanted) :].strip()
    sides = [side for side, text in (("before it", before), ("after it", after)) if text]
    return " and ".join(sides)


def _normalise_reason(feedback: str) -> str:
    """The metric's reason without what differs from row to row: places and quotations."""
    first = re.split(r"; |, wanted ", feedback)[0]
    first = re.sub(r" (?:at|in) (?:line|column|character) \d+(?: column \d+)?.*", "", first)
    return re.sub(r"'[^']*'|\"[^\"]*\"", "...", first)[:100]


def _detect_script(text: str) -> str:
    """The script of most letters; nothing for a text without letters of these."""
    letters = [c for c in text if c.isalpha()]
    for script, first, last in _SCRIPTS:
        if sum(first <= c <= last for c in letters) > len(letters) / 2:
            return script
    return ""


_SCRIPTS = (
    ("Latin script", "A", "\u024f"),
    ("Cyrillic script", "\u0400", "\u04ff"),
    ("Greek script", "\u0370", "\u03ff"),
    ("Arabic script", "\u0600", "\u06ff"),
    ("Hebrew script", "\u0590", "\u05ff"),
    ("Devanagari script", "\u0900", "\u097f"),
    ("Thai script", "\u0e00", "\u0e7f"),
    ("Korean script", "\uac00", "\ud7af"),
    ("Japanese script", "\u3040", "\u30ff"),
    ("Chinese script", "\u4e00", "\u9fff"),
)


def _detect_language(text: str) -> str:
    """The language of a text where it is sure, else nothing."""
    code = find_language(text, sure=SURE)
    return _LANGUAGES.get(code, code)


def _round_words(words: int) -> int:
    """Counts by the ten, so that lengths that hardly differ are one detail."""
    return words if words < 10 else 10 * round(words / 10)


def _read_score(row: ResultRow) -> Score:
    kind = row.kind if row.kind in ("correct", "wrong", "abstained", "malformed") else "wrong"
    return Score(row.value, kind, row.feedback, row.lenient, row.parts)


def _find_right(rows: Iterable[ResultRow]) -> dict[str, bool]:
    values: dict[str, list[bool]] = {}
    for row in rows:
        if row.status == "scored":
            values.setdefault(row.example, []).append(row.value >= 1.0)
    return {name: sum(marks) > len(marks) / 2 for name, marks in values.items()}


def format_patterns(patterns: Sequence[Pattern], *, examples: int = 2) -> list[str]:
    """Patterns as plain text, with some examples each."""
    text: list[str] = []
    for pattern in patterns:
        shown = ", ".join(f"{detail} ({n})" for detail, n in pattern.details[:4])
        text.append(f"{pattern.count:>5}  {pattern.name}" + (f": {shown}" if shown else ""))
        for one in pattern.mistakes[:examples]:
            text.append(f"         {one.example.id}: {quote_briefly(one.example.text, 90)}")
            answer, target = quote_briefly(one.answer, 90), quote_briefly(one.example.target, 90)
            text.append(f"           said {answer}, wanted {target}")
    return text
