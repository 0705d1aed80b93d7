"""What a study says in figures and words: everything that a report shows, from the rows. Pure.

``summarise`` is the only place where rows become figures: the terminal table and the HTML page show
the same ``Summary``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from whatworks.analysis.comparison import Comparison, compare, compare_all, mean_interval
from whatworks.analysis.cut_answers import cut_findings, cut_share
from whatworks.analysis.exported import describe_export, judge_exported
from whatworks.analysis.figures import ArmInfo, ArmSummary, Failure, StudyInfo, Summary
from whatworks.analysis.learning_curve import Curve, Point, crossover
from whatworks.analysis.lost_seeds import count_lost, describe_lost, lost_seeds
from whatworks.analysis.result_rows import Row
from whatworks.analysis.retrieval_or_reading import retrieval_or_reading
from whatworks.analysis.score_table import Scores
from whatworks.analysis.shortfall import shortfalls
from whatworks.analysis.verdict import (
    Option,
    Standing,
    Verdict,
    choose,
    judge,
    recommend,
    show_decided,
)
from whatworks.data.task import Example


def summarise(
    rows: Iterable[Row],
    *,
    arms: Sequence[ArmInfo],
    study: StudyInfo,
    examples: Sequence[Example] = (),
) -> Summary:
    """Compute every figure of a report.

    Args:
        rows: One per (arm, seed, test example), and one per failed seed.
        arms: The arms in the order in which they are shown; rows of others are left out.
        study: The study.
        examples: The test examples; without them nothing is said of the mistakes of a tuned arm
            that ends below an untuned one.
    """
    by_arm: dict[str, list[Row]] = {arm.name: [] for arm in arms}
    groups: dict[str, str] = {}
    for row in rows:
        if row.arm in by_arm:
            by_arm[row.arm].append(row)
            if row.status == "scored":
                groups[row.example] = row.group or row.example
    lost = {name: lost_seeds(own) for name, own in by_arm.items()}
    scores = {name: count_lost(_scores(own), lost[name]) for name, own in by_arm.items()}
    found, verdicts = _judge(arms, study, scores, groups, lost)
    shown = tuple(
        _arm(
            info,
            by_arm[info.name],
            groups,
            found.get(info.name),
            verdicts.get(info.name) or _uncompared(info.name, scores, study.baseline),
            scores[info.name],
        )
        for info in arms
    )
    shown = _with_exports(shown, study, scores, groups)
    recommendation = recommend(
        [_standing(arm) for arm in shown],
        baseline=study.baseline,
        winner=_winner(shown, study),
        min_effect=study.min_effect,
    )
    trained = [arm.name for arm in arms if arm.training_seconds]
    only = [
        arm.name
        for arm in arms
        if arm.settings.get("rag", {}).get("passages") == "gold" and arm.name not in trained
    ]
    oracles = [arm.name for arm in arms if arm.oracle]
    why = retrieval_or_reading(
        by_arm, oracles=oracles, gold=only[0] if only else "", trained=trained
    )
    why = [*cut_findings({arm.name: arm.cut for arm in shown}), *why]
    why += shortfalls(shown, by_arm, study, examples)
    return Summary(
        replace(study, findings=tuple(dict.fromkeys((*study.findings, *why)))),
        shown,
        recommendation,
        len(groups),
        len(set(groups.values())),
        curve=_curve(shown, study, scores, groups),
    )


def _judge(
    arms: Sequence[ArmInfo],
    study: StudyInfo,
    scores: Mapping[str, Scores],
    groups: Mapping[str, str],
    lost: Mapping[str, Sequence[int]],
) -> tuple[dict[str, Comparison], dict[str, Verdict]]:
    """Every arm against the baseline: the comparisons as they are shown, and the verdicts."""
    base = scores.get(study.baseline)
    others = {n: own for n, own in scores.items() if own and n != study.baseline}
    if not base:
        return {}, {}
    failed = {arm.name: describe_lost(len(lost[arm.name]), arm.seeds) for arm in arms}
    found = compare_all(
        others, base, groups, failed=[n for n in others if failed[n]], look=study.looks
    )
    verdicts = judge(found, min_effect=study.min_effect, failures=failed)
    shown = {n: show_decided(one, min_effect=study.min_effect) for n, one in found.items()}
    return shown, verdicts


def _with_exports(
    arms: Sequence[ArmSummary],
    study: StudyInfo,
    scores: Mapping[str, Scores],
    groups: Mapping[str, str],
) -> tuple[ArmSummary, ...]:
    """The arms with what is shipped of each that has several seeds."""
    base = scores.get(study.baseline)
    compared = [arm for arm in arms if arm.difference is not None]
    seeds = {
        arm.name: arm.info.exported
        for arm in compared
        if arm.info.exported is not None and arm.info.seeds > 1
    }
    exports = judge_exported(
        {arm.name: scores[arm.name] for arm in compared},
        seeds,
        base or {},
        groups,
        min_effect=study.min_effect,
        look=study.looks,
    )
    return tuple(replace(arm, exported=exports.get(arm.name)) for arm in arms)


def _curve(
    arms: Sequence[ArmSummary],
    study: StudyInfo,
    scores: Mapping[str, Scores],
    groups: Mapping[str, str],
) -> Curve | None:
    """The study's learning curve against the k-shot that is best on dev."""
    own = sorted((a for a in arms if a.name in study.curve), key=lambda a: a.info.rows)
    if not own:
        return None
    shots = [arm for arm in arms if arm.name in study.shots and arm.score is not None]
    best = choose([_option(arm) for arm in shots], min_effect=study.min_effect)
    against = next((_point(arm) for arm in shots if arm.name == best), None)

    def point(arm: ArmSummary) -> Point:
        if against is None or arm.score is None:
            return _point(arm)
        found = compare(scores[arm.name], scores[against.arm], groups)
        return replace(_point(arm), difference=found)

    points = tuple(point(arm) for arm in own)
    compared = [(p.rows, p.difference) for p in points if p.difference is not None]
    return Curve(own[0].name.partition("@")[0], points, against, crossover(compared))


