"""What a report shows, as frozen values: a study, its arms, their failures and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from whatworks.analysis.aspects import Aspect
from whatworks.analysis.comparison import Comparison, Estimate
from whatworks.analysis.exported import Exported, describe_export
from whatworks.analysis.forgetting import Forgetting
from whatworks.analysis.learning_curve import Curve
from whatworks.analysis.method_outcomes import EpochScores, Losses, MethodOutcome, Trace
from whatworks.analysis.recommendation import Recommendation, Ways
from whatworks.analysis.verdict import MIN_EFFECT, Verdict
from whatworks.base.errors import add_place
from whatworks.base.phrasing import cut_text
from whatworks.data.task import Counted


@dataclass(frozen=True)
class ArmInfo:
    """What is known of an arm beside its test rows.

    Attributes:
        name: The arm.
        chain: Its methods, e.g. ``rag+sft``.
        dev_score: Mean score on dev, of the kind that counts, over its seeds, a failed one counting
            0; None when all failed.
        dev_content: Mean lenient score on dev.
        training_seconds: Mean training time of a seed.
        usd: US dollars for a seed, mean: adapting, helper, dev and test; 0 where nothing is paid.
        seeds: Seeds planned.
        prompt: One rendered test prompt, as text.
        settings: Settings of each method, to be shown.
        outcomes: What its methods told, of each run.
        passages: Which passages it is shown: ``retrieved``, or ``gold`` or ``wrong`` to measure
            with; empty for none.
        oracle: Whether it is shown what only a measurement knows, such as gold passages.
        forgetting: How far training moved the weights from the untouched model on the retention
            set, mean over the seeds; None for an arm that trains nothing.
        rows: Train rows that it was given.
        exported: The seed that an export takes; None where that is not known.
    """

    name: str
    chain: str = ""
    dev_score: float | None = None
    training_seconds: float = 0.0
    usd: float = 0.0
    seeds: int = 1
    prompt: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    outcomes: Sequence[Sequence[MethodOutcome]] = ()
    passages: Literal["", "retrieved", "gold", "wrong"] = ""
    oracle: bool = False
    forgetting: Forgetting | None = None
    rows: int = 0
    exported: int | None = None
    dev_content: float = 0.0

    @property
    def notes(self) -> list[str]:
        """What its methods told, as lines; what several runs told alike stands once."""
        lines = (line for run in self.outcomes for one in run for line in one.lines)
        return list(dict.fromkeys(lines))

    @property
    def curve(self) -> list[tuple[float, ...]]:
        """Of each run, the dev score after each checkpoint of the last method that has any."""
        epochs = (
            [one.values for one in run if isinstance(one, EpochScores)] for run in self.outcomes
        )
        return [scores[-1] if scores else () for scores in epochs]

    @property
    def losses(self) -> dict[str, list[Losses]]:
        """Training loss of each run, by what trained."""
        by_label: dict[str, list[Losses]] = {}
        for one in (one for run in self.outcomes for one in run):
            if isinstance(one, Losses):
                by_label.setdefault(one.label, []).append(one)
        return by_label

    @property
    def traces(self) -> dict[str, list[Trace]]:
        """What each run's reinforcement saw, by what trained."""
        by_label: dict[str, list[Trace]] = {}
        for one in (one for run in self.outcomes for one in run):
            if isinstance(one, Trace):
                by_label.setdefault(one.label, []).append(one)
        return by_label


@dataclass(frozen=True)
class StudyInfo:
    """What is known of the study beside its rows.

    Attributes:
        name: The task.
        model: The untouched model.
        metric: Name of the metric.
        counts: Examples per split.
        baseline: The arm that the others are compared with.
        min_effect: Smallest difference of scores that matters.
        openings: How often the test split was opened.
        winner: The arm chosen on dev; empty to choose here.
        seconds: Wall time of the study.
        machine: What it ran on.
        version: Version of whatworks.
        versions: Versions of the libraries below it.
        command: How to run it again.
        decisions: What was decided on dev, in sentences.
        findings: Sentences about why, e.g. from the form-or-facts diagnosis.
        plan: How the plan did that was made before; empty when there was none.
        origin: What the model's weights were dequantised from, or the pickle they were loaded from;
            empty for safetensors.
        curve: Arms of the learning curve.
        curve_arm: What they are without the number of rows.
        looks: How often there were results to look at: with more rows or seeds there are new ones.
        shots: Arms that only show examples: what the curve is compared with the best of.
        score: Which score counts.
        form_methods: What could mend the form of answers here (``Ways``).
        content_methods: What could bring content.
        constant: The best constant answer; empty where there is none.
    """

    name: str
    model: str
    metric: str
    counts: Mapping[str, int]
    baseline: str
    min_effect: float = MIN_EFFECT
    openings: int = 1
    winner: str = ""
    seconds: float = 0.0
    machine: str = ""
    version: str = ""
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    command: str = ""
    decisions: Sequence[str] = ()
    findings: Sequence[str] = ()
    plan: str = ""
    origin: str = ""
    curve: Sequence[str] = ()
    curve_arm: str = ""
    shots: Sequence[str] = ()
    looks: int = 1
    score: Counted = "strict"
    form_methods: Sequence[str] = ()
    content_methods: Sequence[str] = ()
    constant: str = ""

    @property
    def ways(self) -> Ways:
        """What could be put on top of an arm, or before it."""
        return Ways(self.form_methods, self.content_methods)


