"""What a study says in figures and words: everything that a report shows, from the rows. Pure.

``summarise`` is the only place where rows become figures: the terminal table and the HTML page show
the same ``Summary``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from whatworks.analysis.article_of_study import judge_study
from whatworks.analysis.aspects import (
    Against,
    Aspects,
    Judged,
    apply_aspects,
    classify_answer,
    hold_to_constant,
    measure_aspects,
)
from whatworks.analysis.best_arms import compare_best, describe_tied
from whatworks.analysis.comparison import Comparison, compare, estimate_mean
from whatworks.analysis.cut_answers import measure_cut_share, warn_of_cuts
from whatworks.analysis.exported import judge_exported
from whatworks.analysis.figures import (
    ArmInfo,
    ArmSummary,
    Constant,
    SeedFailure,
    StudyInfo,
    Summary,
)
from whatworks.analysis.form import Marks
from whatworks.analysis.learning_curve import Curve, Point, find_crossover
from whatworks.analysis.lost_seeds import count_lost, describe_lost, find_lost_seeds
from whatworks.analysis.missing_answers import list_missing
from whatworks.analysis.questions import answer_questions
from whatworks.analysis.recommendation import ArmStanding, recommend
from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.retrieval_or_reading import describe_retrieval
from whatworks.analysis.score_table import Scores
from whatworks.analysis.shortfall import describe_shortfalls
from whatworks.analysis.slices import Slices, judge_slices, slice_rows
from whatworks.analysis.verdict import Option, Verdict, choose
from whatworks.base.phrasing import format_percent, join_names
from whatworks.data.task import Counted, Example


def summarise(
    rows: Iterable[ResultRow],
    *,
    arms: Sequence[ArmInfo],
    study: StudyInfo,
    examples: Sequence[Example] = (),
    constant: Sequence[ResultRow] = (),
) -> Summary:
    """Compute every figure of a report.

    Args:
        rows: One per (arm, seed, test example), and one per failed seed.
        arms: The arms in the order in which they are shown; rows of others are left out.
        study: The study.
        examples: The test examples; without them nothing is said of the mistakes of a tuned arm
            that ends below an untuned one.
        constant: The rows of the best constant answer.
    """
    by_arm: dict[str, list[ResultRow]] = {arm.name: [] for arm in arms}
    groups: dict[str, str] = {}
    for row in rows:
        if row.arm in by_arm:
            by_arm[row.arm].append(row)
            if row.status == "scored":
                groups[row.example] = row.group or row.example
    lost = {name: find_lost_seeds(own) for name, own in by_arm.items()}
    marks = {name: _collect_marks(own, lost[name]) for name, own in by_arm.items()}
    scores = {name: _select_scores(own, study.score) for name, own in marks.items()}
    against = Against(
        study.baseline,
        groups,
        study.min_effect,
        {arm.name: describe_lost(len(lost[arm.name]), arm.seeds) for arm in arms},
        study.looks,
        study.winner,
    )
    always = _score_constant(constant, study, scores, groups)
    judged, aspects = _judge(study, marks, against, constant, always)
    shown = tuple(
        _summarise_arm(
            info,
            by_arm[info.name],
            groups,
            judged.differences.get(info.name),
            judged.verdicts.get(info.name) or _make_uncompared(info, scores, study.baseline),
            scores[info.name],
        )
        for info in arms
    )
    shown = tuple(
        replace(arm, content=aspects.content.get(arm.name), form=aspects.form.get(arm.name))
        for arm in _add_exports(shown, study, scores, groups)
    )
    duel = compare_best(shown, _choose_winner(shown, study), study, scores, groups)
    recommendation = recommend(
        [_make_standing(arm) for arm in shown],
        baseline=study.baseline,
        winner=_choose_winner(shown, study),
        min_effect=study.min_effect,
        ways=study.ways,
        constant=_describe_constant(always, shown),
        duel=duel,
        tied=describe_tied(shown, study, scores, groups),
        seen=study.choose_on,
    )
    trained = [arm.name for arm in arms if arm.training_seconds]
    only = [arm.name for arm in arms if arm.passages == "gold" and arm.name not in trained]
    oracles = [arm.name for arm in arms if arm.oracle]
    if study.score == "lenient":  # what counts is what they speak of
        by_arm = {n: [replace(r, value=r.lenient) for r in own] for n, own in by_arm.items()}
    why = list_missing([row for own in by_arm.values() for row in own])
    why += describe_retrieval(
        by_arm, oracles=oracles, gold=only[0] if only else "", trained=trained
    )
    why += describe_shortfalls(shown, by_arm, study, examples)
    slices = _judge_slices(study, arms, scores, examples, groups, lost)
    if slices is not None and slices.worse:
        why.append(f"Worse than {study.baseline}: {join_names(slices.worse)}.")
    return Summary(
        replace(study, findings=tuple(dict.fromkeys((*study.findings, *why)))),
        shown,
        recommendation,
        len(groups),
        len(set(groups.values())),
        curve=_build_curve(shown, study, scores, groups),
        constant=always,
        warning=warn_of_cuts({arm.name: arm.cut for arm in shown}),
        duel=duel,
        slices=slices,
        article=judge_study(shown, study, marks, groups),
        not_worse=answer_questions(shown, study, scores, groups),
    )


def _judge_slices(
    study: StudyInfo,
    arms: Sequence[ArmInfo],
    scores: Mapping[str, Scores],
    examples: Sequence[Example],
    groups: Mapping[str, str],
    lost: Mapping[str, Sequence[int]],
) -> Slices | None:
    """What came out for parts of the test rows; None where the study does not ask."""
    if not study.slices or not examples:
        return None
    judged = {arm.name: scores[arm.name] for arm in arms if not arm.oracle}
    return judge_slices(
        judged,
        study.baseline,
        {column: slice_rows(examples, column) for column in study.slices},
        groups,
        min_effect=study.min_effect,
        failed=[name for name in judged if lost[name]],
        look=study.looks,
    )


def _judge(
    study: StudyInfo,
    marks: Mapping[str, Marks],
    against: Against,
    constant: Sequence[ResultRow],
    always: Constant | None,
) -> tuple[Judged, Aspects]:
    """Every arm against the baseline and the constant answer, and what its score is made of."""
    judged = against.scores({n: _select_scores(own, study.score) for n, own in marks.items()})
    aspects = measure_aspects({n: own for n, own in marks.items() if own.strict}, against)
    verdicts = judged.verdicts
    if study.score == "strict":
        verdicts = {
            name: apply_aspects(one, aspects.content.get(name), aspects.form.get(name))
            for name, one in verdicts.items()
        }
    if always is not None:
        verdicts = hold_to_constant(
            verdicts,
            marks,
            _collect_marks(constant),
            against,
            words=always.in_words,
            counts=study.score,
        )
    return replace(judged, verdicts=verdicts), aspects


def _add_exports(
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
        first=study.winner,
        look=study.looks,
    )
    return tuple(replace(arm, exported=exports.get(arm.name)) for arm in arms)


def _build_curve(
    arms: Sequence[ArmSummary],
    study: StudyInfo,
    scores: Mapping[str, Scores],
    groups: Mapping[str, str],
) -> Curve | None:
    """The study's learning curve against the k-shot that is best on dev."""
    sizes = {a.name: study.curve_tokens.get(a.name, a.info.rows) for a in arms}
    own = sorted((a for a in arms if a.name in study.curve), key=lambda a: sizes[a.name])
    if not own:
        return None
    shots = [arm for arm in arms if arm.name in study.shots and arm.score is not None]
    best = choose([_make_option(arm) for arm in shots], min_effect=study.min_effect)
    against = next((_make_point(arm) for arm in shots if arm.name == best), None)

    def point(arm: ArmSummary) -> Point:
        if against is None or arm.score is None:
            return _make_point(arm)
        comparison = compare(scores[arm.name], scores[against.arm], groups)
        return replace(_make_point(arm), difference=comparison)

    points = tuple(replace(point(arm), rows=sizes[arm.name]) for arm in own)
    compared = [(p.rows, p.difference) for p in points if p.difference is not None]
    unit = "tokens" if study.curve_tokens else "rows"
    return Curve(study.curve_arm, points, against, find_crossover(compared), unit)


