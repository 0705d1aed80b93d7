"""Facts: short answers, some of them under several names, some not to be had at all.

``meta["aliases"]``, a list of texts, holds other forms of the target. ``meta["answerable"]`` False
says that the question has no answer, so that to abstain is right. Empty answers are wrong: silence
does not say that there is no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly
from whatworks.data.task import Example
from whatworks.metrics.abstention import is_abstention
from whatworks.metrics.definition import NoOptions, metric
from whatworks.metrics.fact_counts import compute_figures, is_answerable
from whatworks.metrics.normalise import is_contained, normalise
from whatworks.metrics.plain_text import match
from whatworks.metrics.score import Score


def _compute_figures(
    examples: Sequence[Example], scores: Sequence[Score], options: NoOptions
) -> dict[str, float]:
    """The figures of ``fact_counts``, and the lenient accuracy.

    Where rows say in ``meta["aspect"]`` which way of asking they are (as the claims do),
    the accuracy of each way bears its name.
    """
    del options
    known = [_read_known(example)[1] for example in examples]
    figures = compute_figures(zip(scores, known, strict=True))
    ways: dict[str, list[float]] = {"lenient_accuracy": [score.forgiving for score in scores]}
    for example, score in zip(examples, scores, strict=True):
        if way := str(example.meta.get("aspect") or ""):
            ways.setdefault(way, []).append(score.value)
    return figures | {name: fmean(values) for name, values in ways.items() if values}


@metric(figures=_compute_figures, label=lambda text, _: normalise(text))
def facts(example: Example, text: str, options: NoOptions) -> Score:
    """The target or one of its aliases, up to case, punctuation, articles and spaces.

    Lenient: one of them within the answer, in one piece. Part: ``abstained``. An abstention is
    worth 0 both ways where there is an answer, and 1 where there is none; the name of a work that
    sounds like an abstention ("Unknown") is right where it is wanted.

    Args:
        example: Its target is a short answer; that of an unanswerable question may be blank.
        text: The answer.
        options: None.

    Raises:
        InputError: If there is nothing to compare with, or ``meta`` is not as the module says.
    """
    del options
    known, has_answer = _read_known(example)
    abstained = is_abstention(text)
    parts = {"abstained": float(abstained)}
    if normalise(text) in map(normalise, known):
        return Score(1.0, "correct", parts=parts, label=normalise(text))
    if not has_answer:
        if abstained:
            return Score(1.0, "correct", parts=parts)
        feedback = f"said {quote_briefly(text)}, but there is no answer: say that you do not know"
        return Score(0.0, "wrong", feedback, parts=parts, label=normalise(text))
    if abstained:
        return Score(0.0, "abstained", f"abstained, wanted {quote_briefly(known[0])}", parts=parts)
    within = any(is_contained(one, text) for one in known)
    return replace(match(False, within, text, known[0]), parts=parts)


def _read_known(example: Example) -> tuple[Sequence[str], bool]:
    """The answers that are right, the target first, and whether the question has any."""
    place = f"example {example.id!r}"
    aliases: Any = example.meta.get("aliases") or []
    has_answer: Any = example.meta.get("answerable")
    if not isinstance(aliases, list | tuple):
        raise InputError(
            "`aliases` is not a list of texts", place=place, remedy='write ["one", "two"]'
        )
    if not isinstance(has_answer, bool | None):
        raise InputError(
            f"`answerable` is {has_answer!r}, not true or false",
            place=place,
            remedy="write one of the two, or leave it out",
        )
    # What would be right if the question had an answer is not right when it has none.
    others: list[Any] = list(aliases) if is_answerable(example) else []
    if not all(isinstance(one, str) for one in others):
        raise InputError(
            "`aliases` is not a list of texts", place=place, remedy='write ["one", "two"]'
        )
    known = [one for one in (example.target, *others) if one.strip()]
    if not known and is_answerable(example):
        raise InputError(
            "there is no target and no alias",
            place=place,
            remedy="give an answer, or `answerable: false` if the question has none",
        )
    return known, is_answerable(example)
