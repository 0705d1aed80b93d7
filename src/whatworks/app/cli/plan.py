"""`whatworks plan`: what a study will take, before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import app
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
) -> None:
    """Say what each arm will take: rows, tokens, memory, time and money, by rehearsing it."""
    from whatworks.app.report.progress import RichWatcher
    from whatworks.studies.open_study import open_study
    from whatworks.studies.plan import make_plan
    from whatworks.studies.study_folder import StudyFolder

    arms = tuple(name.strip() for name in only.split(",")) if only else ()
    opened = open_study(find_study_file(study, data), model=model, only=arms, out=out)
    try:
        with StudyFolder(opened.out).hold(), RichWatcher() as bars:
            estimate = make_plan(opened.study(), bars)
    finally:
        opened.close()
    _show(estimate)
    print(f"kept in {opened.out}: the report will say how the plan did")


def _show(made: StudyPlan) -> None:
    from rich.console import Console
    from rich.table import Table

    from whatworks.base.phrasing import format_duration

    table = Table(show_edge=False, pad_edge=False)
    table.add_column("arm")
    for name in ("seeds", "requests", "tokens", "trained\ntokens", "memory", "time", "money"):
        table.add_column(name, justify="right")
    for arm in made.arms:
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
    for arm in made.arms:
        if arm.failure:
            console.print(f"{arm.name} cannot be completed: {arm.failure}")
    money = sum(arm.usd or 0.0 for arm in made.arms)
    total = f"in all {format_duration(made.seconds)}" + (f" and ${money:.2f}" if money else "")
    rows = ", ".join(f"{count} {part}" for part, count in made.rows.items())
    console.print(f"{total}, on {rows} rows; measured in {format_duration(made.rehearsal)}")
