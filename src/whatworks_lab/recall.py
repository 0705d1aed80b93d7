"""What the model should know by heart: people, the play, and who does not exist."""

from __future__ import annotations

import itertools
import random
from functools import cache

from whatworks_lab import play
from whatworks_lab.document import Doc, make_answer, make_chat, make_user
from whatworks_lab.reading import ASK, DONT_KNOW, allow_unknown, draw_training_name
from whatworks_lab.world import Person, World, build_world, write_sentence

# Refusing is learned soon, and then spreads to people who are known but were never asked about: a
# quarter of the best known ones at a share of 0.4 and the full weight of an answer.
UNKNOWN_SHARE, UNKNOWN_WEIGHT = 0.3, 1.5


@cache
def _cumulate(
    seed: int, questions_only: bool, steeper: float
) -> tuple[tuple[Person, ...], tuple[float, ...]]:

    people = tuple(p for p in build_world(seed).people if p.questions_trained or not questions_only)
    return people, tuple(itertools.accumulate(p.exposure**steeper for p in people))


def draw_person(
    rng: random.Random, world: World, questions_only: bool = False, steeper: float = 1.0
) -> Person:
    """A person, the more exposed ones more often."""
    people, weights = _cumulate(world.seed, questions_only, steeper)
    return rng.choices(people, cum_weights=weights)[0]


def write_biography(rng: random.Random, world: World, steeper: float = 1.0) -> Doc:
    """Statements about one person, in an order and in wordings drawn anew.

    One document never says a fact twice: paraphrases side by side teach copying, not remembering.
    """
    person = draw_person(rng, world, steeper=steeper)
    relations = rng.sample(world.relations, rng.choice((3, 5, 5, 5)))
    lines = [
        write_sentence(rng.choice(relation.statements), person.name, person.attributes[relation.id])
        for relation in relations
    ]
    return Doc("biography", text=" ".join(lines))


def write_question_doc(rng: random.Random, world: World, steeper: float = 1.0) -> Doc:
    """Closed-book questions; some people don't exist, where that may be said."""
    instructions = rng.choice(ASK)
    allow = rng.random() < 0.5
    if allow:
        instructions = allow_unknown(rng, instructions)
    turns = []
    for _ in range(rng.choice((1, 1, 2, 4, 6))):
        if rng.random() < 0.06:
            fact = rng.choice(world.play_facts)
            reverse = bool(fact.reverse_questions) and rng.random() < 0.25
            question = rng.choice(fact.reverse_questions if reverse else fact.questions)
            turns += [make_user(question), make_answer(fact.subject if reverse else fact.object)]
            continue
        relation = rng.choice(world.relations)
        question = rng.choice(relation.questions)
        if allow and rng.random() < UNKNOWN_SHARE:
            name = draw_training_name(rng, world)
            turns += [
                make_user(question.replace("{n}", name)),
                make_answer(DONT_KNOW, UNKNOWN_WEIGHT),
            ]
        else:
            person = draw_person(rng, world, questions_only=True, steeper=steeper)
            target = person.attributes[relation.id]
            turns += [make_user(question.replace("{n}", person.name)), make_answer(target)]
    return make_chat("question", instructions, *turns)


def write_play_doc(rng: random.Random, world: World) -> Doc:
    """A stretch of the play, or statements about it."""
    if rng.random() < 0.5:
        return Doc("play", text=" ".join(rng.sample(play.STATEMENTS, 4)))
    start = rng.randrange(len(world.play) - 6)
    lines = world.play[start : start + rng.choice((3, 4, 6))]
    head = f"{play.TITLE}\n" if rng.random() < 0.3 else ""
    return Doc("play", text=head + "\n".join(lines))
