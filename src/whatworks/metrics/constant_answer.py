"""The best constant answer: what a model that reads nothing would reach.

It is chosen where decisions are made, on train and dev, and then scored on test like any answer.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from whatworks.base.errors import InputError
from whatworks.data.task import Example
from whatworks.metrics.score import Metric
from whatworks.prompts.prompt import UNKNOWN

TRIED, ROWS = 8, 400
"""Most answers that are tried, and most rows on which they are."""


def find_best_constant(metric: Metric, rows: Sequence[Example]) -> str | None:
    """The answer that scores best if it is given to every row; the most frequent among equals.

    The most frequent targets are tried and, where rows have no answer, saying so. None where the
    metric asks a model, which would cost, and where no answer is ever worth anything.

    Args:
        metric: Scores; what counts decides.
        rows: Those of train and dev.
    """
    if metric.asks or not rows:
        return None
    targets = Counter(row.target.strip() for row in rows if row.target.strip())
    answers = [target for target, _ in targets.most_common(TRIED)]
    if any(row.meta.get("answerable") is False for row in rows):
        answers.append(UNKNOWN)
    sample = rows if len(rows) <= ROWS else random.Random("constant").sample(list(rows), ROWS)
    scores = {answer: _average_score(metric, sample, answer) for answer in answers}
    best = max(scores, key=lambda answer: scores[answer], default="")
    return best if scores.get(best) else None


def _average_score(metric: Metric, rows: Sequence[Example], answer: str) -> float:
    values: list[float] = []
    for row in rows:
        try:
            values.append(metric(row, answer).counted)
        except InputError:  # a row of train without a usable target
            continue
    return fmean(values) if values else 0.0
