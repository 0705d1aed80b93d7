"""Predictions of what further arms bring, and how good they were. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from whatworks.analysis.comparison import Estimate
from whatworks.base.phrasing import (
    format_count,
    format_duration,
    format_interval,
    format_money,
    format_points,
)


@dataclass(frozen=True)
class Prediction:
    """What a further arm is expected to bring and to cost, before it runs.

    Attributes:
        arm: The further arm.
        start: The arm that it changes.
        why: What was measured, and what the arm does about it.
        gain: Its dev score less that of ``start``, expected.
        seconds: What it is expected to take; None where nothing like it ran.
        usd: Money, where it is paid for.
    """

    arm: str
    start: str
    why: str
    gain: Estimate
    seconds: float | None
    usd: float = 0.0

    @property
    def in_words(self) -> str:
        """One line: ``rag: retrieval finds 61% ...; expected +12 [+5, +20] points; 3 min``."""
        gain = f"{format_points(self.gain.value)} {format_interval(self.gain.low, self.gain.high)}"
        taken = "time unknown" if self.seconds is None else format_duration(self.seconds)
        price = taken + (f", {format_money(self.usd)}" if self.usd else "")
        return f"{self.arm}: {self.why}; expected {gain} points on dev over {self.start}; {price}"


@dataclass(frozen=True)
class Outcome:
    """A prediction and what came.

    Attributes:
        prediction: The prediction.
        gain: What came on dev; None where one of the two arms has no score there.
        seconds: What it took; None where that is not known.
    """

    prediction: Prediction
    gain: float | None = None
    seconds: float | None = None

    @property
    def within(self) -> bool:
        """Whether what came lies in the interval."""
        expected = self.prediction.gain
        slack = 1e-9
        return self.gain is not None and (
            expected.low - slack <= self.gain <= expected.high + slack
        )

    @property
    def in_words(self) -> str:
        """``rag over zero-shot: +12 [+5, +20] points expected on dev, +9 came, within``."""
        told = self.prediction
        expected = told.gain
        interval = format_interval(expected.low, expected.high)
        came = "no score to compare"
        if self.gain is not None:
            inside = "within" if self.within else "outside the interval"
            came = f"{format_points(self.gain)} came, {inside}"
        return (
            f"{told.arm} over {told.start}: {format_points(expected.value)} {interval} points "
            f"expected on dev, {came}"
        )


def hold_against(
    predictions: Sequence[Prediction],
    scores: Mapping[str, float | None],
    times: Mapping[str, float],
) -> tuple[Outcome, ...]:
    """Each prediction with what came.

    Args:
        predictions: In the order in which they were made.
        scores: Arm to its score on dev.
        times: Arm to the seconds that it took.
    """
    outcomes: list[Outcome] = []
    for one in predictions:
        arm, start = scores.get(one.arm), scores.get(one.start)
        gain = arm - start if arm is not None and start is not None else None
        outcomes.append(Outcome(one, gain, times.get(one.arm)))
    return tuple(outcomes)


@dataclass(frozen=True)
class Goodness:
    """How good predictions were, of those arms that ran.

    Attributes:
        tested: How many ran.
        within: How many gains came out within their interval.
        error: Mean distance of what came from what was expected, as a share.
        bias: Mean of what came less what was expected.
    """

    tested: int
    within: int
    error: float
    bias: float


def measure_outcomes(outcomes: Sequence[Outcome]) -> Goodness | None:
    """How good the predictions were; None where none was put to the test."""
    known = [(one, one.gain) for one in outcomes if one.gain is not None]
    if not known:
        return None
    off = [gain - one.prediction.gain.value for one, gain in known]
    return Goodness(
        tested=len(known),
        within=sum(one.within for one, _ in known),
        error=fmean(map(abs, off)),
        bias=fmean(off),
    )


def describe_outcomes(outcomes: Sequence[Outcome]) -> str:
    """How good the predictions were, in a sentence; "" where none was put to the test."""
    good = measure_outcomes(outcomes)
    if good is None:
        return ""
    many = "s" if good.tested > 1 else ""
    return (
        f"Of {format_count(good.tested)} predicted gain{many} on dev, {good.within} came out "
        f"within the interval; what came was off by {100 * good.error:.1f} points on average "
        f"({format_points(good.bias)} in the mean)."
    )
