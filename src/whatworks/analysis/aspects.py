"""Content and form of every arm, each with its own comparison and verdict. Pure.

An arm's main verdict is about the score that counts. Its two aspects say what that is made of: is
the right thing in the answer (content), and is an answer with the right content usable as it
stands (form). Each is corrected for the number of arms on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean

from whatworks.analysis.comparison import (
    ALPHA,
    Comparison,
    Estimate,
    compare,
    compare_all,
    estimate_mean,
)
from whatworks.analysis.correction import adjust_holm
from whatworks.analysis.form import Marks, compare_forms, measure_usable
from whatworks.analysis.further_rows import NOTHING_MORE, estimate_needs_to_settle
from whatworks.analysis.looks import spend
from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.score_table import Scores
from whatworks.analysis.verdict import MIN_EFFECT, Label, Verdict, judge, show_decided
from whatworks.base.phrasing import format_count, format_interval, format_percent, format_points
from whatworks.data.task import Counted

USABLE = 0.9
"""Share of usable answers below which the form of an arm is said to fail."""


@dataclass(frozen=True)
class Aspect:
    """Content or form of one arm's answers.

    Attributes:
        share: Share of the answers (content), or of those with the right content (form).
        hits: How many those are; not whole where scores are not.
        total: Of how many.
        difference: To the baseline; None for the baseline itself, and where there is nothing to
            compare.
        verdict: What the difference says; None where there is none.
    """

    share: Estimate
    hits: float
    total: float
    difference: Comparison | None = None
    verdict: Verdict | None = None

    @property
    def counted(self) -> str:
        """``0 of 15``."""
        return f"{format_count(self.hits)} of {format_count(self.total)}"

    @property
    def gain(self) -> str:
        """The difference with its interval: ``+27.0 [+16, +38]``; "" where there is none."""
        comparison = self.difference
        return (
            f"{format_points(comparison.difference)} "
            f"{format_interval(comparison.low, comparison.high)}"
            if comparison
            else ""
        )

    @property
    def mended(self) -> bool:
        """Whether it is better than the baseline's."""
        return self.verdict is not None and self.verdict.label == "works"

    @property
    def harmed(self) -> bool:
        """Whether it is worse than the baseline's."""
        worse = self.difference is not None and self.difference.high < 0
        return worse and self.verdict is not None and self.verdict.label == "does not work"


@dataclass(frozen=True)
class Against:
    """How arms are compared with the baseline.

    Attributes:
        baseline: Its name.
        groups: Example id to group.
        min_effect: Smallest difference that matters.
        failures: What to say of arms of which a seed failed.
        look: How often results were looked at.
        first: The arm that was chosen before test was opened; "" where that is not known.
    """

    baseline: str
    groups: Mapping[str, str]
    min_effect: float = MIN_EFFECT
    failures: Mapping[str, str] = field(default_factory=dict[str, str])
    look: int = 1
    first: str = ""

    def judge(self, comparisons: Mapping[str, Comparison]) -> Judged:
        """The comparisons as they are shown, and the verdicts."""
        verdicts = judge(comparisons, min_effect=self.min_effect, failures=self.failures)
        shown = {n: show_decided(one, min_effect=self.min_effect) for n, one in comparisons.items()}
        return Judged(shown, verdicts)

    def scores(self, scores: Mapping[str, Scores]) -> Judged:
        """Every arm's scores against the baseline's."""
        base = scores.get(self.baseline)
        others = {n: own for n, own in scores.items() if own and n != self.baseline}
        if not base:
            return Judged({}, {})
        failed = [name for name in others if self.failures.get(name)]
        comparisons = compare_all(
            others, base, self.groups, failed=failed, first=self.first, look=self.look
        )
        return self.judge(comparisons)

    def forms(self, marks: Mapping[str, Marks]) -> Judged:
        """Every arm's form against the baseline's."""
        base = marks.get(self.baseline)
        others = {n: own for n, own in marks.items() if n != self.baseline}
        if base is None:
            return Judged({}, {})
        failed = [name for name in others if self.failures.get(name)]
        comparisons = compare_forms(
            others, base, self.groups, failed=failed, first=self.first, look=self.look
        )
        return self.judge(comparisons)


@dataclass(frozen=True)
class Judged:
    """Comparisons with the baseline, as they are shown, and verdicts; both by arm."""

    differences: Mapping[str, Comparison]
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True)
class Aspects:
    """Content and form of the arms that have them; both empty where the metric has one score."""

    content: Mapping[str, Aspect]
    form: Mapping[str, Aspect]


