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
from whatworks.base.phrasing import brief
from whatworks.data.task import Example
from whatworks.metrics.abstention import abstains
from whatworks.metrics.definition import NoOptions, metric
from whatworks.metrics.normalise import contained, normalise
from whatworks.metrics.plain_text import match
from whatworks.metrics.score import Score


def _figures(
    examples: Sequence[Example], scores: Sequence[Score], options: NoOptions
) -> dict[str, float]:
    """Accuracy, abstentions, and what becomes of answerable and of unanswerable questions.

    ``attempted_accuracy`` is the share of right answers among the answerable questions that were
    not abstained from, ``f_score`` its harmonic mean with the share of right answers among all of
    them (Wei et al. 2024, SimpleQA, section 4); ``made_up_rate`` the share of unanswerable
    questions that got an answer. Each is left out where it has no questions.

    Where rows say in ``meta["aspect"]`` which way of asking they are (as the claims do),
    the accuracy of each way bears its name.

    ``score_at_50``, ``_75`` and ``_90`` are mean points: 1 for a right answer, 0 for an abstention,
    -t / (1 - t) for a wrong answer, t = .5, .75, .9 (Kalai et al. 2025, "Why Language Models
    Hallucinate", section 4.2). They can be negative.
    """
    del options
    pairs = list(zip((_known(example)[1] for example in examples), scores, strict=True))
    figures: dict[str, list[float]] = {
        "accuracy": [s.value for s in scores],
        "lenient_accuracy": [s.forgiving for s in scores],
        "abstention_rate": [s.parts["abstained"] for s in scores],
        "attempted_accuracy": [s.value for known, s in pairs if known and s.kind != "abstained"],
        "made_up_rate": [1 - s.value for known, s in pairs if not known],
    }
    for example, score in zip(examples, scores, strict=True):
        if way := str(example.meta.get("aspect") or ""):
            figures.setdefault(way, []).append(score.value)
    summed = {name: fmean(values) for name, values in figures.items() if values}
    asked = [s for known, s in pairs if known]
    if asked:
        # 2ac / (a + c) with a = right / attempted and c = right / asked
        tried = sum(s.kind != "abstained" for s in asked)
        summed["f_score"] = 2 * sum(s.value for s in asked) / (tried + len(asked))
    for t in (0.5, 0.75, 0.9):
        points = (_points(known, score, t / (1 - t)) for known, score in pairs)
        summed[f"score_at_{t * 100:.0f}"] = fmean(points)
    return summed


@metric(figures=_figures, label=lambda text, _: normalise(text))
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
    known, answerable = _known(example)
    abstained = abstains(text)
    parts = {"abstained": float(abstained)}
    if normalise(text) in map(normalise, known):
        return Score(1.0, "correct", parts=parts, label=normalise(text))
    if not answerable:
        if abstained:
            return Score(1.0, "correct", parts=parts)
        feedback = f"said {brief(text)}, but there is no answer: say that you do not know"
        return Score(0.0, "wrong", feedback, parts=parts, label=normalise(text))
    if abstained:
        return Score(0.0, "abstained", f"abstained, wanted {brief(known[0])}", parts=parts)
    within = any(contained(one, text) for one in known)
    return replace(match(False, within, text, known[0]), parts=parts)


def _points(answerable: bool, score: Score, penalty: float) -> float:
    """What an answer earns where a wrong one costs ``penalty``."""
    if score.kind == "wrong":
        return -penalty
    return float(score.kind == "correct" and answerable)


def _known(example: Example) -> tuple[Sequence[str], bool]:
    """The answers that are right, the target first, and whether the question has any."""
    place = f"example {example.id!r}"
    aliases: Any = example.meta.get("aliases") or []
    answerable: Any = example.meta.get("answerable")
    if not isinstance(aliases, list | tuple):
        raise InputError(
            "`aliases` is not a list of texts", place=place, remedy='write ["one", "two"]'
        )
    if not isinstance(answerable, bool | None):
        raise InputError(
            f"`answerable` is {answerable!r}, not true or false",
            place=place,
            remedy="write one of the two, or leave it out",
        )
    # What would be right if the question had an answer is not right when it has none.
    others: list[Any] = [] if answerable is False else list(aliases)
    if not all(isinstance(one, str) for one in others):
        raise InputError(
            "`aliases` is not a list of texts", place=place, remedy='write ["one", "two"]'
        )
    known = [one for one in (example.target, *others) if one.strip()]
    if not known and answerable is not False:
        raise InputError(
            "there is no target and no alias",
            place=place,
            remedy="give an answer, or `answerable: false` if the question has none",
        )
    return known, answerable is not False
