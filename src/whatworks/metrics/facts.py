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
from whatworks.metrics.confidence import measure_calibration, split_confidence
from whatworks.metrics.definition import Options, metric
from whatworks.metrics.fact_counts import compute_figures, is_answerable
from whatworks.metrics.normalise import normalise
from whatworks.metrics.plain_text import match
from whatworks.metrics.score import Score
from whatworks.metrics.stated import is_stated


class FactsOptions(Options):
    """Options of ``facts``.

    Attributes:
        confidence: Whether an answer states how sure it is, "Paris (80%)": that is taken off it and
            measured. One that states none is malformed, unless it abstains.
    """

    confidence: bool = False


def _compute_figures(
    examples: Sequence[Example], scores: Sequence[Score], options: FactsOptions
) -> dict[str, float]:
    """The figures of ``fact_counts``, the lenient accuracy and how calibrated confidence is.

    Where rows say in ``meta["aspect"]`` which way of asking they are (as the claims do),
    the accuracy of each way bears its name.
    """
    del options
    known = [_read_known(example)[1] for example in examples]
    stated = [
        (score.parts["confidence"], score.counted)
        for score in scores
        if "confidence" in score.parts
    ]
    figures = compute_figures(zip(scores, known, strict=True))
    ways: dict[str, list[float]] = {"lenient_accuracy": [score.forgiving for score in scores]}
    for example, score in zip(examples, scores, strict=True):
        if way := str(example.meta.get("aspect") or ""):
            ways.setdefault(way, []).append(score.value)
    means = {name: fmean(values) for name, values in ways.items() if values}
    return figures | means | measure_calibration(stated)


def _read_label(text: str, options: FactsOptions) -> str:
    return normalise(split_confidence(text)[0] if options.confidence else text)


@metric(FactsOptions, figures=_compute_figures, label=_read_label)
def facts(example: Example, text: str, options: FactsOptions) -> Score:
    """The target or one of its aliases, up to case, punctuation, articles and spaces.

    Lenient: the answer says that it is one of them (``stated``). Part: ``abstained``. An abstention
    is worth 0 both ways where there is an answer, and 1 where there is none; the name of a work
    that sounds like an abstention ("Unknown") is right where it is wanted. With ``confidence``, a
    part of that name holds what the answer states, in [0, 1].

    Args:
        example: Its target is a short answer; that of an unanswerable question may be blank.
        text: The answer.
        options: Whether confidence is read.

    Raises:
        InputError: If there is nothing to compare with, or ``meta`` is not as the module says.
    """
    if not options.confidence:
        return _score_plain(example, text)
    answer, confidence = split_confidence(text)
    target = split_confidence(example.target)[0]
    score = _score_plain(example.replace(target=target), answer)
    if confidence is not None:
        return replace(score, parts={**score.parts, "confidence": confidence})
    if score.parts["abstained"]:
        return score
    said = " ".join(filter(None, (score.feedback, "states no confidence, as in (80%)")))
    return replace(score, value=0.0, kind="malformed", feedback=said, lenient=score.forgiving)


def _score_plain(example: Example, text: str) -> Score:
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
    within = any(is_stated(one, text, known) for one in known)
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
