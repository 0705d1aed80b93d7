"""Why a tuned arm ends below one that changes the prompt alone: what the study measured. Pure.

Nothing is guessed: each clause repeats figures of the run (dev by epoch, test by number of train
rows, mistakes by pattern, the same tuning with that prompt), and says what they leave open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from statistics import fmean

from whatworks.analysis.comparison import ALPHA, Comparison, Scores, compare
from whatworks.analysis.figures import ArmSummary, StudyInfo
from whatworks.analysis.mistakes import find_patterns
from whatworks.analysis.result_rows import ResultRow
from whatworks.base.phrasing import (
    format_count,
    format_interval,
    format_percent,
    format_points,
    join_names,
)
from whatworks.data.task import Example


def describe_shortfalls(
    arms: Sequence[ArmSummary],
    rows: Mapping[str, Sequence[ResultRow]],
    study: StudyInfo,
    examples: Sequence[Example],
) -> list[str]:
    """A sentence or more for each tuned arm that ends below the best one that trains nothing.

    Args:
        arms: The study's arms; those that only a measurement can be are left out.
        rows: Arm to its rows on test.
        study: The study.
        examples: The test examples; without them nothing is said of the kind of mistakes.
    """
    trials = [
        ShortfallCase(
            arm.name,
            arm.info.chain,
            [row for row in rows[arm.name] if row.status == "scored"],
            rows=arm.info.rows,
            trains=arm.info.training_seconds > 0,
            epochs=arm.info.curve,
        )
        for arm in arms
        if arm.score is not None and not arm.info.oracle
    ]
    by_id = {example.id: example for example in examples}
    by_rows = () if study.curve_tokens else study.curve
    return Shortfalls(trials, by_rows, study.metric, by_id, study.min_effect).lines()


@dataclass(frozen=True)
class ShortfallCase:
    """What is looked at of one arm.

    Attributes:
        name: The arm.
        chain: Its methods, e.g. ``knn+sft``.
        answers: Its scored rows on test, at least one.
        rows: Train rows that it was given.
        trains: Whether weights were changed.
        epochs: For each run, the dev score after each epoch.
    """

    name: str
    chain: str
    answers: Sequence[ResultRow]
    rows: int = 0
    trains: bool = False
    epochs: Sequence[Sequence[float]] = ()

    @cached_property
    def score(self) -> float:
        """Mean strict score on test."""
        return fmean(row.value for row in self.answers)

    def against(self, other: ShortfallCase) -> Comparison:
        """The paired comparison of the two on test."""
        groups = {row.example: row.group or row.example for row in self.answers}
        return compare(self._scores, other._scores, groups)

    @property
    def _scores(self) -> Scores:
        return {(row.seed, row.example): row.value for row in self.answers}


@dataclass(frozen=True)
class Shortfalls:
    """The tuned arms that are below an arm that trains nothing, and what was seen of why.

    They are held against the best of those on test: nothing is chosen here.

    Attributes:
        trials: Arms with test answers, without those that only a measurement can be.
        curve: Names of the arms of the learning curve.
        metric: Name of the metric.
        examples: The test examples by id; mistakes are grouped where they are given.
        min_effect: Smallest difference that matters.
    """

    trials: Sequence[ShortfallCase]
    curve: Sequence[str] = ()
    metric: str = ""
    examples: Mapping[str, Example] = field(default_factory=dict[str, Example])
    min_effect: float = 0.02

    def lines(self) -> list[str]:
        """A sentence or more for each tuned arm that is below; of a curve, for its last arm."""
        plain = [trial for trial in self.trials if not trial.trains]
        if not plain:
            return []
        best = max(plain, key=lambda trial: trial.score)
        fewer = self._points[:-1]
        tuned = [t for t in self.trials if t.trains and t not in fewer and t.score < best.score]
        return [self._line(trial, best) for trial in tuned]

    @cached_property
    def _points(self) -> list[ShortfallCase]:
        """The learning curve, the fewest rows first."""
        return sorted((t for t in self.trials if t.name in self.curve), key=lambda t: t.rows)

    def _line(self, tuned: ShortfallCase, best: ShortfallCase) -> str:
        gap = tuned.against(best)
        between = f"{format_points(gap.difference)} {format_interval(gap.low, gap.high)} points"
        head = (
            f"{tuned.name} ends below {best.name}, the best on test of those that train nothing: "
            f"{format_percent(tuned.score)} against {format_percent(best.score)}, {between}"
        )
        if gap.p >= ALPHA:
            return f"{head}, which the test does not tell from no difference."
        clauses = [
            self._by_epoch(tuned),
            self._by_rows(tuned),
            self._by_mistakes(tuned, best),
            self._together(tuned),
        ]
        return " ".join([f"{head}.", *(one for one in clauses if one)])

    def _by_epoch(self, tuned: ShortfallCase) -> str:
        """Whether dev was still rising when training ended."""
        runs = [run for run in tuned.epochs if run]
        scores = [fmean(v for v in one if v is not None) for one in zip_longest(*runs)]
        if len(scores) < 2:
            return ""
        shown = f"Dev by epoch: {', '.join(map(format_percent, scores))}"
        if scores[-1] - max(scores[:-1]) >= self.min_effect:
            return f"{shown}, still rising at the last one: more `epochs` may help."
        return f"{shown}, not rising at the last one."

    def _by_rows(self, tuned: ShortfallCase) -> str:
        """Whether more train rows still raised the score."""
        if tuned not in self._points or len(self._points) < 2:
            return ""
        shown = ", ".join(
            f"{format_percent(t.score)} with {format_count(t.rows)}" for t in self._points
        )
        step = tuned.against(self._points[-2])
        rising = step.p < ALPHA and step.difference >= self.min_effect
        ending = "still rising: more rows may help" if rising else "not seen to rise at the end"
        return f"Test by train rows: {shown}, {ending}."

    def _by_mistakes(self, tuned: ShortfallCase, best: ShortfallCase) -> str:
        """The kind of mistake that makes up most of the gap."""
        own, other = self._mistakes(tuned), self._mistakes(best)
        more = {name: share - other.get(name, 0.0) for name, share in own.items()}
        worst = max(more, key=lambda name: more[name], default="")
        if not worst or more[worst] < self.min_effect:
            return ""
        return (
            f"It differs most in “{worst}”: {format_percent(own[worst])} of its answers, "
            f"{format_percent(other.get(worst, 0.0))} of those of {best.name}."
        )

    def _mistakes(self, trial: ShortfallCase) -> dict[str, float]:
        """Patterns of mistakes as shares of all answers."""
        patterns = find_patterns(self.metric, trial.answers, self.examples)
        return {pattern.name: pattern.count / len(trial.answers) for pattern in patterns}

    def _together(self, tuned: ShortfallCase) -> str:
        """What the same tuning gives with the prompts of arms that train nothing."""
        prompts = {t.chain for t in self.trials if not t.trains}
        chains = {f"{prompt}+{tuned.chain}" for prompt in prompts}
        both = [t for t in self.trials if t.trains and t.chain in chains]
        if not both:
            return ""
        shown = join_names([f"{t.name} {format_percent(t.score)}" for t in both])
        steps = [t.against(tuned) for t in both]
        above = any(step.p < ALPHA and step.difference > 0 for step in steps)
        ending = f": what that prompt shows is what {tuned.name} lacks" if above else ""
        return f"The same tuning with more in the prompt: {shown}{ending}."
