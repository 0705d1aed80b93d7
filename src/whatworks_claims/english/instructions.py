"""Instructions whose keeping can be verified: a sentence about something, in a form."""

from __future__ import annotations

import random
from collections.abc import Callable

from whatworks.data.task import Example, Splits
from whatworks_claims.english import words
from whatworks_claims.english.wordings import Sizes, draw_shared

_SENTENCES = (
    "the {noun} in {town} is open until the evening",
    "many people come to the {noun} in {town} on {day}",
    "nobody has seen the {noun} of {town} since {day}",
    "the {noun} was painted green by the children of {town}",
    "a {noun} is worth more than a promise",
    "on {day} the {noun} will be repaired at last",
)
_NOUNS = (
    "harbour", "library", "bakery", "lighthouse", "market", "garden", "mill", "museum", "theatre",
    "bridge", "school", "windmill", "chapel", "orchard", "tower", "stable", "castle", "square",
    "ferry", "tavern", "forest", "hospital", "cellar", "attic", "kitchen", "meadow", "island",
    "stadium", "playground", "canal", "station", "brewery", "pier", "barn", "courtyard",
    "fountain",
)  # fmt: skip
_OPENERS = (
    "Today", "Honestly", "Perhaps", "Listen", "Surely", "Indeed", "Frankly", "Remember",
)  # fmt: skip
_ENDINGS = (
    "and that is all", "believe me", "as we know", "so they say", "without any doubt",
    "thank you for asking",
)  # fmt: skip

Demanded = tuple[dict[str, object], Callable[[str], str]]
"""The constraint that verifies a demand, and a text that keeps it."""
Demand = Callable[[str], Demanded]


def _demand_start(word: str) -> Demanded:
    return {"kind": "starts", "phrase": word}, lambda text: f"{word}, {text}"


def _demand_end(word: str) -> Demanded:
    return {"kind": "ends", "phrase": word}, lambda text: f"{text.rstrip('.')}, {word}"


def _demand_capitals(word: str) -> Demanded:
    del word
    return {"kind": "uppercase"}, str.upper


def _demand_quotes(word: str) -> Demanded:
    del word
    return {"kind": "quoted"}, lambda text: f'"{text}"'


def _demand_short(word: str) -> Demanded:
    del word
    return {"kind": "words", "at_most": 12}, lambda text: text


_WORDINGS: tuple[tuple[str, Demand, Demand | None], ...] = (
    ("Write one sentence about the {noun}. Begin with the word {first}.", _demand_start, None),
    ("Say something about a {noun}, in capital letters only.", _demand_capitals, None),
    ("Write a sentence with the word {noun}. Put it in quotation marks.", _demand_quotes, None),
    ("Tell me about the {noun} in at most twelve words.", _demand_short, None),
    ("Write about the {noun}. End with the words: {last}", _demand_end, None),
    ("One sentence on the {noun}, please, and its first word must be {first}.", _demand_start,
     None),
    ("Use capital letters throughout and mention the {noun}.", _demand_capitals, None),
    ("Make a quotation of one sentence about the {noun}, with quotation marks around it.",
     _demand_quotes, None),
    ("Close your sentence about the {noun} with: {last}", _demand_end, None),
    ("Mention a {noun}. Twelve words are the limit.", _demand_short, None),
    ("Begin with {first} and write everything in capitals. The subject is the {noun}.",
     _demand_start, _demand_capitals),
    ("No small letters, please: a sentence about the {noun}.", _demand_capitals, None),
    ("What can be said of the {noun}? Stop with the words: {last}", _demand_end, None),
    ("Put quotation marks around a line about the {noun} that has at most twelve words.",
     _demand_short, _demand_quotes),
    ("Start with {first} and tell us of the {noun}.", _demand_start, None),
    ("In capitals, at most twelve words: the {noun}.", _demand_short, _demand_capitals),
    ("Describe the {noun}; the last words are: {last}", _demand_end, None),
    ("Twelve words or fewer about the {noun}.", _demand_short, None),
)  # fmt: skip


def write_instructions(sizes: Sizes, seed: int = 0) -> Splits:
    """Instructions with the constraints that verify them, and a response that keeps them.

    Every row also wants the thing to be named, so that an empty form is not enough.
    """
    rng = random.Random(f"english instructions {seed}")
    return draw_shared(rng, sizes, len(_WORDINGS), _write_instruction)


def _write_instruction(rng: random.Random, number: int) -> Example:
    wording, first_demand, then = _WORDINGS[number]
    noun, first, last = rng.choice(_NOUNS), rng.choice(_OPENERS), rng.choice(_ENDINGS)
    sentence = rng.choice(_SENTENCES).format(
        noun=noun, town=words.draw_town(rng), day=rng.choice(words.DAYS)
    )
    starts = first_demand is _demand_start
    text = f"{sentence if starts else sentence[0].upper() + sentence[1:]}."
    constraints: list[dict[str, object]] = [{"kind": "includes", "words": [noun], "at_least": 1}]
    for demand in filter(None, (first_demand, then)):
        constraint, apply = demand(first if starts else last)
        constraints.append(constraint)
        text = apply(text)
    return Example(
        id="instruction",
        inputs={"instruction": wording.format(noun=noun, first=first, last=last)},
        target=text,
        meta={"constraints": constraints},
    )