def _point(arm: ArmSummary) -> Point:
    return Point(
        arm.name,
        arm.info.rows,
        arm.score,
        None,
        prompt_tokens=arm.prompt_tokens,
        seconds=arm.seconds,
    )


def _scores(rows: Iterable[Row]) -> Scores:
    return {(row.seed, row.example): row.value for row in rows if row.status == "scored"}


def _uncompared(name: str, scores: Mapping[str, Scores], baseline: str) -> Verdict:
    """The verdict of an arm that there was nothing to compare with."""
    if not scores[name]:
        return Verdict("failed", "no test answers to compare")
    if name == baseline:
        return Verdict("baseline", "the others are compared with it")
    return Verdict("cannot tell", f"the baseline {baseline!r} has no test answers")


def _arm(
    info: ArmInfo,
    rows: Sequence[Row],
    groups: Mapping[str, str],
    difference: Comparison | None,
    verdict: Verdict,
    scores: Scores,
) -> ArmSummary:
    failures = _failures(rows)
    scored = [row for row in rows if row.status == "scored"]
    if not scored:
        return ArmSummary(info, verdict, failures=failures)
    score = mean_interval(scores, groups)
    parts = sorted({name for row in scored for name in row.parts})
    return ArmSummary(
        info=info,
        verdict=verdict,
        score=score,
        lenient=sum(row.lenient for row in scored) / len(scores),  # a lost seed has none
        difference=difference,
        kinds=dict(Counter(row.kind for row in scored).most_common()),
        parts={p: _mean(row.parts[p] for row in scored if p in row.parts) for p in parts},
        prompt_tokens=_mean(row.prompt_tokens for row in scored),
        completion_tokens=_mean(row.completion_tokens for row in scored),
        reasoning_tokens=_mean(row.reasoning_tokens for row in scored),
        cut=cut_share(scored),
        seconds=_mean(row.seconds for row in scored),
        drop=None if info.dev_score is None else info.dev_score - score.value,
        seeds=len({row.seed for row in scored}),
        failures=failures,
    )


def _failures(rows: Iterable[Row]) -> tuple[Failure, ...]:
    alike: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.status == "failed":
            alike.setdefault((row.cause, row.remedy), []).append(row)
    return tuple(
        Failure(tuple(sorted(row.seed for row in those)), *why, place=those[0].place)
        for why, those in alike.items()
    )


def _winner(arms: Sequence[ArmSummary], study: StudyInfo) -> str | None:
    """The winner written down before test was opened, or the same rule applied here."""
    scored = [arm for arm in arms if arm.score is not None and not arm.info.oracle]
    if study.winner in {arm.name for arm in scored}:
        return study.winner
    return choose([_option(arm) for arm in scored], min_effect=study.min_effect)


def _option(arm: ArmSummary) -> Option:
    return Option(
        arm.name,
        arm.info.dev_score,
        tokens=arm.prompt_tokens + arm.completion_tokens,
        trained=arm.info.training_seconds > 0,
    )


def _standing(arm: ArmSummary) -> Standing:
    return Standing(
        name=arm.name,
        verdict=arm.verdict,
        score=arm.score,
        difference=arm.difference,
        dev_score=arm.info.dev_score,
        prompt_tokens=arm.prompt_tokens,
        seconds=arm.seconds,
        training_seconds=arm.info.training_seconds,
        cause=arm.failures[0].cause if arm.failures else "",
        oracle=arm.info.oracle,
        lost=describe_lost(arm.lost, arm.info.seeds),
        shipped=describe_export(arm.exported, arm.verdict, arm.difference)
        if arm.exported and arm.difference
        else (),
    )


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
