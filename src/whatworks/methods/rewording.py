"""Facts said and asked in other ways, by rules that need no model. Pure.

The wordings come from the material itself: rows about the same subject (their ``group``) with the
same target say the same, so with subject and target taken out they are wordings of one relation
(as in Brin 1998, "Extracting Patterns and Relations"). A sentence of a document that one of them
matches is another fact of that relation. Sentences without a known wording get gaps. Subject and
target count as whole words only: the 4 of four children is not the one of 1984.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from whatworks.base.union_find import Joining
from whatworks.data.task import Document, Example

Kind = Literal["paraphrases", "questions", "reversals", "implications"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SUBJECT, OBJECT, GAP = "{subject}", "{object}", "____"
_NAME = r"[A-ZÀ-Þ][\w'’\-]*(?: [A-ZÀ-Þ][\w'’\-]*)*"
_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class StatedSentence:
    """A sentence with its subject and its object.

    Attributes:
        row: Carries on where it comes from: id, group, evidence.
        text: The sentence, or the question of a row.
        subject: Whom or what it is about.
        object: What it says of it.
    """

    row: Example
    text: str
    subject: str
    object: str

    @property
    def wording(self) -> str:
        """The text without subject and object."""
        places = {self.object: OBJECT, self.subject: SUBJECT}
        longest = sorted(places, key=len, reverse=True)  # one may stand in the other
        return _compile_phrases(*longest).sub(lambda match: places[match[0]], self.text)

    @property
    def asks(self) -> bool:
        """Whether it asks for the object."""
        return OBJECT not in self.wording


def read_facts(rows: Sequence[Example], documents: Sequence[Document]) -> list[StatedSentence]:
    """What rows and documents say, as far as the rules can read it, in order."""
    subjects = {row.group for row in rows if row.group}
    statements = [
        StatedSentence(row, row.text, row.group, row.target)
        for row in rows
        if row.group and not row.bare and _has_phrase(row.text, row.group) and row.target
    ]
    objects: dict[str, dict[str, None]] = {}
    for one in statements:
        objects.setdefault(one.subject, {})[one.object] = None
    wordings: dict[str, None] = {}
    sentences = [
        (Example(id=f"{document.id}/{n}", evidence=(document.id,)), text)
        for document in documents
        for n, text in enumerate(_END.split(document.text.strip()))
        if text
    ]
    for _, text in sentences:
        for subject in (name for name in subjects if _has_phrase(text, name)):
            for value in objects.get(subject, ()):
                if _has_phrase(text, value) and not _has_phrase(subject, value):
                    wordings[StatedSentence(Example(id=""), text, subject, value).wording] = None
    return [*statements, *(one for row, text in sentences if (one := _read(row, text, wordings)))]


def _compile_phrases(*phrases: str) -> re.Pattern[str]:
    """Any of the phrases, the first that fits, where it does not stand inside a word."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, phrases))})(?!\w)")


def _has_phrase(text: str, phrase: str) -> bool:
    return phrase in text and _compile_phrases(phrase).search(text) is not None


def _read(row: Example, text: str, wordings: Mapping[str, None]) -> StatedSentence | None:
    """A sentence by a known wording, else by its first and its last name."""
    for wording in wordings:
        pattern = re.escape(wording)
        for place in (SUBJECT, OBJECT):
            mark = re.escape(place)
            pattern = pattern.replace(mark, f"(?P<{place[1:-1]}>.+?)", 1)
            pattern = pattern.replace(mark, f"(?P={place[1:-1]})")
        if match := re.fullmatch(pattern, text):
            subject = match["subject"]
            return StatedSentence(row.replace(group=subject), text, subject, match["object"])
    names = list(dict.fromkeys(re.findall(_NAME, text)))
    if len(names) < 2 or names[-1] in names[0] or names[0] in names[-1]:
        return None
    return StatedSentence(row.replace(group=names[0]), text, names[0], names[-1])


