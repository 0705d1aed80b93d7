"""A study's arms, held against the article's lines (``article``). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from whatworks.analysis.article import ArticleArm, ArticleLine, judge_article
from whatworks.analysis.figures import ArmSummary, StudyInfo
from whatworks.analysis.form import Marks


def judge_study(
    arms: Sequence[ArmSummary],
    study: StudyInfo,
    marks: Mapping[str, Marks],
    groups: Mapping[str, str],
) -> tuple[ArticleLine, ...]:
    """What a study says of the article's lines.

    Args:
        arms: Its arms with their figures.
        study: The study.
        marks: Arm to its scores of both kinds, on test.
        groups: Row id to group.
    """
    lenient = study.score == "lenient"
    own = [
        ArticleArm(
            arm.name,
            arm.info.chain,
            arm.info.dev_score,
            marks[arm.name].lenient if lenient else marks[arm.name].strict,
            marks[arm.name].lenient,
            arm.form.difference if arm.form else None,
        )
        for arm in arms
        if arm.score is not None and not arm.info.oracle
    ]
    asks_facts = study.metric == "facts" or "rag" in study.content_methods
    effect = study.min_effect
    lines = judge_article(own, study.baseline, groups, min_effect=effect, asks_facts=asks_facts)
    return tuple(lines)
