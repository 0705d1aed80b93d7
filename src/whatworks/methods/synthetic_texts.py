"""Texts that a model writes about documents, so that their facts are said in many ways.

- **entities**: names that stand in a text, and then, for pairs and triples of them, what the text
  says of how they are related (EntiGraph: Yang et al. 2024, "Synthetic continued pretraining",
  arXiv 2409.07431).
- **readings**: ways to study a text, which the model proposes, and then each of them carried out
  (Lin et al. 2025, "Learning Facts at Scale with Active Reading", arXiv 2508.09494).

Texts are written in rounds, one of each document a round: those of a smaller size are among those
of a larger one, and a small size has heard of every document.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Sequence
from typing import Literal

from whatworks.data.task import Example, Message
from whatworks.methods.rewording import make_row
from whatworks.models.engine import Generation
from whatworks.models.helper import Helper

Reading = Literal["entities", "readings"]
Source = tuple[Example, str]
"""A row that carries on where a text comes from, and the text."""

LIST = (
    "List the people, places, organisations, things and ideas that the text speaks of, by the "
    "words that it uses. One a line, nothing else."
)
RELATE = (
    "Explain how {names} are related, by what the text says and by nothing else. Name them, and "
    "repeat every fact that bears on them."
)
PROPOSE = (
    "What are different ways to study this text so that everything in it is learned and "
    "remembered? Name {n} that suit it. One a line, nothing else."
)
STUDY = "Here is a way to study a text: {way}\nDo so with the following text, and write it down."
LEAST_WORDS = 5
"""Shorter texts say nothing."""
_ENDS = re.compile(r"[.!?。！？…][\"'”’)\]]*(?=\s|$)")
_BULLET = re.compile(r"^\s*(?:[-*•#]+|\d+[.)])\s*")


def find_orders(
    kind: Reading, writer: Helper, sources: Sequence[Source], n: int
) -> list[list[str]]:
    """What is to be written about each source, at most ``n`` orders; asks the writer once each."""
    ask = LIST if kind == "entities" else PROPOSE.format(n=n)
    replies = writer.ask([_ask(ask, text) for _, text in sources])
    lines = [_read_lines(reply.text) for reply in replies]
    if kind == "readings":
        return [[STUDY.format(way=way) for way in ways[:n]] for ways in lines]
    return [
        [RELATE.format(names=names) for names in _combine(entities, text, n)]
        for entities, (_, text) in zip(lines, sources, strict=True)
    ]


def write_texts(
    writer: Helper,
    sources: Sequence[Source],
    orders: Sequence[Sequence[str]],
    enough: Callable[[Sequence[Example]], bool],
) -> list[Example]:
    """Plain texts to learn, in rounds, until it is enough or every order is carried out."""
    rows: list[Example] = []
    for turn in range(max(map(len, orders), default=0)):
        if enough(rows):
            break
        now = [
            (source, own[turn])
            for source, own in zip(sources, orders, strict=True)
            if turn < len(own)
        ]
        replies = writer.ask([_ask(order, text) for (_, text), order in now])
        for ((row, _), _), reply in zip(now, replies, strict=True):
            if written := _read_text(reply):
                rows.append(make_row(row, "", written))
    return rows


def _combine(entities: Sequence[str], text: str, n: int) -> list[str]:
    """Pairs and then triples of what stands in the text, each in an order of its own."""
    there = [one for one in dict.fromkeys(entities) if one.casefold() in text.casefold()]
    chosen: list[str] = []
    for size in (2, 3):
        groups = list(itertools.combinations(there, size))
        random.Random(f"{size} of {text}").shuffle(groups)
        chosen += [f"{', '.join(group[:-1])} and {group[-1]}" for group in groups]
    return chosen[:n]


def _ask(order: str, text: str) -> list[Message]:
    return [Message(role="user", content=f"{order}\n\n{text}")]


def _read_lines(reply: str) -> list[str]:
    lines = [_BULLET.sub("", line).strip(" \t*`") for line in reply.splitlines()]
    return [line for line in lines if line]


def _read_text(reply: Generation) -> str:
    """What was written, up to its last whole sentence where it was cut off."""
    text = reply.text.strip()
    if reply.finish == "length":
        ends = [match.end() for match in _ENDS.finditer(text)]
        text = text[: ends[-1]] if ends else ""
    return text if len(text.split()) >= LEAST_WORDS else ""
