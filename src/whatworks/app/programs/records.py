"""What commands found, as JSON for programs. Rows of the data, and ids of them, are never in it.

Every record has a ``schema``, a name and a number: ``whatworks.verdict/1``. Keys may be added to a
number; one that goes or changes its meaning makes the next. ``record_shapes`` has the keys.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from whatworks.analysis.figures import Summary
from whatworks.analysis.next_step.predictions import Outcome, measure_outcomes
from whatworks.analysis.not_worse import NotWorseAnswer
from whatworks.app.library.result import Result
from whatworks.app.run_study import summarise_study
from whatworks.base.errors import WhatworksError
from whatworks.data.task import Task
from whatworks.studies.checks.finding import CheckFinding
from whatworks.studies.plan import StudyPlan
from whatworks.studies.rounds import Proposal
from whatworks.studies.study_folder import StudyFolder

Record = dict[str, Any]
_QUOTES_TEST = "not shown: it quotes test rows; `whatworks check` shows it"
_PLAIN = 4
"""Characters from which a text of a test row is looked for without quotation marks around it."""


def describe_check(findings: Sequence[CheckFinding], task: Task | None = None) -> Record:
    """``whatworks.check/1``: what each check found, and whether something spoils the result.

    Args:
        findings: Of the checks.
        task: Sentences that quote its test rows are left out.
    """
    hidden = _list_test_texts(task) if task else frozenset[str]()

    def show(text: str) -> str:
        return _QUOTES_TEST if _quotes(text, hidden) else text

    listed = [
        {
            "check": one.check,
            "level": one.level,
            "says": show(one.says),
            "rows": len(one.rows),
            "remedy": show(one.remedy),
        }
        for one in findings
    ]
    spoilt = any(one.level == "spoils" for one in findings)
    return {"schema": "whatworks.check/1", "spoilt": spoilt, "findings": listed}


def _list_test_texts(task: Task) -> frozenset[str]:
    """What stands in test rows and in no other."""
    splits = task.splits
    test, others = (
        {
            text
            for row in rows
            for text in (
                row.id,
                row.target,
                *row.inputs.values(),
                *(m.content for m in row.messages),
            )
            if text
        }
        for rows in (splits.test, (*splits.train, *splits.dev))
    )
    return frozenset(test - others)


def _quotes(text: str, hidden: Collection[str]) -> bool:
    return any(
        one in text if len(one) >= _PLAIN else any(f"{q}{one}" in text for q in "'\"“‘`")
        for one in hidden
    )


def describe_plan(plan: StudyPlan) -> Record:
    """``whatworks.plan/1``: seconds, US dollars (null where a price is unknown) and each arm."""
    prices = [arm.usd for arm in plan.arms]
    return {
        "schema": "whatworks.plan/1",
        "seconds": plan.seconds,
        "usd": None if None in prices else sum(price or 0.0 for price in prices),
        "rows": plan.rows,
        "arms": [asdict(arm) for arm in plan.arms],
        "after": asdict(plan.after),
        "reach": list(plan.reach.lines) if plan.reach else [],
    }


def describe_next(study: str, proposals: Sequence[Proposal], *, written: bool) -> Record:
    """``whatworks.next/1``: further arms, each as the study file has it, with what is expected."""
    arms = [{"entry": one.entry, **asdict(one.prediction)} for one in proposals]
    written = written and bool(arms)
    return {"schema": "whatworks.next/1", "study": study, "written": written, "arms": arms}


def describe_init(study: str, metric: str) -> Record:
    """``whatworks.init/1``: the study file that was written, and its metric."""
    return {"schema": "whatworks.init/1", "study": study, "metric": metric}


def describe_verdict(folder: Path, summary: Summary | None = None) -> Record:
    """``whatworks.verdict/1``: the answer in words, and each arm's figures and verdict.

    Raises:
        InputError: If the folder holds no finished study.
    """
    summary = summary or summarise_study(StudyFolder(folder))
    answer = summary.recommendation
    arms = Result(folder, summary).records
    for record, arm in zip(arms, summary.arms, strict=True):
        record["reason"] = arm.verdict.reason
        record["more"] = arm.verdict.more
    good = measure_outcomes(summary.study.predicted)
    return {
        "schema": "whatworks.verdict/1",
        "folder": str(folder),
        "model": summary.study.model,
        "metric": summary.study.metric,
        "baseline": summary.study.baseline,
        "best": answer.winner,
        "headline": answer.headline,
        "details": list(answer.details),
        "warning": summary.warning,
        "n_test": summary.n_test,
        "openings": summary.study.openings,
        "not_worse": [describe_not_worse(one) for one in summary.not_worse],
        "predicted": [describe_outcome(one) for one in summary.study.predicted],
        "foresight": asdict(good) if good else None,
        "auto": summary.study.auto,
        "article": [asdict(one) for one in summary.article],
        "report": str(StudyFolder(folder).report),
        "arms": arms,
    }


def describe_outcome(outcome: Outcome) -> Record:
    """What a further arm was expected to bring, and what came."""
    told = outcome.prediction
    return {
        "arm": told.arm,
        "start": told.start,
        "why": told.why,
        "gain": asdict(told.gain),
        "came": outcome.gain,
        "within": outcome.within,
        "seconds": told.seconds,
        "took": outcome.seconds,
    }


def describe_not_worse(answer: NotWorseAnswer) -> Record:
    """A question of the study whether one arm is not worse than another, with its answer."""
    asked = answer.question
    return {
        "arm": asked.arm,
        "than": asked.than,
        "margin": asked.margin,
        "answer": answer.answer,
        "difference": answer.difference,
        "low": answer.low,
        "high": answer.high,
        "says": answer.words,
    }


def describe_comparison(first: tuple[Path, str], second: tuple[Path, str]) -> Record:
    """``whatworks.compare/1``: what the second arm gains over the first on the rows of both.

    Args:
        first: The folder of a finished study and an arm of it.
        second: Likewise.

    Raises:
        InputError: If there is no such arm, or the two are scored in different ways.
    """
    ours, theirs = (
        Result(folder, summarise_study(StudyFolder(folder))) for folder, _ in (first, second)
    )
    comparison = ours.compare(first[1], second[1], theirs)
    return {
        "schema": "whatworks.compare/1",
        "first": f"{first[0]}/{first[1]}",
        "second": f"{second[0]}/{second[1]}",
        "difference": comparison.difference,
        "low": comparison.low,
        "high": comparison.high,
        "p": comparison.p,
        "rows": comparison.n_items,
        "groups": comparison.n_groups,
    }


def describe_error(error: WhatworksError) -> Record:
    """``whatworks.error/1``: cause, place and remedy."""
    return {
        "schema": "whatworks.error/1",
        "cause": error.cause,
        "place": error.place,
        "remedy": error.remedy,
    }


def print_record(record: Record) -> None:
    """Print a record on standard output, on one line; not-a-numbers have no place in it."""
    print(json.dumps(record, ensure_ascii=True, allow_nan=False, default=str))
