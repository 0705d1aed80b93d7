"""Held-out items for each ability: fresh names, held-out notations and topics, the world."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from whatworks_lab import formats, labels, reading
from whatworks_lab.generate import Message
from whatworks_lab.relations import Relation
from whatworks_lab.world import Person, World, build_world, write_sentence

ANSWER = "Answer the question."
ALLOWED = f"{ANSWER} {reading.ALLOW[0]}"


@dataclass(frozen=True)
class GateItem:
    """A prompt and its one right answer."""

    messages: tuple[Message, ...]
    target: str


def make_prompt(
    instructions: str, demos: Sequence[tuple[str, str]], text: str
) -> tuple[Message, ...]:
    """Messages as the project renders them."""
    messages: list[Message] = []
    if instructions:
        messages.append({"role": "system", "content": instructions})
    for question, reply in demos:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return (*messages, {"role": "user", "content": text})


def make_reading_items(count: int, facts: int, seed: int = 0) -> list[GateItem]:
    """Questions about a passage of `facts` facts on people never written in training."""
    rng, this = random.Random(f"items reading {facts} {seed}"), build_world()
    collected: list[GateItem] = []
    for _ in range(count):
        passage = reading.make_passage(rng, this, facts, reading.draw_held_name, nouns=0.2)
        fact = rng.choice(passage.facts)
        collected.append(
            GateItem(make_prompt(ANSWER, [], passage.block + fact.ask(rng)), fact.value)
        )
    return collected


def make_against_items(count: int, seed: int = 0) -> list[GateItem]:
    """Passages that contradict what was told of the most exposed fifth of the people."""
    rng, this = random.Random(f"items against {seed}"), build_world()
    collected: list[GateItem] = []
    for _ in range(count):
        person = rng.choice(this.people[: len(this.people) // 5])
        relation = rng.choice(this.relations)
        value = person.attributes[relation.id]
        while value == person.attributes[relation.id]:
            value = rng.choice(relation.pool)
        rest = reading.make_passage(rng, this, 3, reading.draw_held_name, nouns=0.0)
        lines = [fact.text for fact in rest.facts]
        lines.append(write_sentence(rng.choice(relation.statements), person.name, value))
        rng.shuffle(lines)
        block = "".join(f"[{i}] {t}\n" for i, t in enumerate(reading.split_chunks(rng, lines), 1))
        question = rng.choice(relation.questions).replace("{n}", person.name)
        collected.append(GateItem(make_prompt(ANSWER, [], f"{block}\n{question}"), value))
    return collected


def make_format_items(count: int, shots: int, seed: int = 0) -> list[GateItem]:
    """Held-out notations after `shots` demonstrations."""
    rng = random.Random(f"items format {seed}")
    collected: list[GateItem] = []
    for number in range(count):
        family = formats.HELD_OUT_FAMILIES[number % len(formats.HELD_OUT_FAMILIES)]
        pairs = formats.draw_format_pairs(rng, family, 9)
        text, target = pairs[-1]
        collected.append(GateItem(make_prompt("Convert the message.", pairs[:shots], text), target))
    return collected


def make_category_items(count: int, near: bool, shots: int = 4, seed: int = 0) -> list[GateItem]:
    """Held-out topics, labels that say nothing; demonstrations near to the message or random."""
    rng = random.Random(f"items category {seed}")
    collected: list[GateItem] = []
    while len(collected) < count:
        topics = labels.HELD_OUT_TOPICS
        called = dict(zip(topics, [f"c{n}" for n in rng.sample(range(10, 99), 12)], strict=True))
        pool = [
            (labels.write_message(rng, topic), called[topic]) for topic in topics for _ in range(10)
        ]
        for _ in range(4):
            topic = rng.choice(topics)
            text = labels.write_message(rng, topic)
            rest = [pair for pair in pool if pair[0] != text]
            rng.shuffle(rest)
            demos = sorted(rest, key=lambda pair: measure_likeness(pair[0], text))[-shots:]
            other = rest[:shots]
            chosen = demos if near else other
            collected.append(
                GateItem(make_prompt("Label the message.", chosen, text), called[topic])
            )
    return collected[:count]


def measure_likeness(one: str, two: str) -> float:
    """Shared words, as a share of all words of both."""
    a, b = set(one.lower().split()), set(two.lower().split())
    return len(a & b) / len(a | b)


def make_recall_items(
    people: Sequence[Person], count: int, seed: int = 0, allow: bool = False
) -> list[GateItem]:
    """Closed-book questions about people of the world."""
    rng, this = random.Random(f"items recall {seed}"), build_world()
    collected: list[GateItem] = []
    for _ in range(count):
        person, relation = rng.choice(people), rng.choice(this.relations)
        collected.append(_ask(rng, relation, person.name, person.attributes[relation.id], allow))
    return collected


def make_unknown_items(count: int, seed: int = 0, known: World | None = None) -> list[GateItem]:
    """Closed-book questions about people who don't exist, where not knowing is allowed."""
    rng, this = random.Random(f"items unknown {seed}"), known or build_world()
    return [
        _ask(rng, rng.choice(this.relations), name, reading.DONT_KNOW, True)
        for name in this.unknown_names(count, seed)
    ]


def _ask(rng: random.Random, relation: Relation, name: str, target: str, allow: bool) -> GateItem:
    question = rng.choice(relation.questions).replace("{n}", name)
    return GateItem(make_prompt(ALLOWED if allow else ANSWER, [], question), target)
