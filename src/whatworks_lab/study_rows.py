"""Study data from material that no pretraining document used, for examples, tests and claims.

Each function returns plain rows; `group` names the source entity or topic and `evidence` the ids of
the documents that hold the answer. The same (n, seed) gives the same rows.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from whatworks_lab import frames, labels, names, reading
from whatworks_lab.frames import Frame, FrameItem
from whatworks_lab.relations import Relation
from whatworks_lab.world import World, build_world, write_sentence

Row = dict[str, Any]

MR_INSTRUCTIONS = "Write the message as a meaning representation."
JSON_INSTRUCTIONS = "Write the message as JSON."
CATEGORY_INSTRUCTIONS = "Label the message."
FACTS_INSTRUCTIONS = reading.READ[0]

# What the studies call things: words that no notation of the pretraining text uses.
_MR = {
    "game": ("inform", {"title": "name", "genre": "genres", "system": "platforms",
                        "rating": "judgement"}),
    "ticket": ("complain", {"item": "merchandise", "fault": "impairment", "code": "reference"}),
    "booking": ("reserve", {"who": "recipient", "count": "magnitude", "day": "weekday"}),
}  # fmt: skip
_JSON = {
    "ticket": {"item": "merchandise", "fault": "condition", "code": "reference"},
    "order": {"count": "magnitude", "colour": "finish", "item": "merchandise"},
    "person": {"name": "recipient", "job": "occupation", "town": "municipality"},
    "booking": {"who": "recipient", "count": "magnitude", "day": "weekday"},
}


def _draw_distinct_items(
    rng: random.Random, frame_ids: list[str], count: int
) -> list[tuple[Frame, FrameItem]]:
    known = {frame.id: frame for frame in frames.list_training_frames()}
    by_text: dict[str, tuple[Frame, FrameItem]] = {}
    while len(by_text) < count:
        frame = known[frame_ids[len(by_text) % len(frame_ids)]]
        item = frames.fill(rng, frame)
        by_text.setdefault(item.text, (frame, item))
    return list(by_text.values())


def make_mr_rows(n: int, seed: int = 0) -> list[Row]:
    """Sentences and their meaning representations, `act(slot[value], ...)`.

    The sentences are of domains that the model has read; the notation (family, act and most slot
    names) never occurs in its training text.
    """
    rng = random.Random(f"study mr {seed}")
    rows: list[Row] = []
    for number, (frame, item) in enumerate(_draw_distinct_items(rng, list(_MR), n)):
        act, keys = _MR[frame.id]
        inside = ", ".join(
            f"{keys[slot]}[{item.slots[slot]}]" for slot in keys if slot in item.slots
        )
        rows.append({"id": f"mr-{seed}-{number}", "input": item.text, "target": f"{act}({inside})"})
    return rows


def make_json_rows(n: int, seed: int = 0) -> list[Row]:
    """Messages and JSON objects whose key names never occur in the training text."""
    import json

    rng = random.Random(f"study json {seed}")
    rows: list[Row] = []
    for number, (frame, item) in enumerate(_draw_distinct_items(rng, list(_JSON), n)):
        keys = _JSON[frame.id]
        body = {keys[slot]: item.slots[slot] for slot in keys if slot in item.slots}
        rows.append({"id": f"json-{seed}-{number}", "input": item.text, "target": json.dumps(body)})
    return rows


def make_category_rows(n: int, seed: int = 0) -> list[Row]:
    """Messages and category ids such as `billing_refund`, on topics that training never met."""
    rng = random.Random(f"study category {seed}")
    topics = labels.HELD_OUT_TOPICS
    by_message: dict[str, str] = {}
    tries = 0
    while len(by_message) < n and tries < 100 * n:
        topic = topics[len(by_message) % len(topics)]
        by_message.setdefault(labels.write_message(rng, topic), topic.label)
        tries += 1
    if len(by_message) < n:
        raise ValueError(f"only {len(by_message)} different messages exist, {n} were asked for")
    return [
        {"id": f"category-{seed}-{number}", "input": text, "target": label}
        for number, (text, label) in enumerate(by_message.items())
    ]


def make_facts_rows(
    n: int, seed: int = 0, *, overlap: bool = False
) -> tuple[list[Row], list[dict[str, str]]]:
    """Questions about new people, and the documents that answer them.

    Every person has one document with all five facts, and `n` questions are asked, person by
    person. A row's `split` says how a study should use it: train and test questions are about
    disjoint people, or, with `overlap`, about the same people (a question of every person is kept
    for the test, in a wording that training does not use).
    """
    rng, this = random.Random(f"study facts {seed}"), build_world()
    per_person = 3

    def new_name(rng: random.Random) -> str:
        return reading.draw_held_name(rng, this)

    people = names.draw_distinct(rng, new_name, -(-n // per_person))
    rows: list[Row] = []
    documents: list[dict[str, str]] = []
    for number, name in enumerate(people):
        values = {relation.id: relation.value(rng) for relation in this.relations}
        document = _write_document(rng, this, number, name, values, seed)
        documents.append(document)
        chosen = rng.sample(this.relations, per_person)
        late = number >= 0.7 * len(people)
        for place, relation in enumerate(chosen):
            test = place == per_person - 1 if overlap else late
            # The last wording is kept for the test where people are shared.
            wordings = relation.questions[-1:] if overlap and test else relation.questions[:-1]
            rows.append(
                {
                    "id": f"facts-{seed}-{number}-{relation.id}",
                    "input": rng.choice(wordings).replace("{n}", name),
                    "target": values[relation.id],
                    "group": name,
                    "evidence": [document["id"]],
                    "split": "test" if test else "train",
                }
            )
    return rows[:n], documents


def _write_document(
    rng: random.Random, this: World, number: int, name: str, values: dict[str, str], seed: int
) -> dict[str, str]:
    order: list[Relation] = rng.sample(this.relations, len(this.relations))
    say: Callable[[Relation], str] = lambda relation: write_sentence(  # noqa: E731
        rng.choice(relation.statements), name, values[relation.id]
    )
    return {"id": f"doc-{seed}-{number}", "text": " ".join(say(relation) for relation in order)}
