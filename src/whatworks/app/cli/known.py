"""The command that says what a model knows of a task's facts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import app, resumable
from whatworks.app.cli.run import OfFolder, StudyPath, chosen


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
) -> None:
    """Say how well a model knows each fact of a task, and write that as a column of its rows."""
    from whatworks.app.report.progress import RichWatcher
    from whatworks.base.phrasing import percent
    from whatworks.studies.known_facts import COLUMN, known_facts

    with resumable(), RichWatcher() as bars:
        found = known_facts(chosen(study, data), model, out, bars)
    print(f"{len(found.classes)} facts on {found.model}")
    for name, share in found.shares.items():
        print(f"  {name:12} {percent(share):>6}")
    print(f"rows with meta.{COLUMN}: {found.folder}")
