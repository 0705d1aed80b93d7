"""What several metrics share: overlap of multisets, targets that can be read, means of parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from statistics import fmean
from typing import Any, NamedTuple, TypeVar

from whatworks.data.task import Example
from whatworks.metrics.score import Score

T = TypeVar("T")


class Overlap(NamedTuple):
    """Precision, recall and F1 of one multiset against another."""

    precision: float
    recall: float
    f1: float


def measure_overlap(answer: Counter[Any], wanted: Counter[Any]) -> Overlap:
    """Multiset overlap; two empty multisets agree fully.

    Precision is the share of what was said that was wanted, recall the share of what was wanted
    that was said, F1 = 2 * common / (said + wanted).
    """
    common, n_said, n_wanted = (answer & wanted).total(), answer.total(), wanted.total()
    if not n_said and not n_wanted:
        return Overlap(1.0, 1.0, 1.0)
    return Overlap(
        common / n_said if n_said else 0.0,
        common / n_wanted if n_wanted else 0.0,
        2 * common / (n_said + n_wanted),
    )


def read_targets(examples: Sequence[Example], parse: Callable[[str], T]) -> list[T]:
    """The targets that ``parse`` reads without a ``ValueError``; `whatworks check` tells others."""
    targets: list[T] = []
    for example in examples:
        with suppress(ValueError):
            targets.append(parse(example.target))
    return targets


def average_parts(
    examples: Sequence[Example], scores: Sequence[Score], options: object = None
) -> dict[str, float]:
    """Mean of every part over the scores that have it: figures that any metric may declare."""
    del examples, options
    names = dict.fromkeys(name for score in scores for name in score.parts)
    return {name: fmean(s.parts[name] for s in scores if name in s.parts) for name in names}