@dataclass(frozen=True)
class SeedFailure:
    """Seeds of an arm that could not be completed, for one and the same cause.

    ``place`` is where the first of them met it; each training has a folder of its own.
    """

    seeds: tuple[int, ...]
    cause: str
    remedy: str
    place: str = ""

    @property
    def said(self) -> str:
        """Place and cause in one line."""
        return add_place(self.cause, self.place)


@dataclass(frozen=True)
class ArmSummary:
    """One arm's figures. Those of test are None, or 0, when every seed failed.

    Attributes:
        info: What is known beside the rows.
        verdict: What the test says about it.
        score: Mean of the score that counts, with its interval.
        lenient: Mean lenient score.
        content: Is the right thing in the answer; None where the metric has one score.
        form: Is an answer with the right content usable; None where there is none such either.
        difference: Against the baseline; None for the baseline itself.
        kinds: Number of answers of each kind, over all seeds.
        parts: Mean of each part of the score.
        prompt_tokens: Mean per request.
        completion_tokens: Mean per request, reasoning included.
        reasoning_tokens: Mean per request: those of them before the answer.
        cut: Share of the answers that ended at their most tokens; None where rows do not say.
        seconds: Mean per request.
        drop: Dev score less test score.
        seeds: Seeds that were scored.
        failures: Seeds that were not; in the scores they count as wrong.
        exported: Its export, judged by itself; None where it has one seed.
    """

    info: ArmInfo
    verdict: Verdict
    score: Estimate | None = None
    lenient: float | None = None
    difference: Comparison | None = None
    kinds: Mapping[str, int] = field(default_factory=dict[str, int])
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    reasoning_tokens: float = 0.0
    cut: float | None = None
    seconds: float = 0.0
    drop: float | None = None
    seeds: int = 0
    failures: tuple[SeedFailure, ...] = ()
    exported: Exported | None = None
    content: Aspect | None = None
    form: Aspect | None = None

    @property
    def name(self) -> str:
        """The arm."""
        return self.info.name

    @property
    def shipped(self) -> Sequence[str]:
        """Whether its export works, and whether training again will: two lines, or none."""
        if self.exported is None or self.difference is None:
            return ()
        return describe_export(self.exported, self.verdict, self.difference)

    @property
    def lost(self) -> int:
        """Seeds that failed where others did not."""
        return sum(len(failure.seeds) for failure in self.failures) if self.seeds else 0


@dataclass(frozen=True)
class Constant:
    """The best constant answer, the one that is best on train and dev, on test.

    Attributes:
        answer: What is always said.
        score: Of the kind that counts.
        content: Its lenient score.
        difference: To the baseline; None where that has no answers.
    """

    answer: str
    score: Estimate
    content: Estimate
    difference: Comparison | None = None

    @property
    def said(self) -> str:
        """``always “yes”``."""
        return f"always “{cut_text(' '.join(self.answer.split()), 40)}”"


@dataclass(frozen=True)
class Summary:
    """A study's figures: its arms in their order, and the answer in words.

    ``warning`` is what has to be known before any of them is read; empty where there is nothing.
    """

    study: StudyInfo
    arms: tuple[ArmSummary, ...]
    recommendation: Recommendation
    n_test: int
    n_groups: int
    curve: Curve | None = None
    constant: Constant | None = None
    warning: str = ""

    def arm(self, name: str) -> ArmSummary | None:
        """The arm of that name, if there is one."""
        return next((arm for arm in self.arms if arm.name == name), None)
