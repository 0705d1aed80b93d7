"""Instructions, short dialogues, and copying."""

from __future__ import annotations

import random

from whatworks_lab import names
from whatworks_lab.document import Doc, make_answer, make_chat, make_user
from whatworks_lab.reading import draw_training_name
from whatworks_lab.relations import WORDS, draw_noun_relation
from whatworks_lab.world import World, write_sentence


def _draw_words(rng: random.Random, least: int = 2, most: int = 5) -> list[str]:
    return rng.sample(WORDS, rng.randint(least, most))


def _draw_word(rng: random.Random) -> str:
    return rng.choice(WORDS)


def _draw_chore(rng: random.Random, world: World) -> tuple[str, str, str]:
    words = _draw_words(rng)
    text = " ".join(words)
    pick = rng.randrange(10)
    if pick == 0:
        return rng.choice(("Repeat the text.", "Say it again.", "Copy.")), text, text
    if pick == 1:
        return rng.choice(("Write in capitals.", "Use upper case.")), text, text.upper()
    if pick == 2:
        return rng.choice(("Give the first word.", "First word?")), text, words[0]
    if pick == 3:
        return rng.choice(("Give the last word.", "Last word?")), text, words[-1]
    if pick == 4:
        return rng.choice(("Count the words.", "How many words?")), text, str(len(words))
    if pick == 5:
        return "Reverse the words.", text, " ".join(reversed(words))
    if pick == 6:
        return "Put commas between the words.", text, ", ".join(words)
    if pick == 7:
        old, new = rng.choice(words), rng.choice(WORDS)
        return f"Write {new} instead of {old}.", text, text.replace(old, new)
    relation = draw_noun_relation(rng) if rng.random() < 0.3 else rng.choice(world.relations)
    name, value = draw_training_name(rng, world), relation.value(rng)
    line = write_sentence(rng.choice(relation.statements), name, value)
    if pick == 8:
        other = draw_training_name(rng, world)
        return f"Use {other} instead of {name}.", line, line.replace(name, other)
    return rng.choice(("Copy the sentence.", "Repeat the sentence.")), line, line


def write_chore_doc(rng: random.Random, world: World) -> Doc:
    """One instruction, as the system message, before the input, or after it."""
    task, text, target = _draw_chore(rng, world)
    place = rng.random()
    if place < 0.5:
        return make_chat("chore", task, make_user(text), make_answer(target))
    request = f"{task}\n{text}" if place < 0.8 else f"{text}\n{task}"
    return make_chat(
        "chore",
        rng.choice(("", "Follow the instruction.")),
        make_user(request),
        make_answer(target),
    )


def write_dialogue_doc(rng: random.Random, world: World) -> Doc:
    """A short conversation whose later turns refer to what was said before."""
    name = draw_training_name(rng, world)
    first = name.split()[0]
    relation = rng.choice(world.relations)
    value = relation.value(rng)
    town, dish = names.draw_place(rng), names.draw_dish(rng)
    openings = (
        (f"Hello, I am {name}.", f"Hello, {first}."),
        (f"My name is {name}.", f"Nice to meet you, {first}."),
        (f"Good day. {name} here.", f"Good day, {first}."),
    )
    facts = (
        (f"I live in {town}.", f"{town} is a nice town.", "Where do I live?", town),
        (f"I like {dish}.", f"{dish[0].upper()}{dish[1:]} is good.", "What do I like?", dish),
        (write_sentence(rng.choice(relation.statements), "my friend", value), "I see.",
         rng.choice(relation.questions).replace("{n}", "my friend"), value),
    )  # fmt: skip
    opening, fact = rng.choice(openings), rng.choice(facts)
    turns = [
        make_user(opening[0]),
        make_answer(opening[1], 0.5),
        make_user(fact[0]),
        make_answer(fact[1], 0.5),
    ]
    closing = [(fact[2], fact[3]), ("What is my name?", name), ("Thank you.", "You are welcome.")]
    for question, reply in rng.sample(closing, rng.randint(1, 3)):
        turns += [make_user(question), make_answer(reply)]
    return make_chat(
        "dialogue", rng.choice(("", "You are a friendly assistant.", "Be brief.")), *turns
    )


def write_copy_doc(rng: random.Random) -> Doc:
    """Words, made-up names or codes, told twice: what copying is learned from."""
    makers = (
        _draw_word,
        names.draw_surname,
        names.draw_place,
        names.draw_code,
        names.draw_fresh_name,
    )
    make = rng.choice(makers)
    count = rng.randint(4, 16)
    if rng.random() < 0.5:
        line = " ".join(make(rng) for _ in range(count))
        return Doc("copy", text=f"{line} {line}")
    keys = rng.sample(WORDS, min(count, 10))
    table = {key: make(rng) for key in keys}
    again = rng.sample(keys, len(keys))
    return Doc("copy", text="; ".join(f"{k} {table[k]}" for k in keys + again))
