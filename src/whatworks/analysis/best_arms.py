"""The best of a study: the chosen arm against its runner-up, and all that could be best. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whatworks.analysis.contenders import Contender, Duel, compare_two
from whatworks.analysis.figures import ArmSummary, StudyInfo
from whatworks.analysis.score_table import Scores
from whatworks.analysis.tied_set import find_tied
from whatworks.base.phrasing import join_names


def compare_best(
    arms: Sequence[ArmSummary],
    winner: str | None,
    study: StudyInfo,
    scores: Mapping[str, Scores],
    groups: Mapping[str, str],
) -> Duel | None:
    """The winner against the best of the others on dev; None where one of them is the baseline.

    Args:
        arms: All arms.
        winner: The one that was chosen on dev.
        study: The study.
        scores: Arm to scores on test.
        groups: Example id to group.
    """
    others = [
        (score, arm)
        for arm in arms
        if arm.score and not arm.info.oracle and (score := arm.info.seen_score) is not None
        if arm.name != winner
    ]
    first = next((arm for arm in arms if arm.name == winner), None)
    if not others or first is None or first.name == study.baseline:
        return None
    second = max(others, key=lambda one: one[0])[1]
    if second.name == study.baseline:
        return None
    pair = [
        Contender(
            arm.name,
            scores[arm.name],
            arm.measure_cost(study),
            arm.prompt_tokens + arm.completion_tokens,
            trained=arm.info.training_seconds > 0,
        )
        for arm in (first, second)
    ]
    return compare_two(
        pair[0], pair[1], groups, margin=study.min_effect, requests=study.requests_per_month
    )


def describe_tied(
    arms: Sequence[ArmSummary],
    study: StudyInfo,
    scores: Mapping[str, Scores],
    groups: Mapping[str, str],
) -> str:
    """Which arms test cannot tell from the best, where there are more than two; else ""."""
    usable = [arm for arm in arms if arm.score is not None and not arm.info.oracle]
    tied = find_tied(
        {arm.name: scores[arm.name] for arm in usable},
        groups,
        failed=[arm.name for arm in usable if arm.lost],
        look=study.looks,
    )
    if tied is None or len(tied.members) < 3:
        return ""
    return f"As the best, test cannot tell apart {join_names(tied.members)}."
