"""`whatworks plan`: what a study will take, before it runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import AsJson, app
from whatworks.app.cli.run import OfFolder, StudyPath, find_study_file

if TYPE_CHECKING:
    from whatworks.studies.plan import StudyPlan


@app.command()
def plan(
    study: StudyPath,
    model: Annotated[str | None, typer.Option(help="Instead of the study's model.")] = None,
    only: Annotated[str | None, typer.Option(help="Only these arms, separated by commas.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results (runs/NAME-MODEL by default).")
    ] = None,
    data: OfFolder = "study",
    as_json: AsJson = False,
) -> None:
    """Say what each arm will take, by rehearsing it, and what differences the rows can show.

    Of a study that has run, what would settle each open comparison, too.
    """
    from whatworks.app.programs.records import describe_plan, print_record
    from whatworks.app.report.progress import RichWatcher
    from whatworks.base.progress import Silent
    from whatworks.studies.open_study import open_study
    from whatworks.studies.plan import make_plan
    from whatworks.studies.retention import read_prompts
    from whatworks.studies.study_folder import StudyFolder

    arms = tuple(name.strip() for name in only.split(",")) if only else ()
    opened = open_study(find_study_file(study, data), model=model, only=arms, out=out)
    try:
        with StudyFolder(opened.out).hold(), RichWatcher() as bars:
            estimate = make_plan(
                opened.study(),
                Silent() if as_json else bars,
                read_prompts(opened.file.retention, opened.path.parent),
                opened.file.diagnose,
            )
    finally:
        opened.close()
    if as_json:
        print_record(describe_plan(estimate))
        return
    _show(estimate)
    if opened.file.race:
        print("this is what it takes to run everything to the end; a race takes less")
    _show_open(opened.out)
    print(f"kept in {opened.out}: the report will say how the plan did")


def _show_open(folder: Path) -> None:
    """What would settle the comparisons that are open, where the study has run."""
    from whatworks.app.run_study import summarise_study
    from whatworks.studies.study_folder import StudyFolder

    if not StudyFolder(folder).has_run:
        return
    for line in summarise_study(StudyFolder(folder)).open_comparisons:
        print(f"open: {line}")


def _show(estimate: StudyPlan) -> None:
    from rich.console import Console
    from rich.table import Table

    from whatworks.base.phrasing import format_duration

    table = Table(show_edge=False, pad_edge=False)
    table.add_column("arm")
    for name in ("seeds", "requests", "tokens", "trained\ntokens", "memory", "time", "money"):
        table.add_column(name, justify="right")
    for arm in estimate.arms:
        if arm.failure:
            table.add_row(arm.name, f"{arm.seeds}", *["–"] * 6)
            continue
        table.add_row(
            arm.name,
            f"{arm.seeds}",
            f"{arm.requests:,}",
            f"{arm.tokens:,}",
            f"{arm.training_tokens:,}" if arm.training_tokens else "",
            f"{arm.memory / 1e9:.1f} GB",
            format_duration(arm.seconds),
            "unknown" if arm.usd is None else f"${arm.usd:.2f}" if arm.usd else "",
        )
    console = Console()
    console.print(table)
    for arm in estimate.arms:
        if arm.failure:
            console.print(f"{arm.name} cannot be completed: {arm.failure}")
    for name, seconds in asdict(estimate.after).items():
        if seconds:
            console.print(f"{name}, after the arms: {format_duration(seconds)}")
    money = sum(arm.usd or 0.0 for arm in estimate.arms)
    total = f"in all {format_duration(estimate.seconds)}" + (f" and ${money:.2f}" if money else "")
    rows = ", ".join(f"{count} {part}" for part, count in estimate.rows.items())
    console.print(f"{total}, on {rows} rows; measured in {format_duration(estimate.rehearsal)}")
    for line in estimate.reach.lines if estimate.reach else ():
        console.print(line, highlight=False, soft_wrap=True)
