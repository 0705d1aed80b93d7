"""The command that writes an arm as files for others to use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import app


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a study that has run.")],
    out: Annotated[Path, typer.Option(help="New folder for the export.")],
    arm: Annotated[str | None, typer.Argument(help="Arm; the winner by default.")] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Merge the adapter into its model.")
    ] = False,
) -> None:
    """Write an arm for use without this package: weights, prompt, decoding, model card."""
    from whatworks.app.export.export import export as write

    chosen = write(run, arm, out, merge=merge)
    print(f"{chosen.arm}, seed {chosen.seed}: {out}")
