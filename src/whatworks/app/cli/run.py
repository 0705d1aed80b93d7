"""Commands that run studies and show them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import app, catch_interrupt

if TYPE_CHECKING:
    from whatworks.analysis.figures import Summary


NONE_FINISHED = 1

StudyPath = Annotated[Path, typer.Argument(help="Study file, or a folder holding study.yaml")]
OfFolder = Annotated[
    str, typer.Option("--data", help="Of a folder: take DATA.yaml instead, e.g. --data real.")
]


@app.command()
def run(
    study: StudyPath,
    model: Annotated[
        str | None, typer.Option(help="Instead of the study's: lab, a Hugging Face id, a folder.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Only these arms, separated by commas.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results (runs/NAME-MODEL by default).")
    ] = None,
    data: OfFolder = "study",
) -> None:
    """Run a study: every arm on the same data, a table, and report.html.

    Exit code 1 when no arm finished.
    """
    from whatworks.app.run_study import run_study

    arms = tuple(name.strip() for name in only.split(",")) if only else ()
    with catch_interrupt():
        summary, page = run_study(find_study_file(study, data), model=model, only=arms, out=out)
    show((summary, page))
    if all(arm.score is None for arm in summary.arms if not arms or arm.name in arms):
        print("whatworks: no arm finished", file=sys.stderr)
        raise typer.Exit(NONE_FINISHED)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a study that has run.")],
) -> None:
    """Show the table of a study again and write its report.html anew."""
    from whatworks.app.run_study import report_study

    show(report_study(folder))


def find_study_file(study: Path, data: str = "study") -> Path:
    """The study file of a folder, ``study.yaml`` or the one for other data; a file is itself.

    Raises:
        InputError: If the folder has none of that name.
    """
    if not os.path.isdir(study):  # and not the method of a path, which raises where it is too long
        return study
    path = study / f"{data}.yaml"
    if not path.is_file():
        from whatworks.base.errors import InputError, suggest_nearest

        there = [file.stem for file in study.glob("*.yaml")]
        raise InputError(
            f"this folder has no {path.name}",
            place=str(study),
            remedy=suggest_nearest(data, there)
            if there
            else "name a folder with a study file, or the file",
        )
    return path


def show(result: tuple[Summary, Path]) -> None:
    """Print the table of a finished study and where its report lies."""
    from whatworks.app.report.terminal import print_summary

    summary, page = result
    print_summary(summary)
    print(f"report: {page}")
