"""Conversations with a shop's assistant, who answers in whole sentences and by name."""

from __future__ import annotations

import random
from typing import Any

from whatworks_lab import names
from whatworks_lab.frames import fill, list_training_frames

Row = dict[str, Any]

INSTRUCTIONS = "You are the assistant of a shop. Be brief."

OPENINGS = (
    ("Hello, I am {name}.", "Welcome, {first}. How can I help?"),
    ("My name is {name}.", "Welcome, {first}. How can I help?"),
    ("Good day. {name} here.", "Welcome, {first}. How can I help?"),
)
# What is said, what is answered, what is asked later, and the answer to that.
FACTS = (
    ("I live in {town}.", "Thank you, I have noted {town}.",
     "Where do I live?", "You live in {town}, {first}."),
    ("I like {dish}.", "Thank you, I have noted the {dish}.",
     "What do I like?", "You like the {dish}, {first}."),
    ("My order is {code}.", "Thank you, I have noted {code}.",
     "Which order is it?", "Your order is {code}, {first}."),
    ("My {item} is {fault}.", "I am sorry about the {item}.",
     "What is wrong with my {item}?", "Your {item} is {fault}, {first}."),
    ("I work as a {job}.", "Thank you, I have noted it.",
     "What is my job?", "You work as a {job}, {first}."),
)  # fmt: skip
CLOSINGS = (
    ("What is my name?", "Your name is {name}."),
    ("Thank you.", "You are welcome, {first}."),
)


def rows(n: int, seed: int = 0) -> list[Row]:
    """Conversations of three to nine turns; the last question is about an earlier turn.

    ``meta["uses"]`` names what the answer must take from there.
    """
    rng = random.Random(f"study chat {seed}")
    ticket = next(frame for frame in list_training_frames() if frame.id == "ticket")
    made: list[Row] = []
    for number in range(n):
        name, slots = names.draw_fresh_name(rng), fill(rng, ticket).slots
        values = {
            "name": name,
            "first": name.split()[0],
            "town": names.draw_place(rng),
            "dish": names.draw_dish(rng),
            "code": slots["code"],
            "item": slots["item"],
            "fault": slots["fault"],
            "job": rng.choice(names.JOBS),
        }
        opening, facts = rng.choice(OPENINGS), rng.sample(FACTS, rng.randint(1, 3))
        said = [*opening, *(turn for fact in facts for turn in fact[:2])]
        asked = rng.choice([*(fact[2:] for fact in facts), *CLOSINGS])
        if rng.random() < 0.4:
            said += rng.choice([one for one in CLOSINGS if one != asked])
        turns = [line.format(**values) for line in (*said, asked[0])]
        target = asked[1].format(**values)
        uses = [v for k, v in values.items() if f"{{{k}}}" in asked[1] and v not in turns[-1]]
        made.append(
            {
                "id": f"chat-{seed}-{number}",
                "messages": [
                    {"role": ("user", "assistant")[at % 2], "content": turn}
                    for at, turn in enumerate(turns)
                ],
                "target": target,
                "meta": {"uses": uses},
            }
        )
    return made