def _make_point(arm: ArmSummary) -> Point:
    return Point(
        arm.name,
        arm.info.rows,
        arm.score,
        None,
        prompt_tokens=arm.prompt_tokens,
        seconds=arm.seconds,
    )


def _collect_marks(rows: Iterable[ResultRow], lost: Sequence[int] = ()) -> Marks:
    scored = [row for row in rows if row.status == "scored"]
    return Marks(
        count_lost({(row.seed, row.example): row.value for row in scored}, lost),
        count_lost({(row.seed, row.example): row.lenient for row in scored}, lost),
    )


def _select_scores(marks: Marks, score: Counted) -> Scores:
    return marks.lenient if score == "lenient" else marks.strict


def _score_constant(
    rows: Sequence[ResultRow],
    study: StudyInfo,
    scores: Mapping[str, Scores],
    groups: Mapping[str, str],
) -> Constant | None:
    """What the best constant answer comes to on test; None where the study has none."""
    if not rows:
        return None
    marks = _collect_marks(rows)
    own, base = _select_scores(marks, study.score), scores.get(study.baseline)
    return Constant(
        study.constant,
        estimate_mean(own, groups),
        estimate_mean(marks.lenient, groups),
        compare(own, base, groups) if base else None,
    )


def _describe_constant(constant: Constant | None, arms: Sequence[ArmSummary]) -> str:
    """The constant answer in a sentence, where an arm is no better in figures."""
    if constant is None:
        return ""
    level = constant.score.value
    below = [arm.name for arm in arms if arm.score is not None and arm.score.value <= level]
    if not below:
        return ""
    verb = "do" if len(below) > 1 else "does"
    return (
        f"To say {constant.in_words} without a model scores {format_percent(level)}: "
        f"{join_names(below)} {verb} not come above it."
    )


