"""How well a model knows each fact: the four SliCK classes, from ten few-shot prompts."""

from __future__ import annotations

import random
from typing import Any

from whatworks_lab import generate, items
from whatworks_lab.generate import Message
from whatworks_lab.world import Fact, build_world

CLASSES = ("HighlyKnown", "MaybeKnown", "WeaklyKnown", "Unknown")


def measure_shares(
    model: Any, tokenizer: Any, count: int = 100, *, prompts: int = 10, samples: int = 4
) -> dict[str, float]:
    """Share of each class among `count` facts drawn evenly from the world."""
    rng = random.Random("slick")
    facts = rng.sample([fact for fact in build_world().facts if "play" not in fact.id], count)
    labels = classify_facts(model, tokenizer, facts, prompts=prompts, samples=samples)
    return {name: labels.count(name) / count for name in CLASSES}


def classify_facts(
    model: Any,
    tokenizer: Any,
    facts: list[Fact],
    *,
    prompts: int = 10,
    samples: int = 4,
    temperature: float = 0.5,
) -> list[str]:
    """The class of each fact.

    HighlyKnown: the greedy answer is right after each of the prompts; MaybeKnown: after some;
    WeaklyKnown: only a sampled answer is ever right; Unknown: none is.
    """
    import torch

    questions = [text for fact in facts for text in _make_prompts(fact, prompts)]
    greedy = generate.generate_answers(model, tokenizer, questions, longest=12)
    labels: list[str] = []
    unsure: list[int] = []
    for number, fact in enumerate(facts):
        right = sum(a == fact.object for a in greedy[number * prompts : (number + 1) * prompts])
        labels.append(CLASSES[0] if right == prompts else CLASSES[1] if right else CLASSES[3])
        if not right:
            unsure.append(number)
    again = [text for number in unsure for text in _make_prompts(facts[number], prompts)]
    torch.manual_seed(0)
    sampled = generate.generate_answers(
        model, tokenizer, again, longest=12, temperature=temperature, samples=samples
    )
    width = prompts * samples
    for place, number in enumerate(unsure):
        if facts[number].object in sampled[place * width : (place + 1) * width]:
            labels[number] = CLASSES[2]
    return labels


def _make_prompts(fact: Fact, count: int) -> list[tuple[Message, ...]]:
    """Prompts with four demonstrations of the same relation about well-exposed people."""
    rng, this = random.Random(f"slick {fact.id}"), build_world()
    relation = next(r for r in this.relations if r.id == fact.relation)
    shown = [p for p in this.people[:200] if p.name != fact.subject]
    requests: list[tuple[Message, ...]] = []
    for _ in range(count):
        demos = [
            (rng.choice(relation.questions).replace("{n}", p.name), p.attributes[relation.id])
            for p in rng.sample(shown, 4)
        ]
        requests.append(items.make_prompt(items.ANSWER, demos, rng.choice(fact.questions)))
    return requests
