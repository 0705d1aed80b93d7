"""The command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.errors import WhatworksError

if TYPE_CHECKING:
    from whatworks.summary import Summary

app = typer.Typer(
    name="whatworks",
    help="Measure what makes a language model do your task, and why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
lab = typer.Typer(help="The embedded model: train it, check it.", no_args_is_help=True)
app.add_typer(lab, name="lab")

INTERRUPTED = 130


def main() -> None:
    """Entry point: an error of ours is one or two lines and exit code 2."""
    try:
        app()
    except WhatworksError as error:
        print(f"whatworks: {error}", file=sys.stderr)
        sys.exit(2)


@contextmanager
def resumable() -> Generator[None]:
    """Ctrl-C says that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        print("\nwhatworks: stopped; the same command again goes on from here", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def _version(wanted: bool) -> None:
    if wanted:
        from whatworks import __version__

        print(f"whatworks {__version__}")
        raise typer.Exit()


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Measure what makes a language model do your task, and why."""


@app.command()
def run(
    study: Annotated[
        Path, typer.Argument(help="Study file (YAML), or a folder holding study.yaml")
    ],
    model: Annotated[
        str | None, typer.Option(help="Instead of the study's: lab, a Hugging Face id, a folder.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Only these arms, separated by commas.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results (runs/NAME-MODEL by default).")
    ] = None,
) -> None:
    """Run a study: every arm on the same data, a table, and report.html."""
    from whatworks.main_job import run_study

    arms = tuple(name.strip() for name in only.split(",")) if only else ()
    path = study / "study.yaml" if study.is_dir() else study
    with resumable():
        show(run_study(path, model=model, only=arms, out=out))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a study that has run.")],
) -> None:
    """Show the table of a study again and write its report.html anew."""
    from whatworks.main_job import report_study

    show(report_study(folder))


def show(result: tuple[Summary, Path]) -> None:
    """Print the table of a finished study and where its report lies."""
    from whatworks.report.terminal import print_summary

    summary, page = result
    print_summary(summary)
    print(f"report: {page}")


@lab.command("train")
def lab_train(
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the finished weights.")],
    minutes: Annotated[
        float | None, typer.Option(help="Stop after so long; the full recipe by default.")
    ] = None,
) -> None:
    """Train the embedded model from nothing by the project's own recipe; resumes."""
    from whatworks.lab import pretrain

    with resumable():
        pretrain(out, minutes=minutes)


@lab.command("check")
def lab_check(
    model: Annotated[str, typer.Option(help="lab, a Hugging Face id or a folder.")] = "lab",
    items: Annotated[int, typer.Option(help="Held-out items per gate.", min=8)] = 200,
) -> None:
    """Measure the embedded model's gates, on any model."""
    from rich.console import Console
    from rich.table import Table

    from whatworks.lab import check

    table = Table(title=f"gates of {model}")
    for name in ("ability", "gate", "measured", "items", "met"):
        table.add_column(name)
    word = {True: "yes", False: "no", None: ""}
    for row in check(model, items, say=lambda line: print(line, file=sys.stderr, flush=True)):
        table.add_row(row.ability, row.gate, row.shown, str(row.items), word[row.met])
    Console().print(table)
