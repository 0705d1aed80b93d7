"""Some of an arm's answers, of as many groups as can be."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from whatworks.methods.bench.examiner import Answer


def draw_answers(answers: Sequence[Answer], n: int) -> list[Answer]:
    """So many answers, always the same: rows of one group count as one draw."""
    shuffled = random.Random("why").sample(list(answers), len(answers))
    turns: Counter[str] = Counter()
    order: list[tuple[int, Answer]] = []
    for answer in shuffled:
        group = answer.example.group or answer.example.id
        order.append((turns[group], answer))
        turns[group] += 1
    order.sort(key=lambda one: one[0])
    return [answer for _, answer in order[:n]]
