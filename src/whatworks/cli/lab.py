"""Commands of the embedded model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from whatworks.cli.app import app, resumable

lab = typer.Typer(help="The embedded model: train it, check it.", no_args_is_help=True)
app.add_typer(lab, name="lab")


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
