"""The command that compares two runs, arm by arm, and says which arms could be the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import AsJson, app

if TYPE_CHECKING:
    from whatworks.analysis.comparison import Comparison
    from whatworks.app.run_arms import OpenRun


@app.command()
def compare(
    run_a: Annotated[str, typer.Argument(help="Folder of a study that has run, or FOLDER/ARM.")],
    run_b: Annotated[
        str | None,
        typer.Argument(help="Another; without it, the arms of the first that could be its best."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs on the rows that both have: what the second gains over the first.

    Paired, with intervals that hold together. What one of them was asked and did not answer counts
    as wrong.
    """
    from whatworks.app.run_arms import open_run, require_same_score

    first = open_run(run_a)
    if as_json:
        _print_record(first, open_run(run_b) if run_b else first)
        return
    if run_b is None:
        _print_tied(first)
        return
    second = open_run(run_b)
    note = require_same_score(first, second)
    _print_pairs(first, second)
    if note:
        print(f"! {note}")
    for run in (first, second):
        _print_tied(run)


def _print_record(first: OpenRun, second: OpenRun) -> None:
    """One pair as JSON: the arms that are named, else the chosen ones."""
    from whatworks.app.programs.records import describe_comparison, print_record

    arms = first.arm or second.arm or first.chosen, second.arm or first.arm or second.chosen
    print_record(describe_comparison((first.path, arms[0]), (second.path, arms[1])))


def _print_pairs(first: OpenRun, second: OpenRun) -> None:
    from whatworks.analysis.two_runs import compare_runs, find_shared
    from whatworks.app.report.progress import clean
    from whatworks.base.errors import InputError
    from whatworks.base.phrasing import format_percent, join_names

    named = _name_pairs(first, second)
    arms = {name: (first.collect(a), second.collect(b)) for name, (a, b) in named.items()}
    missing = [name for name, pair in arms.items() if not all(one.seeds for one in pair)]
    arms = {name: pair for name, pair in arms.items() if name not in missing}
    asked = [{e.id: e.key for e in run.study.task.splits.test} for run in (first, second)]
    shared = find_shared(*asked)
    if not shared.both or not arms:
        what = "arm with answers" if shared.both else "test row"
        raise InputError(
            f"the two runs have no {what} in common",
            place=f"{first.path}, {second.path}",
            remedy="name the arms: RUN/ARM" if shared.both else "compare runs on the same data",
        )
    print(f"{second.path} less {first.path}, on {shared.words}")
    comparisons = compare_runs(arms)
    wide = max(map(len, arms))
    for name, (before, after) in arms.items():
        ours = [one.fill(shared.both) for one in (before, after)]
        means = " to ".join(format_percent(sum(s.values()) / len(s)) for s in ours)
        lost = [one.count_unanswered(shared.both) for one in (before, after)]
        note = f"; without an answer: {lost[0]} and {lost[1]}" if any(lost) else ""
        answer = _describe(comparisons[name], second.study.study.min_effect)
        print(f"  {clean(name):{wide}}  {means}  {answer}{note}")
    if missing:  # such as left a race
        print(f"  without test rows in one of the runs: {clean(join_names(missing))}")


def _name_pairs(first: OpenRun, second: OpenRun) -> dict[str, tuple[str, str]]:
    """Which arms are compared: those named, else all of the same name, and the two chosen."""
    if first.arm or second.arm:
        pair = first.arm or second.arm, second.arm or first.arm
        return {pair[0] if pair[0] == pair[1] else " to ".join(pair): pair}
    theirs = {info.name for info in second.study.arms}
    pairs = {info.name: (info.name, info.name) for info in first.study.arms if info.name in theirs}
    chosen = first.chosen, second.chosen
    if all(chosen) and chosen[0] != chosen[1]:
        pairs[f"chosen: {chosen[0]} to {chosen[1]}"] = chosen
    return pairs


def _describe(comparison: Comparison, margin: float) -> str:
    from whatworks.analysis.paired_tests import ALPHA
    from whatworks.analysis.tied_set import take_joint
    from whatworks.base.phrasing import format_interval, format_points

    joint = take_joint(comparison)
    words = "cannot tell"
    if joint.p < ALPHA:
        words = "better" if comparison.difference > 0 else "worse"
    elif -margin < joint.low and joint.high < margin:
        words = f"the same within {format_points(margin).lstrip('+')} points"
    return (
        f"{format_points(comparison.difference)} {format_interval(joint.low, joint.high)}: {words}"
    )


def _print_tied(run: OpenRun) -> None:
    from whatworks.analysis.tied_set import find_tied
    from whatworks.app.report.progress import clean

    arms = {info.name: run.collect(info.name) for info in run.study.arms if not info.oracle}
    rows = [example.id for example in run.study.task.splits.test]
    tied = find_tied(
        {name: one.fill(rows) for name, one in arms.items() if one.scores},
        {row: group for one in arms.values() for row, group in one.groups.items()},
        failed=[name for name, one in arms.items() if one.failed],
        look=run.study.study.looks,
    )
    if tied is not None:
        print(f"in {run.path}: {clean(tied.words)}")
