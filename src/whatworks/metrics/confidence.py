"""Confidence that an answer states about itself, and how well it is calibrated. Pure.

Read at the end of an answer: "Paris (80%)", "Paris, 80% sure", "Paris. Confidence: 0.8". A bare
percentage is an answer and no confidence: it stands in brackets, or beside a word that says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean

BINS = 10
"""Of confidence, for the calibration error (Guo et al. 2017, "On Calibration", section 2)."""

_WORD = r"(?:my\s+)?confidence(?:\s+(?:level|score))?"
_CONFIDENCE = re.compile(
    r"[\s,;.:–—-]*(?:"
    r"[(\[]\s*(?P<bracketed>\d{1,3}(?:\.\d{1,6})?)\s*%[^()\[\]]{0,20}[)\]]"
    r"|(?P<said>\d{1,3}(?:\.\d{1,6})?)\s*%\s*(?:confident|sure|certain|confidence)"
    rf"|[(\[]?\s*{_WORD}\s*(?:is|of|[:=])?\s*(?P<named>\d{{1,3}}(?:\.\d{{1,6}})?)\s*(?P<percent>%)?"
    r"\s*[)\]]?"
    r")\s*\.?\s*$",
    re.IGNORECASE,
)


def split_confidence(text: str) -> tuple[str, float | None]:
    """An answer without the confidence at its end, and that confidence in [0, 1].

    None, and the text as it is, where none is stated or it is no probability (over 100%).
    """
    tail = text.rstrip()[-80:]  # short: the search tries every place of it
    found = _CONFIDENCE.search(tail)
    if found is None:
        return text, None
    number = float(found["bracketed"] or found["said"] or found["named"])
    if found["named"] is None or found["percent"] or number > 1:
        number /= 100
    if number > 1:
        return text, None
    return text.rstrip()[: -len(tail)] + tail[: found.start()], number


def measure_calibration(stated: Sequence[tuple[float, float]]) -> dict[str, float]:
    """``brier``, ``calibration_error`` and ``mean_confidence`` of answers that state one; {} if
    none does.

    Args:
        stated: Confidence in [0, 1] and whether the answer is right, 0 or 1, of each answer.

    The Brier score is the mean of ``(confidence - right) ** 2`` (Brier 1950). The calibration error
    is the mean distance of share right and mean confidence over ten bins of confidence, weighted
    by their answers.
    """
    if not stated:
        return {}
    bins: dict[int, list[tuple[float, float]]] = {}
    for q, right in stated:
        bins.setdefault(min(BINS - 1, int(q * BINS)), []).append((q, right))
    error = sum(abs(sum(q - right for q, right in one)) for one in bins.values()) / len(stated)
    return {
        "brier": fmean((q - right) ** 2 for q, right in stated),
        "calibration_error": error,
        "mean_confidence": fmean(q for q, _ in stated),
    }