def reword(
    sentences: Sequence[StatedSentence],
    kinds: Sequence[Kind],
    copies: int,
    beside: Sequence[StatedSentence] = (),
) -> list[Example]:
    """New rows, at most ``copies`` for each fact and kind, none that repeats what is there.

    What has more than one answer is not asked: who lives in Porto, where three do.

    Args:
        sentences: What is said again.
        kinds: How.
        copies: Most rows for each fact and kind.
        beside: Gives wordings and answers, and is not said again itself.
    """
    every = (*sentences, *beside)
    same = Joining[str]()
    for one in every:
        same.join((f"{one.subject}\n{one.object}", f"\n{one.wording}"))
    sentences_of: dict[str, list[StatedSentence]] = {}
    for one in every:
        sentences_of.setdefault(same.root(f"\n{one.wording}"), []).append(one)
    known = {(one.text, one.object) for one in every} | {("", one.text) for one in every}
    written = [
        {kind: _RULES[kind](one, sentences_of[same.root(f"\n{one.wording}")]) for kind in kinds}
        for one in every
    ]
    unclear = find_ambiguous(
        [*known, *(pair for by in written for new in by.values() for pair in new)]
    )
    rows: list[Example] = []
    for one, by in zip(sentences, written, strict=False):
        for new in by.values():
            clear = [pair for pair in new if pair not in known and pair[0] not in unclear]
            for text, target in list(dict.fromkeys(clear))[:copies]:
                known.add((text, target))
                rows.append(make_row(one.row, text, target))
    return rows


def find_ambiguous(asked: Iterable[tuple[str, str]]) -> set[str]:
    """Questions that stand there with more than one answer; plain text asks nothing."""
    answers: dict[str, set[str]] = {}
    for text, answer in asked:
        answers.setdefault(text, set()).add(answer)
    return {text for text, different in answers.items() if text and len(different) > 1}


def make_row(source: Example, text: str, target: str) -> Example:
    """A row made from another: with its id, so that neither is shown in the other's prompt."""
    name = next(iter(source.inputs), "question")
    return source.replace(inputs={name: text} if text else {}, messages=(), target=target, meta={})


def _fill(wording: str, one: StatedSentence) -> str:
    return wording.replace(SUBJECT, one.subject).replace(OBJECT, one.object)


def _list_paraphrases(
    one: StatedSentence, relation: Sequence[StatedSentence]
) -> list[tuple[str, str]]:
    others = dict.fromkeys(o.wording for o in relation if o.asks == one.asks)
    sentences = [_fill(wording, one) for wording in others]
    return (
        [(text, one.object) for text in sentences]
        if one.asks
        else [("", text) for text in sentences]
    )


def _list_questions(
    one: StatedSentence, relation: Sequence[StatedSentence]
) -> list[tuple[str, str]]:
    if one.asks:
        return []
    questions = dict.fromkeys(_fill(o.wording, one) for o in relation if o.asks)
    gap = f"Fill the gap: {_fill(one.wording.replace(OBJECT, GAP), one)}"
    return [(text, one.object) for text in questions] or [(gap, one.object)]


def _list_reversals(
    one: StatedSentence, relation: Sequence[StatedSentence]
) -> list[tuple[str, str]]:
    wordings = [o.wording for o in relation if not o.asks]
    return [
        (f"Fill the gap: {_fill(wording.replace(SUBJECT, GAP), one)}", one.subject)
        for wording in dict.fromkeys(wordings)
    ]


def _list_implications(
    one: StatedSentence, relation: Sequence[StatedSentence]
) -> list[tuple[str, str]]:
    """What follows from a statement: that it is true, and that what others have is not."""
    statements = dict.fromkeys(o.wording for o in relation if not o.asks)
    own = {o.object for o in relation if o.subject == one.subject}
    other = next((o.object for o in relation if o.object not in own), None)
    pairs: list[tuple[str, str]] = []
    for wording in statements:
        pairs.append((f"True or false? {_fill(wording, one)}", "True"))
        if other is not None:
            false = wording.replace(SUBJECT, one.subject).replace(OBJECT, other)
            pairs.append((f"True or false? {false}", "False"))
    return pairs


_RULES = {
    "paraphrases": _list_paraphrases,
    "questions": _list_questions,
    "reversals": _list_reversals,
    "implications": _list_implications,
}
