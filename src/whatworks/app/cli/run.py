"""Commands that run studies and show them."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import AsJson, app, catch_interrupt

if TYPE_CHECKING:
    from whatworks.analysis.figures import Summary
    from whatworks.app.next_step import Limit


NONE_FINISHED = SHUT = 1

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
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Parts of the study made at once, in as many processes."),
    ] = None,
    as_json: AsJson = False,
    gate: Annotated[
        list[str] | None,
        typer.Option(help="What the run must show, e.g. 'score>=0.9'; several times for several."),
    ] = None,
    baseline_of: Annotated[
        str | None,
        typer.Option(help="An earlier run, or RUN/ARM, to be no worse than."),
    ] = None,
    no_worse_than: Annotated[
        float, typer.Option(help="The fall below --baseline-of that is not allowed, as a share.")
    ] = 0.02,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.")] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write a summary in Markdown to this file.")
    ] = None,
    watched: Annotated[
        bool, typer.Option("--watch", help="Show the run on a local page as well.")
    ] = False,
    auto: Annotated[
        bool, typer.Option(help="Add the arms that `whatworks next` proposes, round after round.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of --auto, at most.")] = 3,
    minutes: Annotated[
        float | None,
        typer.Option(help="Of --auto: no arm that is expected to take the study beyond this."),
    ] = None,
    usd: Annotated[
        float | None, typer.Option(help="Of --auto: the same of US dollars, for a paid model.")
    ] = None,
) -> None:
    """Run a study: every arm on the same data, a table, and report.html.

    Exit code 1 when no arm finished, or the gate is shut.
    """
    from whatworks.app.pipeline.passing import Wanted, write_pages
    from whatworks.base.progress import Silent

    arms = tuple(name.strip() for name in only.split(",")) if only else ()
    wanted = Wanted(tuple(gate or ()), baseline_of, no_worse_than)
    wanted.check()
    path = find_study_file(study, data)
    with catch_interrupt(), _show_page(path, model, out) if watched else nullcontext():
        told = Silent() if as_json else None
        if auto:
            limit = _read_limit(arms, rounds, minutes, usd)
            from whatworks.app.next_step import run_rounds

            found = run_rounds(path, limit, model=model, out=out, jobs=jobs, watcher=told)
        else:
            from whatworks.app.run_study import run_study

            found = run_study(path, model=model, only=arms, out=out, jobs=jobs, watcher=told)
        summary, page = found
    show((summary, page), as_json)
    outcomes = wanted.judge(summary, page.parent)
    write_pages(summary, outcomes, junit, markdown)
    if all(arm.score is None for arm in summary.arms if not arms or arm.name in arms):
        print("whatworks: no arm finished", file=sys.stderr)
        raise typer.Exit(NONE_FINISHED)
    shut = [one for one in outcomes if not one.passed]
    for one in shut:
        print(f"whatworks: the gate is shut: {one.name}: {one.reason}", file=sys.stderr)
    if shut:
        raise typer.Exit(SHUT)


def _read_limit(
    only: tuple[str, ...], rounds: int, minutes: float | None, usd: float | None
) -> Limit:
    """What the rounds of --auto may take.

    Raises:
        InputError: If only some of the study's arms are to run.
    """
    from whatworks.app.next_step import Limit
    from whatworks.base.errors import InputError

    if only:
        raise InputError(
            "--auto looks at all arms, --only at some", remedy="leave one of the two out"
        )
    return Limit(rounds, None if minutes is None else 60 * minutes, usd)


def _show_page(path: Path, model: str | None, out: Path | None) -> AbstractContextManager[None]:
    from whatworks.app.cli.watch import show_while
    from whatworks.studies.open_study import name_folder
    from whatworks.studies.study_file import read_study

    file = read_study(path)
    if model is not None:
        file = file.model_copy(update={"model": model})
    return show_while(out or name_folder(path, file))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a study that has run.")],
    as_json: AsJson = False,
) -> None:
    """Show the table of a study again and write its report.html anew."""
    from whatworks.app.run_study import report_study

    show(report_study(folder), as_json)


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


def show(result: tuple[Summary, Path], as_json: bool = False) -> None:
    """Print the table of a finished study and where its report lies."""
    from whatworks.app.report.terminal import print_summary

    summary, page = result
    if as_json:
        from whatworks.app.programs.records import describe_verdict, print_record

        print_record(describe_verdict(page.parent, summary))
        return
    print_summary(summary)
    print(f"report: {page}")
