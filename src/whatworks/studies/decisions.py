"""A run: one arm with one seed, what came of it, and which arm the runs recommend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from whatworks.analysis.cost import TRAINED, Cost
from whatworks.analysis.method_outcomes import MethodOutcome
from whatworks.analysis.result_rows import CONSTANT, ResultRow
from whatworks.analysis.verdict import MIN_EFFECT, Option, choose
from whatworks.analysis.wider_choice import widen_scores
from whatworks.base.errors import ArmFailure
from whatworks.base.frozen import hash_content
from whatworks.base.progress import Phase
from whatworks.data.task import Example
from whatworks.methods.bench.examiner import Answer, mean
from whatworks.metrics.score import Score
from whatworks.models.metering import Ledger
from whatworks.prompts.candidate import Candidate

ChoiceRows = Literal["dev", "dev+train", "dev+folds"]
"""What the choice looks at: dev, or train rows too, of the arms that were not trained on them; with
folds, those that were are made anew without each part of the train rows, and asked it."""


@dataclass(frozen=True)
class ChoiceRule:
    """How the arm to recommend is chosen.

    Attributes:
        min_effect: Smallest difference of scores that matters: arms within it tie.
        requests: Requests a month, where the user said how many.
        rows: What it looks at.
    """

    min_effect: float = MIN_EFFECT
    requests: int | None = None
    rows: ChoiceRows = "dev"


@dataclass
class ArmRun:
    """One arm with one seed: what came of it."""

    arm: str
    seed: int
    candidate: Candidate | None = None
    dev_score: float | None = None
    dev_content: float = 0.0
    dev_tokens: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)
    total: Ledger = field(default_factory=Ledger)
    """``ledger`` is what adapting took; ``total`` has the dev and test rows as well."""
    outcomes: list[MethodOutcome] = field(default_factory=list[MethodOutcome])
    failure: ArmFailure | None = None
    dev: list[Answer] = field(default_factory=list[Answer])
    """Its answers to rows of dev, in the order in which they were asked."""
    further: list[Answer] = field(default_factory=list[Answer])
    """Its answers to train rows, where the choice looks at them."""
    progress: Phase | None = None
    """The bar of its dev rows, once it has begun."""

    def take(self, answers: Sequence[Answer]) -> None:
        """Add answers to rows of dev."""
        self.dev += answers
        self.dev_score = mean([answer.score.counted for answer in self.dev])
        self.dev_content = mean([answer.score.forgiving for answer in self.dev])
        generations = [answer.generation for answer in self.dev]
        self.dev_tokens = mean([g.prompt_tokens + g.completion_tokens for g in generations])


@dataclass(frozen=True)
class Decision:
    """What was decided of a run on dev, as ``decisions.json`` has it.

    Attributes:
        candidate: Its content key; None when the run failed.
        dev_score: Mean score on dev, of the kind that counts.
        oracle: Whether it is shown what only a measurement knows, such as gold passages.
        dev_content: Mean lenient score on dev.
        cost: What it costs, in US dollars where the model has a price, else in tokens; None in the
            decisions of an older version.
        left: What it left a race on, in words; "" where it is opened on test.
        choice_score: Its arm's score as the choice sees it, where that looks at more than dev.
    """

    arm: str
    seed: int
    candidate: str | None
    dev_score: float | None
    dev_tokens: float
    trained: bool
    oracle: bool
    dev_content: float = 0.0
    cost: Cost | None = None
    left: str = ""
    choice_score: float | None = None


def widen_choice(runs: Sequence[ArmRun]) -> dict[str, float]:
    """The score of each arm by dev and train rows (``wider_choice``); {} where none was asked."""
    dev: dict[str, list[ArmRun]] = {}
    for run in runs:
        if run.candidate is not None and run.dev:
            dev.setdefault(run.arm, []).append(run)
    further = {arm: asked for arm, own in dev.items() if (asked := _list_asked(own))}
    if not further:
        return {}
    return widen_scores(
        {arm: _average_rows([run.dev for run in own]) for arm, own in dev.items()},
        {arm: _average_rows([run.further for run in own]) for arm, own in further.items()},
    )


def _list_asked(runs: Sequence[ArmRun]) -> list[ArmRun]:
    """The runs of an arm that were asked train rows: all of them, or the one that has folds."""
    asked = [run for run in runs if run.further]
    folds = any(run.candidate is not None and run.candidate.fitted for run in asked)
    return asked if folds or len(asked) == len(runs) else []


def _average_rows(runs: Sequence[Sequence[Answer]]) -> dict[str, float]:
    """Row to its mean score over runs."""
    values: dict[str, list[float]] = {}
    for answer in (one for answers in runs for one in answers):
        values.setdefault(answer.example.id, []).append(answer.score.counted)
    return {row: mean(own) for row, own in values.items()}


def make_decision(
    run: ArmRun, left: str = "", widened: Mapping[str, float] | None = None
) -> Decision:
    """What is written down of a run before test is opened.

    Args:
        run: The run.
        left: What its arm left a race on.
        widened: Arm to score, where the choice looks at more than dev.
    """
    candidate = run.candidate
    return Decision(
        run.arm,
        run.seed,
        candidate.key if candidate else None,
        run.dev_score,
        run.dev_tokens,
        trained=bool(candidate and candidate.weights.stages),
        oracle=bool(candidate and candidate.prompt.oracle),
        dev_content=run.dev_content,
        cost=measure_cost(run) if run.dev_score is not None else None,
        left=left,
        choice_score=(widened or {}).get(run.arm) if run.dev_score is not None else None,
    )


def measure_cost(run: ArmRun) -> Cost:
    """What a run costs, by what its dev rows took: before test rows are in ``run.total``.

    Tokens that are trained on count ``TRAINED`` times.
    """
    adapting, asked = run.ledger, run.total
    usd, tokens = asked.usd - adapting.usd, asked.all_tokens - adapting.all_tokens
    if usd > 0 and tokens:
        return Cost(adapting.all_usd, usd / tokens * run.dev_tokens, "usd")
    once = float(adapting.all_tokens + TRAINED * adapting.training_tokens)
    return Cost(once, run.dev_tokens, "tokens")


def choose_winner(decisions: Sequence[Decision], rule: ChoiceRule) -> str | None:
    """The arm to recommend, before test: ``verdict.choose`` over the runs that did not fail.

    A seed that failed counts as 0. Arms that are shown what only a measurement knows can't be used,
    and one that left a race is behind.
    """
    by_arm: dict[str, list[Decision]] = {}
    for one in decisions:
        by_arm.setdefault(one.arm, []).append(one)
    in_it = [one for one in decisions if one.dev_score is not None and not (one.oracle or one.left)]
    wide = all(one.choice_score is not None for one in in_it)  # else some were decided before
    options: list[Option] = []
    for arm, mine in by_arm.items():
        if any(one.oracle or one.left for one in mine):
            continue
        seen = [one.choice_score if wide else one.dev_score for one in mine]
        scores = [score for score in seen if score is not None]
        options.append(
            Option(
                name=arm,
                dev_score=sum(scores) / len(mine) if scores else None,
                tokens=mean([one.dev_tokens for one in mine if one.dev_score is not None]),
                trained=any(one.trained for one in mine),
                dev_content=mean([one.dev_content for one in mine if one.dev_score is not None]),
                cost=_average([one.cost for one in mine if one.cost is not None]),
            )
        )
    return choose(options, min_effect=rule.min_effect, requests=rule.requests)


def _average(costs: Sequence[Cost]) -> Cost | None:
    """The mean over seeds."""
    if not costs:
        return None
    return Cost(mean([c.once for c in costs]), mean([c.request for c in costs]), costs[0].unit)


def make_constant_row(example: Example, answer: str, score: Score) -> ResultRow:
    """The best constant answer to one example; no model was asked."""
    return ResultRow(
        arm=CONSTANT,
        seed=0,
        status="scored",
        example=example.id,
        group=example.group or example.id,
        output=answer,
        value=score.value,
        lenient=score.forgiving,
        kind=score.kind,
        feedback=score.feedback,
        candidate=hash_content([CONSTANT, answer]),
        parts=dict(score.parts),
    )


def make_row(run: ArmRun, candidate: Candidate, answer: Answer) -> ResultRow:
    """One answer of a run, as it is written down."""
    example, generation, score = answer.example, answer.generation, answer.score
    return ResultRow(
        arm=run.arm,
        seed=run.seed,
        status="scored",
        example=example.id,
        group=example.group or example.id,
        output=generation.text,
        value=score.value,
        lenient=score.forgiving,
        kind=score.kind,
        feedback=score.feedback,
        prompt_tokens=generation.prompt_tokens,
        completion_tokens=generation.completion_tokens,
        seconds=generation.seconds,
        logprob=generation.logprob,
        candidate=candidate.key,
        parts=dict(score.parts),
        finish=generation.finish,
        reasoning=generation.reasoning,
        reasoning_tokens=generation.reasoning_tokens,
    )
