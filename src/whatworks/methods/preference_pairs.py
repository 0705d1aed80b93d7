"""Preference pairs: which of them a method may see, and which say anything."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Pair
from whatworks.prompts.candidate import Candidate

LEAST = 10
"""Different inputs below which no reward model is tried."""
BINS = 5
REMEDY = "give the study pairs: `task: {preferences: pairs.jsonl}`"


def find_pairs(start: Candidate, preferences: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """The pairs that a trainer learns from: a data step's, else the study's.

    Raises:
        ArmFailure: If there are none; the remedy says whose they should have been.
    """
    pairs = start.pairs(preferences)
    if pairs:
        return pairs
    if start.lessons is not None and start.lessons.pairs is not None:
        raise ArmFailure(
            "the data step before made rows, but no pairs: nothing that the model drew is worse "
            "than what it should say",
            remedy="tune on the rows (`refusal+sft`), or draw more answers at a higher "
            "`temperature` (`refusal: {samples: 8}`)",
        )
    raise ArmFailure("there are no preference pairs", remedy=REMEDY)


def keep_differing(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs that have two sides which differ.

    Raises:
        ArmFailure: If there are none.
    """
    whole = [pair for pair in pairs if pair.chosen and pair.rejected]
    if not whole:
        raise ArmFailure(
            f"none of {len(pairs)} labelled answers has a partner for the same input",
            remedy="train on them as they are: `dpo: {loss: kto}`",
        )
    different = tuple(pair for pair in whole if pair.chosen.strip() != pair.rejected.strip())
    if not different:
        raise ArmFailure(
            f"in all {len(whole)} pairs the two answers are equal: nothing is preferred",
            remedy="give pairs whose answers differ",
        )
    return different


def split_pairs(pairs: Sequence[Pair], seed: int) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Pairs in two, four fifths and one; pairs about the same input or of one group stay together.

    Raises:
        ArmFailure: If there are too few inputs for both parts to say anything.
    """
    sources = sorted({_name_source(pair) for pair in pairs})
    if len(sources) < LEAST:
        raise ArmFailure(
            f"{len(sources)} different inputs are too few to learn a reward model from",
            remedy=f"give pairs about {LEAST} inputs or more, or use `dpo`",
        )
    random.Random(f"held out {seed}").shuffle(sources)
    aside = set(sources[: len(sources) // 5])
    return (
        tuple(pair for pair in pairs if _name_source(pair) not in aside),
        tuple(pair for pair in pairs if _name_source(pair) in aside),
    )


def measure_agreement(margins: Sequence[float]) -> dict[str, float]:
    """How well a reward model agrees with held-out pairs.

    Args:
        margins: Of each pair, the score of the better answer less that of the worse.

    Returns:
        ``accuracy``: share that it ranks right (a tie is half right); ``confidence``: its own
        mean probability of the side that it prefers, the logistic function of the margin (Bradley
        and Terry 1952); ``calibration_error``: mean distance between the two over ``BINS`` bins
        of confidence (Guo et al. 2017).
    """
    right = [1.0 if m > 0 else 0.5 if m == 0 else 0.0 for m in margins]
    sure = [1 / (1 + math.exp(-min(abs(m), 50.0))) for m in margins]
    bins: dict[int, list[int]] = {}
    for at, confidence in enumerate(sure):
        bins.setdefault(min(BINS - 1, int((2 * confidence - 1) * BINS)), []).append(at)
    gaps = [abs(sum(right[i] - sure[i] for i in members)) for members in bins.values()]
    count = len(margins)
    return {
        "accuracy": sum(right) / count,
        "confidence": sum(sure) / count,
        "calibration_error": sum(gaps) / count,
    }


def _name_source(pair: Pair) -> str:
    return pair.example.group or pair.example.text
