"""`whatworks mcp`: the tools of a study, for a program that speaks the Model Context Protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import app


@app.command()
def mcp(
    root: Annotated[Path, typer.Option(help="The folder that paths are seen from.")] = Path(),
    most_usd: Annotated[
        float, typer.Option(min=0, help="US dollars that a study may take by its plan.")
    ] = 1.0,
    most_minutes: Annotated[
        float, typer.Option(min=0, help="Most minutes of a run; it is stopped then.")
    ] = 60.0,
) -> None:
    """Serve init, check, plan, run, status, verdict and compare over standard input and output."""
    from whatworks.app.programs.tools import Limits, Tools, make_server

    tools = Tools(root, Limits(most_usd, most_minutes * 60))
    server = make_server(tools)
    try:
        server.run("stdio")
    finally:
        tools.close()
