"""Passages about entities that are never used again, and about known people told otherwise."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from whatworks_lab import names
from whatworks_lab.document import Doc, DocumentTurn, make_answer, make_chat, make_user
from whatworks_lab.relations import Relation, draw_noun_relation
from whatworks_lab.world import World, is_held_out_name, write_sentence

DONT_KNOW = "I don't know"
ASK = (
    "Answer the question.", "Answer the question.", "Answer the question.", "Answer.", "",
    "Answer the question briefly.", "Give a short answer.", "Answer in a few words.",
    "You answer questions.", "Reply to the question with the answer only.",
)  # fmt: skip
READ = (
    *ASK, "Answer the question from the passages.", "Use the passages to answer the question.",
    "Read the notes and answer the question.", "Answer with the help of the text.",
)  # fmt: skip
ALLOW = (
    'Say "I don\'t know" if you do not know.',
    "If you don't know the answer, say \"I don't know\".",
    'When you are not sure, say "I don\'t know".',
    'Answer "I don\'t know" if you cannot tell.',
    'You may say "I don\'t know".',
)


@dataclass(frozen=True)
class StatedFact:
    """One fact of a passage, with the sentence that says it."""

    name: str
    relation: Relation
    value: str
    text: str

    def ask(self, rng: random.Random) -> str:
        """One of the relation's questions about this name."""
        return rng.choice(self.relation.questions).replace("{n}", self.name)


@dataclass(frozen=True)
class Passage:
    """Sentences in order, cut into chunks, and the facts they state."""

    facts: tuple[StatedFact, ...]
    chunks: tuple[str, ...]

    @property
    def block(self) -> str:
        """The chunks as a prompt shows them: numbered lines and an empty line."""
        return "".join(f"[{i}] {text}\n" for i, text in enumerate(self.chunks, 1)) + "\n"


def draw_training_name(rng: random.Random, world: World) -> str:
    """A made-up name for training: nobody in the world, and not one that is held out."""
    while True:
        name = names.draw_fresh_name(rng, world.surnames)
        if not is_held_out_name(name):
            return name


def draw_held_name(rng: random.Random, world: World) -> str:
    """A made-up name that training never writes."""
    while True:
        name = names.draw_fresh_name(rng, world.surnames)
        if is_held_out_name(name):
            return name


def allow_unknown(rng: random.Random, instructions: str) -> str:
    """The instructions with a sentence that allows the model not to know."""
    return f"{instructions} {rng.choice(ALLOW)}".strip()


def make_passage(
    rng: random.Random,
    world: World,
    count: int,
    name: Callable[[random.Random, World], str] = draw_training_name,
    *,
    known: float = 0.0,
    nouns: float = 0.35,
    wordings: int = 99,
) -> Passage:
    """A passage of `count` facts, each (name, relation) pair told once.

    `known` is the share of known people among its subjects; what it says of them is drawn anew,
    so it contradicts what the model has read. `wordings` keeps to the first few of each relation.
    """
    subjects = [
        rng.choice(world.people).name if rng.random() < known else name(rng, world)
        for _ in range(max(1, round(count / rng.choice((1, 1, 2, 2, 3)))))
    ]
    # A few relations shared by all subjects make them distractors for one another.
    some = [
        draw_noun_relation(rng) if rng.random() < nouns else rng.choice(world.relations)
        for _ in range(rng.choice((1, 2, 3, 4)))
    ]
    told_facts: dict[tuple[str, str], StatedFact] = {}
    tries = 0
    while len(told_facts) < count:
        tries += 1
        subject = rng.choice(subjects) if tries < 40 else name(rng, world)
        relation = rng.choice(some) if tries < 40 else rng.choice(world.relations)
        if (subject, relation.id) in told_facts:
            continue
        value = relation.value(rng)
        if subject in [p for p, _ in told_facts] and any(
            s.value == value for s in told_facts.values()
        ):
            continue
        text = write_sentence(rng.choice(relation.statements[:wordings]), subject, value)
        told_facts[subject, relation.id] = StatedFact(subject, relation, value, text)
    facts = list(told_facts.values())
    rng.shuffle(facts)
    return Passage(tuple(facts), split_chunks(rng, [fact.text for fact in facts]))


def split_chunks(rng: random.Random, sentences: list[str]) -> tuple[str, ...]:
    """One long chunk, or chunks of one to three sentences."""
    if rng.random() < 0.4:
        return (" ".join(sentences),)
    chunks: list[str] = []
    rest = list(sentences)
    while rest:
        take = rng.choice((1, 1, 2, 3))
        chunks.append(" ".join(rest[:take]))
        rest = rest[take:]
    return tuple(chunks)


def write_reading_doc(
    rng: random.Random,
    world: World,
    limits: tuple[int, int] = (1, 12),
    hard: float = 1.0,
    wordings: int = 99,
) -> Doc:
    """A passage and one to four questions, sometimes after demonstrations that had no passage.

    `limits` are the fewest and the most facts; `hard` from 0 to 1 lets in nouns, known people
    and questions without an answer.
    """
    least, most = limits
    count = max(least, min(most, rng.choice((1, 2, 3, 4, 4, 6, 8, 10, 12, 12))))
    known = rng.choice((0.0, 0.0, 0.3, 1.0)) * hard
    passage = make_passage(rng, world, count, known=known, nouns=0.4 * hard, wordings=wordings)
    instructions = rng.choice(READ)
    allow = rng.random() < 0.25 * hard
    if allow:
        instructions = allow_unknown(rng, instructions)
    chosen = rng.sample(passage.facts, min(len(passage.facts), rng.choice((1, 2, 3, 4))))
    pairs = [(fact.ask(rng), fact.value) for fact in chosen]
    if allow:
        for place in range(len(pairs)):
            if rng.random() < 0.5:
                pairs[place] = (write_unanswerable(rng, world, passage), DONT_KNOW)
    demos: list[DocumentTurn] = []
    if rng.random() < 0.15 * hard:
        for _ in range(rng.choice((1, 2, 4))):
            relation = rng.choice(world.relations)
            question = rng.choice(relation.questions).replace("{n}", draw_training_name(rng, world))
            demos += [make_user(question), make_answer(relation.value(rng), 0.0)]
    turns: list[DocumentTurn] = []
    for place, (question, target) in enumerate(pairs):
        turns += [make_user((passage.block if place == 0 else "") + question), make_answer(target)]
    return make_chat("reading", instructions, *demos, *turns)


def write_unanswerable(rng: random.Random, world: World, passage: Passage) -> str:
    """A question in the passage's own terms that it does not answer."""
    pairs = {(fact.name, fact.relation.id) for fact in passage.facts}
    for _ in range(20):
        fact, other = rng.choice(passage.facts), rng.choice(passage.facts)
        if (fact.name, other.relation.id) not in pairs:
            return rng.choice(other.relation.questions).replace("{n}", fact.name)
    fact = rng.choice(passage.facts)
    return rng.choice(fact.relation.questions).replace("{n}", draw_training_name(rng, world))
