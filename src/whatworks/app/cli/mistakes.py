"""The command that shows what goes wrong, and what a next run fixed or broke."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import AsJson, app

if TYPE_CHECKING:
    from whatworks.analysis.result_rows import ResultRow
    from whatworks.studies.study_folder import Finished

SHOWN = 12
"""Ids of changed examples that are printed."""


@app.command()
def errors(
    run: Annotated[Path, typer.Argument(help="Folder of a study that has run.")],
    arm: Annotated[str | None, typer.Argument(help="Only this arm.")] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="What to compare with: an arm of this study, a folder of results, or FOLDER/ARM. "
            "The arm's own previous run by default."
        ),
    ] = None,
    examples: Annotated[int, typer.Option(help="Examples shown per pattern.", min=0)] = 2,
    as_json: AsJson = False,
) -> None:
    """Group an arm's mistakes into patterns, and show what was fixed and broken since."""
    from whatworks.analysis.mistakes import find_changes, find_patterns, format_patterns
    from whatworks.app.programs.command_records import describe_arm_errors
    from whatworks.app.programs.records import Record, print_record
    from whatworks.app.report.progress import clean
    from whatworks.base.errors import InputError, suggest_nearest
    from whatworks.studies.study_folder import StudyFolder

    study = StudyFolder(run).read_finished()
    names = [info.name for info in study.arms]
    if arm is not None and arm not in names:
        raise InputError(f"unknown arm {arm!r}", place=str(run), remedy=suggest_nearest(arm, names))
    by_id = {example.id: example for example in study.task.splits.test}
    rows = study.rows()
    records: list[Record] = []
    for name in names if arm is None else [arm]:
        mine = [row for row in rows if row.arm == name and row.status == "scored"]
        wrong = sum(row.value < 1 for row in mine)
        patterns = find_patterns(study.study.metric, mine, by_id)
        earlier, what = _read_earlier(study, name, against)
        if as_json:
            changes = find_changes(earlier, mine) if earlier and mine else None
            told = describe_arm_errors(name, len(mine), wrong, patterns, changes, what)
            records.append(told)
            continue
        print(f"\n{clean(name)}: {wrong} of {len(mine)} answers are not fully right")
        for line in format_patterns(patterns, examples=examples):
            print(f"{line[: len(line) - len(line.lstrip())]}{clean(line)}")
        if earlier and mine:
            _print_changes(earlier, mine, what)
        elif against is not None:
            print(f"  nothing to compare with in {what}")
    if as_json:
        print_record({"schema": "whatworks.errors/1", "arms": records})


def _print_changes(before: list[ResultRow], after: list[ResultRow], what: str) -> None:
    from whatworks.analysis.mistakes import find_changes

    difference = find_changes(before, after)
    print(f"  against {what}:")
    for title, ids in (
        ("fixed", difference.fixed),
        ("broken", difference.broken),
        ("still wrong", difference.still_wrong),
    ):
        shown = ", ".join(ids[:SHOWN]) + (", ..." if len(ids) > SHOWN else "")
        print(f"    {title}: {len(ids)}" + (f" ({shown})" if ids else ""))


def _read_earlier(study: Finished, arm: str, against: str | None) -> tuple[list[ResultRow], str]:
    """Rows to compare an arm with, and their name: a previous run, an arm, another folder."""
    from whatworks.base.errors import InputError
    from whatworks.studies.study_folder import StudyFolder

    if against is None:
        return [row for row in study.rows(back=1) if row.arm == arm], "its previous run"
    if any(info.name == against for info in study.arms):
        return [row for row in study.rows() if row.arm == against], against
    folder = Path(against)
    if not StudyFolder(folder).has_run and StudyFolder(folder.parent).has_run:
        folder, arm = folder.parent, folder.name
    if not folder.exists():
        raise InputError(
            f"{against!r} is neither an arm of this study nor the folder of another",
            place="--against",
            remedy=f"its arms: {', '.join(info.name for info in study.arms)}; of another study "
            "write FOLDER or FOLDER/ARM",
        )
    other = StudyFolder(folder).read_finished()
    rows = [row for row in other.rows() if row.arm == arm]
    if not rows:
        names = ", ".join(info.name for info in other.arms)
        raise InputError(f"no arm {arm!r} there", place=str(folder), remedy=f"its arms: {names}")
    return rows, f"{folder}/{arm}"
