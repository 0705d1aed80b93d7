"""The command that says what a model knows of a task's facts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import AsJson, app, catch_interrupt
from whatworks.app.cli.run import OfFolder, StudyPath, find_study_file


@app.command()
def known(
    study: StudyPath,
    model: Annotated[
        str | None, typer.Option(help="Instead of the study's: lab, a Hugging Face id, a folder.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the rows (runs/known-NAME-MODEL by default).")
    ] = None,
    data: OfFolder = "study",
    as_json: AsJson = False,
) -> None:
    """Say how well a model knows each fact of a task, and write that as a column of its rows."""
    from whatworks.app.report.progress import RichWatcher
    from whatworks.base.phrasing import format_percent
    from whatworks.base.progress import Silent
    from whatworks.studies.known_facts import COLUMN, classify_known_facts

    with catch_interrupt(), RichWatcher() as bars:
        shown = Silent() if as_json else bars
        facts = classify_known_facts(find_study_file(study, data), model, out, shown)
    if as_json:
        from whatworks.app.programs.command_records import describe_known
        from whatworks.app.programs.records import print_record

        print_record(describe_known(facts))
        return
    print(f"{len(facts.classes)} facts on {facts.model}")
    for name, share in facts.shares.items():
        print(f"  {name:12} {format_percent(share):>6}")
    print(f"rows with meta.{COLUMN}: {facts.folder}")
