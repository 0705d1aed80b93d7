"""A finished study as claims read it: its task, its rows, and comparisons over them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whatworks.claims.claim import SMALLEST, Contrast, Need, Sample, Table
from whatworks.results import Row
from whatworks.stats import Estimate, Scores, mean_interval
from whatworks.summary import Summary
from whatworks.task import Example, Task
from whatworks.wording import count, percent, span

Value = Callable[[Row], float]
CUT_OFF = (
    "Decoding held to the form never leaves it, but an answer that is cut off before its form is "
    "complete is malformed."
)
Only = Callable[[Example], bool]


def strict(row: Row) -> float:
    """The strict score."""
    return row.value


def wrong(row: Row) -> float:
    """Whether the answer is wrong, an abstention not being wrong."""
    return float(row.kind == "wrong")


def malformed(row: Row) -> float:
    """Whether the answer lacks the wanted form."""
    return float(row.kind == "malformed")


def everything(example: Example) -> bool:
    """Every example."""
    del example
    return True


def _grade(row: Row) -> str:
    """What came of an answer, in a word or with its score."""
    return f"scores {percent(row.value)}" if 0 < row.value < 1 else row.kind


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
    rows: tuple[Row, ...]
    summary: Summary | None = None
    measures: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def scores(self, arm: str, value: Value = strict, only: Only = everything) -> Scores:
        """``(seed, example id) -> value`` of one arm, over what ``only`` keeps of test."""
        kept = {example.id for example in self.task.splits.test if only(example)}
        return {
            (row.seed, row.example): value(row)
            for row in self.rows
            if row.arm == arm and row.status == "scored" and row.example in kept
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
        value: Value = strict,
        only: Only = everything,
        smallest: float = SMALLEST,
    ) -> Contrast:
        """``arm`` less ``base`` on the same examples."""
        return Contrast(
            what, self.scores(arm, value, only), self.scores(base, value, only), self.groups,
            smallest,
        )  # fmt: skip

    def above(
        self, arm: str, level: float, what: str, *, value: Value = strict, only: Only = everything
    ) -> Contrast:
        """``arm`` less a fixed score, e.g. what guessing gives."""
        scores = self.scores(arm, value, only)
        fixed = {(0, example): level for _, example in scores}
        return Contrast(what, scores, fixed, self.groups)

    def level(self, arm: str, value: Value = strict, only: Only = everything) -> Estimate:
        """Mean of one arm with its interval; an arm without answers is at 0 and unknown."""
        scores = self.scores(arm, value, only)
        return mean_interval(scores, self.groups) if scores else Estimate(0.0, 0.0, 1.0)

    def need(self, arm: str, what: str, least: float, only: Only = everything) -> Need:
        """The share that one arm must get right."""
        return Need(what, self.level(arm, only=only), least)

    def best(self, arms: Sequence[str]) -> str:
        """The arm among these with the best dev score, the first among equals."""
        infos = {
            arm.name: arm.info.dev_score for arm in (self.summary.arms if self.summary else ())
        }
        return max(arms, key=lambda arm: infos.get(arm) or 0.0)

    @property
    def guess(self) -> float:
        """The share that is right when the most frequent test target is always answered."""
        targets = [example.target.strip() for example in self.task.splits.test]
        return max(targets.count(target) for target in set(targets)) / len(targets)

    def table(self, title: str, arms: Sequence[str] = (), only: Only = everything) -> Table:
        """Score, wrong, abstained, malformed, tokens and time of each arm."""
        names = arms or list(dict.fromkeys(row.arm for row in self.rows))
        kept = {example.id for example in self.task.splits.test if only(example)}
        lines: list[tuple[str, ...]] = []
        for name in names:
            mine = [row for row in self.rows if row.arm == name and row.example in kept]
            if not mine:
                lines.append((name, "failed", "", "", "", "", ""))
                continue
            level = self.level(name, only=only)

            def mean(value: Callable[[Row], float], rows: Sequence[Row] = mine) -> float:
                return sum(map(value, rows)) / len(rows)

            lines.append(
                (
                    name,
                    f"{percent(level.value)} {span(level.low, level.high, signed=False)}",
                    percent(mean(lambda row: row.lenient)),
                    percent(mean(wrong)),
                    percent(mean(lambda row: float(row.kind == "abstained"))),
                    percent(mean(malformed)),
                    count(mean(lambda row: float(row.prompt_tokens))),
                )
            )
        first, last = ("score", "not perfect") if self.graded else ("right", "wrong")
        columns = ("arm", first, "lenient", last, "abstained", "malformed", "prompt tokens")
        held = any(name.startswith("constrained") for name in names)
        return Table(title, columns, tuple(lines), CUT_OFF if held else "")

    @property
    def graded(self) -> bool:
        """Whether the metric gives scores between 0 and 1."""
        return any(0 < row.value < 1 for row in self.rows)

    def parts(self, title: str, arms: Sequence[str], names: Mapping[str, str]) -> Table:
        """Means of what the metric asks of an answer: name of the part to its column."""
        lines: list[tuple[str, ...]] = []
        for arm in arms:
            mine = [row.parts for row in self.rows if row.arm == arm and row.status == "scored"]
            means = [sum(p.get(name, 0.0) for p in mine) / max(1, len(mine)) for name in names]
            lines.append((arm, *map(percent, means)))
        return Table(title, ("arm", *names.values()), tuple(lines))

    def samples(
        self, arms: Sequence[str], n: int = 3, only: Only = everything
    ) -> tuple[Sample, ...]:
        """The first ``n`` different test examples with the first seed's answers, whatever came."""
        said = {
            (row.arm, row.example): row for row in reversed(self.rows) if row.output or row.kind
        }
        found: list[Sample] = []
        for example in self.task.splits.test:
            rows = [(arm, said[arm, example.id]) for arm in arms if (arm, example.id) in said]
            asked = any(one.asked == example.text for one in found)
            if only(example) and rows and not asked and len(found) < n:
                answers = tuple((arm, row.output, _grade(row)) for arm, row in rows)
                found.append(Sample(example.text, example.target, answers))
        return tuple(found)
