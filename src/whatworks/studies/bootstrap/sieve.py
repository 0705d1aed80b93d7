"""Which written questions are left out, and why. Pure.

What can be told from the texts alone is told first, so that no request is spent on it; then what
the two answers of a model tell, with the passage and without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from whatworks.data.duplicates import find
from whatworks.data.task import Example, MetricSpec
from whatworks.methods.rewording import find_ambiguous
from whatworks.metrics.normalise import normalise
from whatworks.metrics.registry import load

LEANING = "speaks of the text, which nobody sees who is asked"
TOLD = "holds its own answer"
GUESSED = "is answered by yes or no, so that a guess is often right"
AMBIGUOUS = "has several answers"
REPEATED = "asks what another one asks"
UNANSWERED = "is not answered so with the passage"
KNOWN = "is answered without the passage"
REASONS = (LEANING, TOLD, GUESSED, AMBIGUOUS, REPEATED, UNANSWERED, KNOWN)
"""In the order in which they are looked for; the first that holds counts."""

_LEANING = re.compile(
    r"\b(?:the|this|that) (?:(?:given|above|following|provided) )?"
    r"(?:text|passage|paragraph|excerpt|document|article|section)\b"
    r"|\b(?:according to|mentioned in|described in) (?:it|the above)\b",
    re.IGNORECASE,
)
_GUESSED = frozenset({"yes", "no", "true", "false"})


def sift_texts(rows: Sequence[Example]) -> tuple[list[Example], dict[str, str]]:
    """The rows whose question and answer will do as they stand, and why not the others.

    Of questions that are nearly the same (``data.duplicates``) the first stays.

    Args:
        rows: Questions with their answers as targets.

    Returns:
        The rows that stay, in order, and the reason by id of those that do not.
    """
    reasons: dict[str, str] = {}
    for row in rows:
        question, answer = normalise(row.text), normalise(row.target)
        if _LEANING.search(row.text):
            reasons[row.id] = LEANING
        elif not answer or f" {answer} " in f" {question} ":
            reasons[row.id] = TOLD
        elif answer in _GUESSED:
            reasons[row.id] = GUESSED
    left = [row for row in rows if row.id not in reasons]
    unclear = find_ambiguous((normalise(row.text), normalise(row.target)) for row in left)
    reasons |= {row.id: AMBIGUOUS for row in left if normalise(row.text) in unclear}
    left = [row for row in left if row.id not in reasons]
    if left:
        groups = find(lambda: left)
        copies = [at for group in (*groups.exact, *groups.near) for at in group[1:]]
        reasons |= {left[at].id: REPEATED for at in copies}
    return [row for row in left if row.id not in reasons], reasons


def find_right(rows: Sequence[Example], answers: Sequence[str]) -> set[str]:
    """Ids of the rows whose answer, at the same place, says the target: ``facts``, leniently."""
    metric = load(MetricSpec(name="facts", score="lenient"))
    pairs = zip(rows, answers, strict=True)
    return {row.id for row, text in pairs if metric(row, text).counted >= 1.0}
