"""Commands of the embedded model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import AsJson, app, catch_interrupt

lab = typer.Typer(help="The embedded model: train it, check it.", no_args_is_help=True)
app.add_typer(lab, name="lab")


@lab.command("train")
def lab_train(
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the finished weights.")],
    chat: Annotated[
        bool, typer.Option("--chat", help="Tune a base model to lab-chat instead of training one.")
    ] = False,
    start: Annotated[
        str, typer.Option(help="With --chat: the base model, a name or a folder.")
    ] = "lab-base",
    as_json: AsJson = False,
) -> None:
    """Train the embedded model by the project's own recipe; tells the time it takes; resumes."""
    from dataclasses import replace

    from whatworks_lab import recipe

    with catch_interrupt():
        if chat:
            folder = recipe.pretrain(out, replace(recipe.CHAT, start=start))
        else:
            folder = recipe.train_base(out)
    if as_json:
        from whatworks.app.programs.records import print_record

        print_record({"schema": "whatworks.lab-train/1", "folder": str(folder)})
    else:
        print(f"finished: {folder}")


@lab.command("check")
def lab_check(
    model: Annotated[str, typer.Option(help="lab, a Hugging Face id or a folder.")] = "lab",
    items: Annotated[int, typer.Option(help="Held-out items per gate.", min=8)] = 200,
    markdown: Annotated[bool, typer.Option(help="Print the table for a model card.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the embedded model's gates, on any model."""
    from rich.console import Console
    from rich.table import Table

    from whatworks_lab import check, gates

    rows = check(model, items, say=lambda line: print(line, file=sys.stderr, flush=True))
    if as_json:
        from whatworks.app.programs.records import print_record

        listed = [
            {name: getattr(row, name) for name in ("ability", "gate", "value", "items", "met")}
            for row in rows
        ]
        print_record({"schema": "whatworks.lab-check/1", "model": model, "gates": listed})
        return
    if markdown:
        print(gates.format_table(rows))
        return
    table = Table(title=f"gates of {model}")
    for name in ("ability", "gate", "measured", "items", "met"):
        table.add_column(name)
    word = {True: "yes", False: "no", None: ""}
    for row in rows:
        table.add_row(row.ability, row.gate, row.shown, str(row.items), word[row.met])
    Console().print(table)
