"""What a report shows, as frozen values: a study, its arms, their failures and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from whatworks.analysis.article import ArticleLine
from whatworks.analysis.aspects import Aspect
from whatworks.analysis.comparison import Comparison, Estimate
from whatworks.analysis.contenders import Duel
from whatworks.analysis.cost import Cost
from whatworks.analysis.diagnosis.arm_diagnosis import ArmDiagnosis
from whatworks.analysis.diagnosis.parts import ChainShares
from whatworks.analysis.exported import Exported, describe_export
from whatworks.analysis.forgetting import Forgetting
from whatworks.analysis.learning_curve import Curve
from whatworks.analysis.method_outcomes import EpochScores, Losses, MethodOutcome, Trace
from whatworks.analysis.next_step.predictions import Outcome
from whatworks.analysis.not_worse import NotWorse, NotWorseAnswer
from whatworks.analysis.recommendation import Recommendation, Ways
from whatworks.analysis.slices import Slices
from whatworks.analysis.verdict import MIN_EFFECT, Verdict
from whatworks.base.errors import add_place
from whatworks.base.phrasing import cut_text, format_points
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
        making: What it took to make it, mean of a seed; the cost of a request is 0 there.
        choice_score: Its score as the choice saw it, where that looked at more than dev.
        left: What it left a race on, in words: it has no test rows then; "" where it has.
        own_prices: Whether it has other prices than the study's model: another model, or none.
        prices: Those: US dollars per million tokens read and written; None where it has no price.
        request_usd: US dollars of a request, where tokens do not say; None where nobody knows.
        timed: Whether tokens and time here are what a request costs; not so of given answers.
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
    making: Cost | None = None
    choice_score: float | None = None
    left: str = ""
    own_prices: bool = False
    prices: tuple[float, float] | None = None
    request_usd: float | None = None
    timed: bool = True

    @property
    def notes(self) -> list[str]:
        """What its methods told, as lines; what several runs told alike stands once."""
        lines = (line for run in self.outcomes for one in run for line in one.lines)
        return list(dict.fromkeys(lines))

    @property
    def seen_score(self) -> float | None:
        """The score that the choice looked at; None when all seeds failed."""
        widened = self.dev_score is not None and self.choice_score is not None
        return self.choice_score if widened else self.dev_score

    @property
    def curve(self) -> list[tuple[float, ...]]:
        """Each run's dev scores at the checkpoints of the last method that has any."""
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
        curve_tokens: Of a curve by what a step writes, tokens by arm.
        looks: How often there were results to look at: with more rows or seeds there are new ones.
        shots: Arms that only show examples: what the curve is compared with the best of.
        score: Which score counts.
        form_methods: What could mend the form of answers here (``Ways``).
        content_methods: What could bring content.
        constant: The best constant answer; empty where there is none.
        prices: US dollars per million tokens read and written; None where the model has no price.
        requests_per_month: How many there will be, where the study says so.
        choose_on: Which rows the choice looked at, in words.
        slices: Columns by whose values the test rows are judged, too.
        diagnosis: Why arms fail on dev, the baseline first.
        parts: What each part of the chains brings on dev.
        predicted: What further arms were expected to bring there, and what came.
        file: The study file, where it lay when it ran; empty in the results of an older version.
        auto: Why the rounds of further arms ended; empty where there were none.
        not_worse: What the study asks of two arms and a margin.
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
    curve_tokens: Mapping[str, int] = field(default_factory=dict[str, int])
    shots: Sequence[str] = ()
    looks: int = 1
    score: Counted = "strict"
    form_methods: Sequence[str] = ()
    content_methods: Sequence[str] = ()
    constant: str = ""
    prices: tuple[float, float] | None = None
    requests_per_month: int | None = None
    choose_on: str = "dev"
    slices: Sequence[str] = ()
    diagnosis: Sequence[ArmDiagnosis] = ()
    parts: Sequence[ChainShares] = ()
    predicted: Sequence[Outcome] = ()
    file: str = ""
    auto: str = ""
    not_worse: Sequence[NotWorse] = ()

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
    def in_words(self) -> str:
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

    def measure_cost(self, study: StudyInfo) -> Cost | None:
        """What it costs: money where the model has a price, else the seconds of this machine.

        None where nobody knows.
        """
        info, making = self.info, self.info.making
        if not info.timed:
            return None if info.request_usd is None else Cost(0.0, info.request_usd, "usd")
        prices = info.prices if info.own_prices else study.prices
        if prices is not None:
            read, written = prices
            request = (read * self.prompt_tokens + written * self.completion_tokens) / 1e6
            return Cost(making.once if making and making.unit == "usd" else 0.0, request, "usd")
        once = making.once if making and making.unit == "seconds" else self.info.training_seconds
        return Cost(once, self.seconds, "seconds")

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
    def in_words(self) -> str:
        """``always “yes”``."""
        return f"always “{cut_text(' '.join(self.answer.split()), 40)}”"


@dataclass(frozen=True)
class Summary:
    """A study's figures: its arms in their order, and the answer in words.

    ``warning`` is what has to be known before any of them is read; empty where there is nothing.
    ``duel`` is the chosen arm against its runner-up, where neither is the baseline. ``slices`` is
    what came out for parts of the test rows, where the study asks for it. ``article`` are the lines
    of the article that the study confirms or refutes. ``not_worse`` answers what the study asks of
    two arms and a margin.
    """

    study: StudyInfo
    arms: tuple[ArmSummary, ...]
    recommendation: Recommendation
    n_test: int
    n_groups: int
    curve: Curve | None = None
    constant: Constant | None = None
    warning: str = ""
    duel: Duel | None = None
    slices: Slices | None = None
    article: tuple[ArticleLine, ...] = ()
    not_worse: tuple[NotWorseAnswer, ...] = ()

    @property
    def open_comparisons(self) -> list[str]:
        """What would settle each comparison that is open, and what its test could have shown."""
        lines = [
            f"{arm.name} or {self.study.baseline}: {arm.verdict.more} would tell"
            + (
                f"; this test shows {format_points(arm.verdict.detectable).lstrip('+')} points"
                if arm.verdict.detectable is not None
                else ""
            )
            for arm in self.arms
            if arm.verdict.more
        ]
        if self.duel is not None and self.duel.answer == "cannot tell":
            names = f"{self.duel.first.name} or {self.duel.second.name}"
            lines.append(f"{names}: {self.duel.needs.words} would tell")
        return lines

    def arm(self, name: str) -> ArmSummary | None:
        """The arm of that name, if there is one."""
        return next((arm for arm in self.arms if arm.name == name), None)
