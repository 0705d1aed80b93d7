"""The command that judges the arms of a run for parts of its test rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import AsJson, app


@app.command()
def slices(
    run: Annotated[Path, typer.Argument(help="Folder of a study that has run.")],
    by: Annotated[
        list[str],
        typer.Option(help="Column of the rows' meta, or `length`; several times for several."),
    ],
    as_json: AsJson = False,
) -> None:
    """Judge every arm for parts of the test rows: by language, customer, length, ...

    All comparisons are corrected for together. `slices:` in a study file puts it into the report.
    """
    from rich.console import Console

    from whatworks.app.report.terminal import PIPED_WIDTH, print_slices
    from whatworks.app.run_study import summarise_study
    from whatworks.base.errors import InputError
    from whatworks.studies.study_folder import StudyFolder

    summary = summarise_study(StudyFolder(run), by)
    judged = summary.slices
    if judged is None or not judged.slices:
        raise InputError(
            "; ".join(judged.notes) if judged and judged.notes else "there is nothing to compare",
            place=str(run),
            remedy="name a column of the rows' meta, or length",
        )
    if as_json:
        from whatworks.app.programs.command_records import describe_slices
        from whatworks.app.programs.records import print_record

        print_record(describe_slices(judged, summary.study.baseline))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, PIPED_WIDTH)
    print_slices(judged, summary.study.baseline, console)
