"""Claims about prompts that are adjusted by themselves, and about the choice as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whatworks.analysis.comparison import Scores
from whatworks.analysis.method_outcomes import MethodOutcome, SearchTrail
from whatworks.analysis.verdict import Option, choose
from whatworks.base.phrasing import format_percent, format_points
from whatworks_claims.claim import Claim
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import Contrast, Evidence, Table
from whatworks_claims.kinds import ArmEntry
from whatworks_claims.outcome import Outcome
from whatworks_claims.study_plan import ClaimStudy, Step

Outcomes = Mapping[str, Outcome]
CHOICES = ("json", "category", "open-notes")
NOT_OFFERED = ("gold", "wrong")
"""Arms that measure what passages do, and that nobody can deploy."""


def _plan_search(desk: Desk) -> ClaimStudy:
    searched: ArmEntry = {
        "prompt-search": {"rounds": desk.n(3, 2), "calls": desk.n(500, 240), "helper": False}
    }
    task = desk.source.make_labelled().replace(name="search")
    return ClaimStudy(task, ("zero-shot", searched))


STEPS = (Step("search", _plan_search),)


def _weigh_search(outcomes: Outcomes) -> Evidence:
    outcome = outcomes["search"]
    if missing := outcome.has("zero-shot", "prompt-search"):
        return Evidence(missing=missing)
    arm = outcome.summary.arm("prompt-search") if outcome.summary else None
    notes: list[str] = []
    if arm is not None and arm.info.dev_score is not None and arm.score is not None:
        drop = arm.info.dev_score - arm.score.value
        notes.append(
            f"On dev the found prompt scores {format_percent(arm.info.dev_score)}, "
            f"{format_points(-drop)} points on test."
        )
        notes += _describe_trail(arm.info.outcomes)
    return Evidence(
        contrasts=(
            outcome.contrast("prompt-search", "zero-shot", "searched prompt less the seed prompt"),
            outcome.above(
                "prompt-search", outcome.guess, "searched prompt less one answer for all"
            ),
        ),
        tables=(outcome.table("The seed prompt and the found ones"),),
        samples=outcome.samples(("zero-shot", "prompt-search")),
        notes=tuple(notes),
    )


def _describe_trail(outcomes: Sequence[Sequence[MethodOutcome]]) -> list[str]:
    """The first run's search, edit by edit."""
    for outcome in (outcome for run in outcomes for outcome in run):
        if isinstance(outcome, SearchTrail):
            edits = [f"{step.edit} {format_percent(step.score)}" for step in outcome.steps]
            return [f"One search, on its part of train: {'; '.join(edits)}."]
    return []


def _weigh_choice(outcomes: Outcomes) -> Evidence:
    taken: dict[tuple[int, str], float] = {}
    best: dict[tuple[int, str], float] = {}
    base: dict[tuple[int, str], float] = {}
    groups: dict[str, str] = {}
    lines: list[tuple[str, ...]] = []
    seeds = max((row.seed + 1 for study in outcomes.values() for row in study.rows), default=1)
    for name, study in outcomes.items():
        if missing := study.has("zero-shot"):
            return Evidence(missing=missing)
        names = dict.fromkeys(row.arm for row in study.rows if row.status == "scored")
        arms = [arm for arm in names if arm not in NOT_OFFERED]
        chosen = _choose_arm(study, arms)
        top = max(arms, key=lambda arm, study=study: study.level(arm).value)
        for pool, arm in ((taken, chosen), (best, top)):
            pool.update(pool_scores(study.scores(arm), name, seeds))
        base.update(_compute_floor(study, name, seeds))
        groups.update({f"{name}/{id_}": f"{name}/{g}" for id_, g in study.groups.items()})
        lines.append(
            (
                name,
                chosen,
                format_percent(study.level(chosen).value),
                top,
                format_percent(study.level(top).value),
                format_percent(study.level("zero-shot").value),
            )
        )
    columns = ("study", "chosen on dev", "its test score", "best on test", "its score", "untouched")
    return Evidence(
        contrasts=(
            Contrast(
                "chosen arm less the untouched model or one answer for all", taken, base, groups
            ),
            Contrast("chosen arm less the best in hindsight", taken, best, groups, smallest=-0.05),
        ),
        tables=(Table("Chosen before test was opened, and in hindsight", columns, tuple(lines)),),
    )


def _compute_floor(outcome: Outcome, name: str, seeds: int) -> dict[tuple[int, str], float]:
    """The untouched model's scores, or what one answer for all would give where that is more."""
    scores = pool_scores(outcome.scores("zero-shot"), name, seeds)
    if outcome.level("zero-shot").value >= outcome.guess:
        return scores
    return dict.fromkeys(scores, outcome.guess)


def pool_scores(scores: Scores, name: str, seeds: int) -> dict[tuple[int, str], float]:
    """Scores of one study among those of others, for each of as many seeds.

    An arm with fewer seeds has its own again, so that all stand side by side and the spread of
    those that have several stays in the interval.
    """
    own = sorted({seed for seed, _ in scores})
    return {
        (seed, f"{name}/{example}"): value
        for seed in range(seeds)
        for (mine, example), value in scores.items()
        if mine == own[seed % len(own)]
    }


def _choose_arm(outcome: Outcome, arms: Sequence[str]) -> str:
    """The arm that dev recommends, by the same rule as in every study."""
    options = [
        Option(
            arm.name,
            arm.info.dev_score,
            tokens=arm.prompt_tokens + arm.completion_tokens,
            trained=arm.info.training_seconds > 0,
        )
        for arm in (outcome.summary.arms if outcome.summary else ())
        if arm.name in arms
    ]
    return choose(options) or arms[0]


CLAIMS = (
    Claim(
        "prompt.auto",
        "Prompts can be adjusted automatically from the patterns of their errors.",
        "A seed prompt against a search that edits it by the patterns of its errors on dev, one "
        "search for each seed. Holds when the found prompt is more than 5 points ahead on test, "
        "and of one answer to everything.",
        ("search",),
        _weigh_search,
        "12 points (GEPA); some searches end below their seed.",
    ),
    Claim(
        "choose",
        "Consider fine-tuning and the alternatives, then choose.",
        "In studies of form and of facts, the arm that dev recommends before test is opened, "
        "against the best arm in hindsight. Holds when the choice is more than 5 points ahead of "
        "the untouched model (or of one answer for all, where that is better) and no more than 5 "
        "behind the best, over all studies.",
        CHOICES,
        _weigh_choice,
    ),
)
