"""The article's lines on fine-tuning that a study confirms or refutes. Pure.

Form can be tuned, facts can not, notes help, a prompt may do. Each line is held against one paired
comparison of the study's test rows; a line that the study has no arms for is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from whatworks.analysis.comparison import Comparison, compare
from whatworks.analysis.score_table import Scores
from whatworks.base.phrasing import format_interval, format_points

LineAnswer = Literal["confirmed", "refuted", "open"]

_TUNING = ("sft",)
_NOTES = ("rag",)
_PROMPTS = ("few-shot", "knn", "prompt", "prompt-search")
_TOGETHER = ("rag+sft",)


@dataclass(frozen=True)
class ArticleLine:
    """One line, and what the study says of it.

    Attributes:
        line: The line.
        answer: ``confirmed``, ``refuted``, or ``open`` where the interval holds both.
        evidence: The comparison, in words.
    """

    line: str
    answer: LineAnswer
    evidence: str


@dataclass(frozen=True)
class ArticleArm:
    """An arm as the lines see it.

    Attributes:
        name: The arm.
        chain: Its methods.
        dev: Its score on dev, by which the best of several is taken; None where it failed.
        score: ``(seed, row) -> score`` that counts, on test.
        content: The same, lenient.
        form: Its answers' form against the baseline's; None where the metric has one score.
    """

    name: str
    chain: str
    dev: float | None
    score: Scores
    content: Scores
    form: Comparison | None = None


def judge_article(
    arms: Sequence[ArticleArm],
    baseline: str,
    groups: Mapping[str, str],
    *,
    min_effect: float,
    asks_facts: bool,
) -> list[ArticleLine]:
    """The lines that this study can say something of.

    Args:
        arms: Its arms with test answers, but for those that only a measurement can be.
        baseline: Name of the baseline.
        groups: Row id to group.
        min_effect: Smallest difference that matters.
        asks_facts: Whether the answers are facts that the input does not say.
    """
    judge = _Judge(arms, groups, min_effect)
    base = next((arm for arm in arms if arm.name == baseline), None)
    tuned, notes = judge.find_best(_TUNING), judge.find_best(_NOTES)
    prompt, both = judge.find_best(_PROMPTS), judge.find_best(_TOGETHER)
    lines: list[ArticleLine] = []
    if tuned and tuned.form:
        lines.append(_judge_form(tuned, baseline, tuned.form, min_effect))
    if tuned and base and asks_facts:
        gain = judge.compare_content(tuned, base)
        answer = _read_gain(gain, min_effect, over="refuted", under="confirmed")
        lines.append(judge.write("Tuning does not teach facts", answer, tuned, base, gain))
    if notes and base and asks_facts:
        gain = judge.compare_content(notes, base)
        answer = _read_gain(gain, min_effect, over="confirmed", under="refuted")
        lines.append(judge.write("Notes in the prompt bring facts", answer, notes, base, gain))
    if both and notes:
        gain = judge.compare_score(both, notes)
        answer = _read_gain(gain, min_effect, over="confirmed", under="refuted")
        line = "Notes and tuning together beat notes alone"
        lines.append(judge.write(line, answer, both, notes, gain, "score"))
    if prompt and tuned:
        gain = judge.compare_score(prompt, tuned)
        answer = _read_level(gain, min_effect)
        line = "A prompt may do what tuning does"
        lines.append(judge.write(line, answer, prompt, tuned, gain, "score"))
    return lines


@dataclass(frozen=True)
class _Judge:
    """The arms of a study, compared two by two."""

    arms: Sequence[ArticleArm]
    groups: Mapping[str, str]
    min_effect: float

    def find_best(self, chains: Sequence[str]) -> ArticleArm | None:
        """The arm of these chains that is best on dev."""
        own = [arm for arm in self.arms if arm.chain in chains and arm.score]
        return max(own, key=lambda arm: arm.dev or 0.0, default=None)

    def compare_content(self, arm: ArticleArm, other: ArticleArm) -> Comparison:
        """The lenient scores of two arms."""
        return compare(arm.content, other.content, self.groups)

    def compare_score(self, arm: ArticleArm, other: ArticleArm) -> Comparison:
        """The scores that count of two arms."""
        return compare(arm.score, other.score, self.groups)

    def write(
        self,
        line: str,
        answer: LineAnswer,
        arm: ArticleArm,
        other: ArticleArm,
        gain: Comparison,
        what: str = "content",
    ) -> ArticleLine:
        """A line with its comparison in words."""
        return ArticleLine(line, answer, _describe(arm.name, other.name, gain, what))


def _judge_form(
    tuned: ArticleArm, baseline: str, gain: Comparison, min_effect: float
) -> ArticleLine:
    answer = _read_gain(gain, min_effect, over="confirmed", under="refuted")
    return ArticleLine("Tuning teaches form", answer, _describe(tuned.name, baseline, gain, "form"))


def _describe(arm: str, other: str, gain: Comparison, what: str) -> str:
    span = format_interval(gain.low, gain.high)
    return f"{arm} to {other}, {what}: {format_points(gain.difference)} {span} points"


def _read_gain(
    gain: Comparison, min_effect: float, *, over: LineAnswer, under: LineAnswer
) -> LineAnswer:
    """Shown to be a gain, shown to be none that matters, or neither."""
    if gain.low > 0.0:
        return over
    return under if gain.high < min_effect or gain.high <= 0.0 else "open"


def _read_level(gain: Comparison, min_effect: float) -> LineAnswer:
    """Shown to be no worse by what matters, shown to be worse, or neither."""
    if gain.low > -min_effect:
        return "confirmed"
    return "refuted" if gain.high < 0.0 else "open"
