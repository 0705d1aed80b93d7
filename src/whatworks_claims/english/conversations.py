"""Conversations with an assistant that keeps notes: two things are told, one is asked for later."""

from __future__ import annotations

import random

from whatworks.data.task import Example, Message, Splits
from whatworks_claims.english import words
from whatworks_claims.english.wordings import Sizes, draw_shared

_TOLD: tuple[tuple[str, str, str, str], ...] = (
    # what is told, what is noted, the question, the answer; {v} is what must be used
    ("My sister {n} arrives on {v}.", "the day on which {n} arrives",
     "On which day does {n} arrive?", "{n} arrives on {v}."),
    ("{n} keeps the spare key at {v}.", "where {n} keeps the spare key",
     "Where is the spare key of {n}?", "The spare key is at {v}."),
    ("The doctor has moved {n} to {v}.", "the doctor's new day for {n}",
     "When does {n} have to see the doctor?", "{n} sees the doctor on {v}."),
    ("{n} wants a {v} for the birthday.", "the birthday wish of {n}",
     "What would {n} like for the birthday?", "{n} would like a {v}."),
    ("I lent my {v} to {n}.", "what {n} has borrowed",
     "What did I lend to {n}?", "You lent {n} your {v}."),
    ("{n} takes over the stall as our new {v}.", "the new work of {n}",
     "What work does {n} do now?", "{n} is the new {v}."),
    ("I take {n} to the train, it leaves from {v}.", "from where {n} leaves",
     "From where does the train of {n} leave?", "It leaves from {v}."),
    ("{n} plays the {v} in the band.", "the instrument of {n}",
     "Which instrument does {n} play?", "{n} plays the {v}."),
    ("We meet {n} at the bridge on {v}.", "when we meet {n}",
     "Which day did we agree on with {n}?", "You agreed on {v}."),
    ("{n} has bought a house in {v}.", "where {n} has bought a house",
     "In which town is the house of {n}?", "The house is in {v}."),
    ("For the picnic {n} brings a {v}.", "what {n} brings",
     "What does {n} bring to the picnic?", "{n} brings a {v}."),
    ("{n} trained as a {v} before the war.", "what {n} trained as",
     "What was {n} by training?", "{n} was a {v}."),
)  # fmt: skip
_THINGS = (
    "lantern", "kite", "tent", "teapot", "chess set", "hammock", "sledge", "telescope",
)  # fmt: skip
_NOTES = ("I have noted {what}.", "Thank you, I wrote down {what}.", "Noted: {what}.",
          "All right, I will remember {what}.")  # fmt: skip
_KINDS = (
    "day", "town", "day", "thing", "thing", "trade", "town", "instrument", "day", "town", "thing",
    "trade",
)  # fmt: skip


def write_conversations(sizes: Sizes, seed: int = 0) -> Splits:
    """Two things told and noted, and a question for one; what it must use is in ``meta``."""
    rng = random.Random(f"english conversations {seed}")
    return draw_shared(rng, sizes, len(_TOLD), _write_conversation)


def _write_conversation(rng: random.Random, number: int) -> Example:
    other = rng.choice([i for i in range(len(_TOLD)) if i != number])
    people = words.draw_distinct(rng, lambda r: r.choice(words.FIRST_NAMES), 2)
    facts = [(number, people[0]), (other, people[1])]
    values = {which: _draw_value(rng, _KINDS[which]) for which, _ in facts}
    rng.shuffle(facts)
    turns: list[Message] = []
    for which, name in facts:
        statement, what, *_ = _TOLD[which]
        turns.append(Message(role="user", content=statement.format(n=name, v=values[which])))
        note = rng.choice(_NOTES).format(what=what.format(n=name))
        turns.append(Message(role="assistant", content=note))
    *_, question, answer = _TOLD[number]
    filling = {"n": people[0], "v": values[number]}
    turns.append(Message(role="user", content=question.format(**filling)))
    return Example(
        id="conversation",
        messages=tuple(turns),
        target=answer.format(**filling),
        meta={"uses": [values[number]]},
    )


def _draw_value(rng: random.Random, kind: str) -> str:
    if kind == "town":
        return words.draw_town(rng)
    pools = {"day": words.DAYS, "thing": _THINGS, "trade": words.TRADES,
             "instrument": words.INSTRUMENTS}  # fmt: skip
    return rng.choice(pools[kind])