def measure_aspects(marks: Mapping[str, Marks], against: Against) -> Aspects:
    """Content and form of each arm with answers, compared with the baseline's."""
    if not any(one.apart for one in marks.values()):
        return Aspects({}, {})
    contents = against.scores({name: one.lenient for name, one in marks.items()})
    forms = against.forms(marks)
    content = {
        name: Aspect(
            estimate_mean(one.lenient, against.groups),
            sum(one.lenient.values()),
            len(one.lenient),
            contents.differences.get(name),
            contents.verdicts.get(name),
        )
        for name, one in marks.items()
    }
    usable = {name: measure_usable(one, against.groups) for name, one in marks.items()}
    form = {
        name: Aspect(
            one.share,
            one.usable,
            one.right,
            forms.differences.get(name),
            forms.verdicts.get(name),
        )
        for name, one in usable.items()
        if one is not None
    }
    return Aspects(content, form)


def apply_aspects(verdict: Verdict, content: Aspect | None, form: Aspect | None) -> Verdict:
    """The verdict on the strict score, which content that is told apart may decide.

    An arm that brings content without a form to use it in is ``content only``; one that is not
    told apart, or is for being too little, does not stand as such when its content is.
    """
    if content is None or verdict.label not in ("cannot tell", "does not work"):
        return verdict
    if content.mended and not _is_worse(verdict):
        usable = f"{form.counted} right answers are usable" if form else "none is usable"
        return replace(
            verdict,
            label="content only",
            reason=f"brings content, {content.gain} points, but {usable} as they stand",
            needs=NOTHING_MORE,
        )
    if content.harmed and verdict.label == "cannot tell":
        return replace(
            verdict,
            label="does not work",
            reason=f"loses content, {content.gain} points",
            needs=NOTHING_MORE,
        )
    return verdict


def _is_worse(verdict: Verdict) -> bool:
    return verdict.label == "does not work" and (verdict.p_adjusted or 1.0) < ALPHA


def hold_to_constant(
    verdicts: Mapping[str, Verdict],
    marks: Mapping[str, Marks],
    constant: Marks,
    against: Against,
    *,
    words: str,
    counts: Counted = "strict",
) -> dict[str, Verdict]:
    """Verdicts with none that ``works`` without beating the best constant answer as well.

    Both differences must be told from none, so no further correction is needed (intersection-union
    test, Berger 1982); among the arms Holm's is kept. What brings content alone must beat the
    constant's content.

    Args:
        verdicts: By arm.
        marks: Arm to its scores.
        constant: Those of the constant answer.
        against: How arms are compared.
        words: The constant answer in words.
        counts: Which score counts.
    """
    alpha, min_effect = spend(against.look), against.min_effect

    def score(marks: Marks, label: Label) -> Scores:
        return marks.lenient if counts == "lenient" or label == "content only" else marks.strict

    better: dict[str, Label] = {
        n: v.label for n, v in verdicts.items() if v.label in ("works", "content only")
    }
    comparisons = {
        name: compare(score(marks[name], label), score(constant, label), against.groups)
        for name, label in better.items()
    }
    adjusted = dict(
        zip(comparisons, adjust_holm([one.p for one in comparisons.values()]), strict=True)
    )
    judged = dict(verdicts)
    for name, one in comparisons.items():
        if one.difference > 0 and adjusted[name] < alpha:
            continue
        level = fmean(score(constant, better[name]).values())
        gain = f"{format_points(one.difference)} {format_interval(one.low, one.high)} points"
        bar = f"{words}, which scores {format_percent(level)}: {gain}"
        if one.high < min_effect or (one.difference < 0 and one.p < ALPHA):
            judged[name] = replace(
                judged[name], label="does not work", reason=f"does not beat {bar}"
            )
            continue
        more = estimate_needs_to_settle(one, min_effect, alpha=alpha / len(better))
        judged[name] = replace(
            judged[name],
            label="cannot tell",
            reason=f"beats the baseline, but is not told from {bar}",
            needs=more,
            unbeaten=words,
        )
    return judged


def classify_answer(row: ResultRow) -> str:
    """How an answer ended; one with the right content that cannot be used is ``content only``."""
    return "content only" if row.lenient >= 1.0 > row.value else row.kind
