"""What a study asks of two of its arms, answered from their test rows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whatworks.analysis.figures import ArmSummary, StudyInfo
from whatworks.analysis.not_worse import NotWorseAnswer, answer_not_worse
from whatworks.analysis.score_table import Scores


def answer_questions(
    arms: Sequence[ArmSummary],
    study: StudyInfo,
    scores: Mapping[str, Scores],
    groups: Mapping[str, str],
) -> tuple[NotWorseAnswer, ...]:
    """Every ``not_worse`` of the study, with what its arms cost.

    Args:
        arms: All arms.
        study: The study.
        scores: Arm to scores on test.
        groups: Example id to group.
    """
    return answer_not_worse(
        study.not_worse,
        scores,
        groups,
        {arm.name: arm.measure_cost(study) for arm in arms if arm.score is not None},
        requests=study.requests_per_month,
        failed=[arm.name for arm in arms if arm.lost],
        look=study.looks,
    )
