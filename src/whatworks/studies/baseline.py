"""The baseline of a study: what the other arms are compared with."""

from __future__ import annotations

from collections.abc import Sequence

from whatworks.base.phrasing import format_percent, join_names
from whatworks.methods.bench.examiner import mean
from whatworks.studies.arm_entries import Arm
from whatworks.studies.decisions import Decision

WRITTEN = frozenset({"zero-shot", "prompt"})
"""Methods whose arms are hand-written prompts and nothing else."""


def list_written(arms: Sequence[Arm]) -> list[str]:
    """The arms that are hand-written prompts and nothing else.

    Those of other models only where the study's own has none.
    """
    written = [
        arm for arm in arms if arm.rows is None and set(arm.chain.name.split("+")) <= WRITTEN
    ]
    return [arm.name for arm in written if arm.model is None] or [arm.name for arm in written]


def choose_baseline(
    named: str | None, arms: Sequence[Arm], decided: Sequence[Decision]
) -> tuple[str, str]:
    """The arm that the others are compared with, and why it is that one; "" where the file says so.

    Without a baseline in the file it is the best hand-written prompt on dev: what a practitioner
    would have without any of the other methods.

    Args:
        named: The baseline that the study file names.
        arms: Those on the board, in the file's order.
        decided: What was decided of them on dev.
    """
    names = [arm.name for arm in arms]
    if named and named in names:
        return named, ""
    best, scores = choose_best_prompt(decided, list_written(arms))
    if best is None:
        return names[0], ""
    if len(scores) == 1:
        return best, ""
    shown = join_names([f"{name} {format_percent(score)}" for name, score in scores.items()])
    return best, f"The baseline is {best}, the best hand-written prompt on dev: {shown}."


def choose_best_prompt(
    decisions: Sequence[Decision], written: Sequence[str]
) -> tuple[str | None, dict[str, float]]:
    """The baseline of a study: the hand-written prompt that is best on dev, the first among equals.

    Args:
        decisions: What was decided on dev.
        written: Names of the arms with hand-written prompts and nothing else.

    Returns:
        The arm, None where none of them has a score, and their scores.
    """
    scores: dict[str, float] = {}
    content: dict[str, float] = {}
    for name in written:
        mine = [one for one in decisions if one.arm == name and one.dev_score is not None]
        if mine:
            scores[name] = mean([one.dev_score or 0.0 for one in mine])
            content[name] = mean([one.dev_content for one in mine])
    best = max(scores, key=lambda name: (scores[name], content[name]), default=None)
    return best, scores