def _make_uncompared(info: ArmInfo, scores: Mapping[str, Scores], baseline: str) -> Verdict:
    """The verdict of an arm that there was nothing to compare with."""
    if not scores[info.name]:
        if info.left:
            return Verdict("behind on dev", info.left)
        return Verdict("failed", "no test answers to compare")
    if info.name == baseline:
        return Verdict("baseline", "the others are compared with it")
    return Verdict("cannot tell", f"the baseline {baseline!r} has no test answers")


def _summarise_arm(
    info: ArmInfo,
    rows: Sequence[ResultRow],
    groups: Mapping[str, str],
    difference: Comparison | None,
    verdict: Verdict,
    scores: Scores,
) -> ArmSummary:
    failures = _list_failures(rows)
    scored = [row for row in rows if row.status == "scored"]
    if not scored:
        return ArmSummary(info, verdict, failures=failures)
    score = estimate_mean(scores, groups)
    parts = sorted({name for row in scored for name in row.parts})
    return ArmSummary(
        info=info,
        verdict=verdict,
        score=score,
        lenient=sum(row.lenient for row in scored) / len(scores),  # a lost seed has none
        difference=difference,
        kinds=dict(Counter(map(classify_answer, scored)).most_common()),
        parts={p: _mean(row.parts[p] for row in scored if p in row.parts) for p in parts},
        prompt_tokens=_mean(row.prompt_tokens for row in scored),
        completion_tokens=_mean(row.completion_tokens for row in scored),
        reasoning_tokens=_mean(row.reasoning_tokens for row in scored),
        cut=measure_cut_share(scored),
        seconds=_mean(row.seconds for row in scored),
        drop=None if info.dev_score is None else info.dev_score - score.value,
        seeds=len({row.seed for row in scored}),
        failures=failures,
    )


def _list_failures(rows: Iterable[ResultRow]) -> tuple[SeedFailure, ...]:
    alike: dict[tuple[str, str], list[ResultRow]] = {}
    for row in rows:
        if row.status == "failed":
            alike.setdefault((row.cause, row.remedy), []).append(row)
    return tuple(
        SeedFailure(tuple(sorted(row.seed for row in those)), *why, place=those[0].place)
        for why, those in alike.items()
    )


def _choose_winner(arms: Sequence[ArmSummary], study: StudyInfo) -> str | None:
    """The winner written down before test was opened, or the same rule applied here."""
    scored = [arm for arm in arms if arm.score is not None and not arm.info.oracle]
    if study.winner in {arm.name for arm in scored}:
        return study.winner
    return choose([_make_option(arm) for arm in scored], min_effect=study.min_effect)


def _make_option(arm: ArmSummary) -> Option:
    return Option(
        arm.name,
        arm.info.dev_score,
        tokens=arm.prompt_tokens + arm.completion_tokens,
        trained=arm.info.training_seconds > 0,
        dev_content=arm.info.dev_content,
    )


def _make_standing(arm: ArmSummary) -> ArmStanding:
    return ArmStanding(
        name=arm.name,
        verdict=arm.verdict,
        score=arm.score,
        difference=arm.difference,
        dev_score=arm.info.seen_score,
        prompt_tokens=arm.prompt_tokens,
        seconds=arm.seconds,
        training_seconds=arm.info.training_seconds,
        cause=arm.failures[0].cause if arm.failures else "",
        oracle=arm.info.oracle,
        lost=describe_lost(arm.lost, arm.info.seeds),
        shipped=arm.shipped,
        chain=arm.info.chain,
        content=arm.content,
        form=arm.form,
        timed=arm.info.timed,
    )


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
