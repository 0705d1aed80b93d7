"""A finished study as claims read it: its task, its rows, and comparisons over them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean
from typing import Any, cast

from whatworks.analysis.comparison import Estimate, Scores, estimate_mean
from whatworks.analysis.figures import Summary
from whatworks.analysis.result_rows import ResultRow
from whatworks.base.phrasing import format_count, format_interval, format_one_unit, format_percent
from whatworks.data.task import Example, Task
from whatworks.metrics.registry import load_task_metric
from whatworks.metrics.score import Kind, Metric, Score
from whatworks.metrics.text_overlap import average_parts
from whatworks_claims.evidence import SMALLEST, Contrast, Need, Sample, Table

Value = Callable[[ResultRow], float]
CUT_OFF = (
    "Decoding held to the form never leaves it, but an answer that is cut off before its form is "
    "complete is malformed."
)
Only = Callable[[Example], bool]
USABLE = "usable"
TRIED = 8
"""Targets of train, targets of test, and answers of an arm: so many of each, the most frequent, are
tried as one answer for all."""


def score_strict(row: ResultRow) -> float:
    """The strict score."""
    return row.value


def is_wrong(row: ResultRow) -> float:
    """Whether the answer is wrong, an abstention not being wrong."""
    return float(row.kind == "wrong")


def is_malformed(row: ResultRow) -> float:
    """Whether the answer lacks the wanted form."""
    return float(row.kind == "malformed")


def count_rows(task: Task, rows: Sequence[ResultRow]) -> tuple[ResultRow, ...]:
    """The rows with the score that counts in their task as their value.

    Where that is the lenient one, what is right in content is right, and whether it can be used as
    it stands is a part, ``usable``.
    """
    if task.metric.score == "strict":
        return tuple(rows)
    return tuple(_count_leniently(row) if row.status == "scored" else row for row in rows)


def _count_leniently(row: ResultRow) -> ResultRow:
    kind = "correct" if row.lenient == 1 else row.kind
    return replace(row, value=row.lenient, kind=kind, parts={**row.parts, USABLE: row.value})


def accept_all(example: Example) -> bool:
    """Every example."""
    del example
    return True


def _grade(row: ResultRow) -> str:
    """How an answer was scored, in a word or as a figure."""
    return f"scores {format_percent(row.value)}" if 0 < row.value < 1 else row.kind


def _find_repeated(texts: Iterable[str]) -> list[str]:
    """Those that come more than once; what one example alone is right with is no guess."""
    return [text for text, times in Counter(texts).most_common(TRIED) if times > 1]


@dataclass(frozen=True)
class Outcome:
    """One finished study.

    Attributes:
        task: What was asked.
        rows: One per (arm, seed, test example), and one per failed seed.
        summary: Its figures.
        measures: What was measured of its candidates beside their answers.
    """

    task: Task
    rows: tuple[ResultRow, ...]
    summary: Summary | None = None
    measures: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def scores(self, arm: str, value: Value = score_strict, only: Only = accept_all) -> Scores:
        """``(seed, example id) -> value`` of one arm, over what ``only`` keeps of test."""
        included = {example.id for example in self.task.splits.test if only(example)}
        return {
            (row.seed, row.example): value(row)
            for row in self.rows
            if row.arm == arm and row.status == "scored" and row.example in included
        }

    @property
    def groups(self) -> dict[str, str]:
        """Example id to group."""
        return {example.id: example.group or example.id for example in self.task.splits.test}

    def has(self, *arms: str) -> str:
        """Why the claim cannot be told when one of these arms has no scores; else ""."""
        for arm in arms:
            if not any(row.arm == arm and row.status == "scored" for row in self.rows):
                causes = [row.failure for row in self.rows if row.arm == arm and row.cause]
                return f"the arm {arm} has no answers: {causes[0] if causes else 'it was not run'}"
        return ""

    def contrast(
        self,
        arm: str,
        base: str,
        what: str,
        *,
        value: Value = score_strict,
        only: Only = accept_all,
        smallest: float = SMALLEST,
    ) -> Contrast:
        """``arm`` less ``base`` on the same examples."""
        return Contrast(
            what, self.scores(arm, value, only), self.scores(base, value, only), self.groups,
            smallest,
        )  # fmt: skip

    def ahead(
        self, arm: str, base: str, what: str, *, smallest: float = SMALLEST
    ) -> tuple[Contrast, ...]:
        """``arm`` less ``base``, and less one answer for all where ``base`` scores less than that.

        Otherwise what is ahead of ``base`` is ahead of one answer for all too.
        """
        contrast = self.contrast(arm, base, what, smallest=smallest)
        answers = {(row.example, row.output) for row in self.rows if row.arm == arm}
        level = max(self.guess, self._constant(_find_repeated(text for _, text in answers)))
        if level <= self.level(base).value:
            return (contrast,)
        less = f"{what.partition(' less ')[0]} less one answer for all"
        return contrast, self.above(arm, level, less)

    def above(self, arm: str, level: float, what: str) -> Contrast:
        """``arm`` less a fixed score, e.g. what guessing gives."""
        return Contrast(what, self.scores(arm), level, self.groups)

    def level(self, arm: str, value: Value = score_strict, only: Only = accept_all) -> Estimate:
        """Mean of one arm with its interval; an arm without answers is at 0 and unknown."""
        scores = self.scores(arm, value, only)
        return estimate_mean(scores, self.groups) if scores else Estimate(0.0, 0.0, 1.0)

    def need(self, arm: str, what: str, least: float, only: Only = accept_all) -> Need:
        """The share that one arm must get right."""
        return Need(what, self.level(arm, only=only), least)

    def best(self, arms: Sequence[str]) -> str:
        """The arm among these with the best dev score, the first among equals."""
        infos = {
            arm.name: arm.info.dev_score for arm in (self.summary.arms if self.summary else ())
        }
        return max(arms, key=lambda arm: infos.get(arm) or 0.0)

    @cached_property
    def guess(self) -> float:
        """The score, by the study's metric, of one answer given to all of test: the best of the
        most frequent targets.
        """
        train, test = self.task.splits.train, self.task.splits.test
        often = [text for text, _ in Counter(e.target for e in train).most_common(TRIED)]
        return self._constant([*often, *_find_repeated(e.target for e in test)])

    @cached_property
    def _metric(self) -> Metric:
        return load_task_metric(self.task)

    def _constant(self, answers: Iterable[str]) -> float:
        """The best mean score of one of these answers given to all of test."""
        test = self.task.splits.test
        levels = (
            fmean(self._metric(example, one).counted for example in test)
            for one in dict.fromkeys(answers)
        )
        return max(levels, default=0.0)

    def table(self, title: str, arms: Sequence[str] = (), only: Only = accept_all) -> Table:
        """Score, wrong, abstained, malformed; tokens and seconds of a request, of each arm."""
        names = arms or list(dict.fromkeys(row.arm for row in self.rows))
        included = {example.id for example in self.task.splits.test if only(example)}
        lines: list[tuple[str, ...]] = []
        for name in names:
            mine = [row for row in self.rows if row.arm == name and row.example in included]
            if not mine:
                lines.append((name, "failed", *[""] * 6))
                continue
            level = self.level(name, only=only)

            def mean(
                value: Callable[[ResultRow], float], rows: Sequence[ResultRow] = mine
            ) -> float:
                return sum(map(value, rows)) / len(rows)

            lines.append(
                (
                    name,
                    f"{format_percent(level.value)} "
                    f"{format_interval(level.low, level.high, signed=False)}",
                    format_percent(mean(lambda row: row.parts.get(USABLE, row.lenient))),
                    format_percent(mean(is_wrong)),
                    format_percent(mean(lambda row: float(row.kind == "abstained"))),
                    format_percent(mean(is_malformed)),
                    format_count(mean(lambda row: float(row.prompt_tokens))),
                    format_one_unit(mean(lambda row: row.seconds)),
                )
            )
        first, last = ("score", "not perfect") if self.graded else ("right", "wrong")
        other = "usable as it stands" if self.task.metric.score == "lenient" else "lenient"
        columns = ("arm", first, other, last, "abstained", "malformed", "prompt tokens",
                   "per request")  # fmt: skip
        has_constrained = any(name.startswith("constrained") for name in names)
        return Table(title, columns, tuple(lines), CUT_OFF if has_constrained else "")

    @property
    def graded(self) -> bool:
        """Whether the metric gives scores between 0 and 1."""
        return any(0 < row.value < 1 for row in self.rows)

    def figures(self, title: str, names: Mapping[str, str], arms: Sequence[str] = ()) -> Table:
        """What the metric asks of an answer, and of all answers of an arm, means over its seeds.

        Args:
            title: Of the table.
            names: Name of a part, or of a figure of the metric's summary, to its column.
            arms: All that have answers by default.
        """
        scored = [row for row in self.rows if row.status == "scored"]
        lines: list[tuple[str, ...]] = []
        for arm in arms or dict.fromkeys(row.arm for row in scored):
            mine = [row for row in scored if row.arm == arm]
            seeds = sorted({row.seed for row in mine})
            by_seed = [
                self._whole([r for r in mine if r.seed == seed], set(names)) for seed in seeds
            ]
            cells = [[figures[name] for figures in by_seed if name in figures] for name in names]
            lines.append((arm, *(f"{fmean(values):.2f}" if values else "" for values in cells)))
        return Table(title, ("arm", *names.values()), tuple(lines))

    def _whole(self, rows: Sequence[ResultRow], names: set[str]) -> dict[str, float]:
        """Figures of one run's answers: means of their parts, and the metric's summary if asked."""
        by_id = {example.id: example for example in self.task.splits.test}
        scores = [Score(row.value, cast(Kind, row.kind), lenient=row.lenient, parts=row.parts,
                        label=self._metric.label(row.output)) for row in rows]  # fmt: skip
        means = average_parts((), scores)
        if names <= means.keys():
            return means
        return means | self._metric.summary([by_id[row.example] for row in rows], scores)

    def samples(
        self, arms: Sequence[str], n: int = 3, only: Only = accept_all
    ) -> tuple[Sample, ...]:
        """The first ``n`` different test examples with the first seed's answers, whatever came."""
        by_arm = {
            (row.arm, row.example): row for row in reversed(self.rows) if row.output or row.kind
        }
        chosen: list[Sample] = []
        for example in self.task.splits.test:
            rows = [(arm, by_arm[arm, example.id]) for arm in arms if (arm, example.id) in by_arm]
            is_repeat = any(one.asked == example.text for one in chosen)
            if only(example) and rows and not is_repeat and len(chosen) < n:
                answers = tuple((arm, row.output, _grade(row)) for arm, row in rows)
                chosen.append(Sample(example.text, example.target, answers))
        return tuple(chosen)
