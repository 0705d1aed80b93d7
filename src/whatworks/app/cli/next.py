"""`whatworks next`: further arms for a study, from why its arms fail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import AsJson, app, catch_interrupt
from whatworks.app.cli.run import OfFolder, find_study_file


@app.command("next")
def next_(
    study: Annotated[
        Path,
        typer.Argument(help="Study file, a folder holding study.yaml, or that of a run."),
    ],
    model: Annotated[str | None, typer.Option(help="Instead of the study's model.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results (runs/NAME-MODEL by default).")
    ] = None,
    data: OfFolder = "study",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the arms, leave the study file as it is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Propose one to three further arms from dev, and write them into the study file.

    Each says what was measured, what it is expected to bring on dev, and what it takes.
    """
    from whatworks.app.next_step import adopt, open_run, propose, write_command
    from whatworks.app.programs.records import describe_next, print_record
    from whatworks.base.errors import InputError
    from whatworks.base.progress import Silent
    from whatworks.studies.open_study import open_study
    from whatworks.studies.study_folder import StudyFolder

    if StudyFolder(study).has_begun:
        if model is not None or out is not None:
            raise InputError(
                "a run has its model and its folder", remedy="leave --model and --out out"
            )
        opened = open_run(study)
    else:
        opened = open_study(find_study_file(study, data), model=model, out=out)
    try:
        with catch_interrupt():
            proposals = propose(opened, Silent() if as_json else None)
        if proposals and not dry_run:
            adopt(opened, proposals)
    finally:
        opened.close()
    if as_json:
        print_record(describe_next(str(opened.path), proposals, written=not dry_run))
        return
    for one in proposals:
        print(one.prediction.in_words)
    if not proposals:
        print("nothing is worth trying next, by what dev says of these arms")
    elif not dry_run:
        print(f"written into {opened.path}; next: {write_command(opened)}")
