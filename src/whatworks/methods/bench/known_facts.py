"""How well a model knows each fact: the four SliCK classes.

Gekhman et al. 2024, "Does Fine-Tuning LLMs on New Knowledge Encourage Hallucinations?", section 3:
ten prompts with different examples of the same relation, answered greedily and by sampling.

=============== ==========================================================
HighlyKnown     the greedy answer is right after every prompt
MaybeKnown      the greedy answer is right after some of them
WeaklyKnown     no greedy answer is right, but a sampled one is
Unknown         no answer is ever right
=============== ==========================================================
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

from whatworks.base.errors import InputError
from whatworks.data.task import Example
from whatworks.methods.bench.examiner import Answer
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Demos

Known = Literal["HighlyKnown", "MaybeKnown", "WeaklyKnown", "Unknown"]
CLASSES: tuple[Known, ...] = get_args(Known)
COLUMN = "known"
"""Key of ``meta`` that holds a row's class."""
PROMPTS, SHOTS, SAMPLES, TEMPERATURE = 10, 4, 4, 0.5
_SPARE = 4
"""Demonstrations drawn beyond those shown, for rows of whose group some are."""

Ask = Callable[[Candidate, Sequence[Example]], Sequence[Answer]]
"""Asks and scores rows, in their order."""


def classify(
    ask: Ask,
    start: Candidate,
    facts: Sequence[Example],
    pool: Sequence[Example],
    *,
    prompts: int = PROMPTS,
    samples: int = SAMPLES,
) -> dict[str, Known]:
    """The class of each fact on the candidate's model, by example id.

    Args:
        ask: Asks and scores; its metric decides what is right.
        start: The model to ask; its demonstrations, if any, are replaced.
        facts: Questions with their answers. ``meta["relation"]`` names the relation that a fact
            shares with others; facts without one share one relation.
        pool: Where demonstrations come from: rows of the same relation, never of the same group.
        prompts: Prompts with different demonstrations.
        samples: Sampled answers for each prompt, at temperature 0.5.

    Raises:
        InputError: If a relation has no demonstrations of its own.
    """
    right = {fact.id: 0 for fact in facts}
    drawn = {fact.id: 0 for fact in facts}
    for relation, rows in _group_by_relation(facts).items():
        shown = _group_by_relation(pool).get(relation, [])
        if len({row.group or row.id for row in shown}) < 2:
            raise InputError(
                f"the relation {relation!r} has too few rows to show as examples",
                remedy="give training rows of the same relation, about other subjects",
            )
        candidates = [_build_candidate(start, shown, relation, number) for number in range(prompts)]
        for candidate in candidates:
            for answer in ask(candidate, rows):
                right[answer.example.id] += answer.score.kind == "correct"
        missed = [row for row in rows if not right[row.id]]
        for candidate in candidates if missed else ():
            for seed in range(samples):
                decoding = candidate.decoding.replace(temperature=TEMPERATURE, seed=seed)
                for answer in ask(candidate.replace(decoding=decoding), missed):
                    drawn[answer.example.id] += answer.score.kind == "correct"
    return {fact.id: _choose_class(right[fact.id], drawn[fact.id], prompts) for fact in facts}


def add_classes(rows: Sequence[Example], classes: Mapping[str, Known]) -> tuple[Example, ...]:
    """The rows with their class as a column of the data."""
    return tuple(
        row.replace(meta={**row.meta, COLUMN: classes[row.id]}) if row.id in classes else row
        for row in rows
    )


def measure_shares(classes: Mapping[str, Known]) -> dict[Known, float]:
    """Share of each class."""
    counts = Counter(classes.values())
    return {name: counts[name] / len(classes) for name in CLASSES}


def _choose_class(right: int, drawn: int, prompts: int) -> Known:
    if right == prompts:
        return "HighlyKnown"
    if right:
        return "MaybeKnown"
    return "WeaklyKnown" if drawn else "Unknown"


def _group_by_relation(rows: Sequence[Example]) -> dict[str, list[Example]]:
    groups: dict[str, list[Example]] = {}
    for row in rows:
        groups.setdefault(str(row.meta.get("relation", "")), []).append(row)
    return groups


def _build_candidate(
    start: Candidate, pool: Sequence[Example], relation: str, number: int
) -> Candidate:
    rng = random.Random(f"known {relation} {number}")
    chosen = rng.sample(list(pool), min(SHOTS + _SPARE, len(pool)))
    return start.with_prompt(demos=Demos(pool=tuple(chosen), k=SHOTS))
