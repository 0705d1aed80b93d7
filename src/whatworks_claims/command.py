"""Commands about the article's claims, and about what a model knows."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import app, catch_interrupt


class DataChoice(StrEnum):
    """Which data the claims are measured on."""

    generated = "generated"
    real = "real"


@app.command()
def claims(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Claims, or groups such as `form`; all by default.")
    ] = None,
    model: Annotated[str, typer.Option(help="lab, a Hugging Face id, a folder.")] = "lab",
    data: Annotated[
        DataChoice, typer.Option(help="Generated, or real below $WHATWORKS_DATA.")
    ] = DataChoice.generated,
    quick: Annotated[
        bool, typer.Option("--quick", help="In a fifth of the time, with wider intervals.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results (runs/claims-MODEL by default).")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Studies at a time; 0: by cores.", min=0)] = 0,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="Explain the claims, run nothing.")
    ] = False,
) -> None:
    """Measure the article's claims on a model: a table, and claims.html."""
    if listed:
        explain(tuple(ids or ()))
        return
    from whatworks.app.report.progress import RichWatcher
    from whatworks.base.lock import hold_folder
    from whatworks.base.paths import make_slug
    from whatworks_claims.measure import measure, save
    from whatworks_claims.page import print_table
    from whatworks_claims.page import render_markdown as as_markdown
    from whatworks_claims.run_studies import Request, count_jobs

    request = Request(
        ids=tuple(ids or ()),
        model=model,
        data=data.value,
        quick=quick,
        out=out or Path("runs") / f"claims-{make_slug(model)}",
        jobs=jobs or count_jobs(model),
    )
    with catch_interrupt(), hold_folder(request.out):
        with RichWatcher() as bars:
            report = measure(request, bars)
        page = save(report)
    if markdown:
        print(as_markdown(report))
    else:
        print_table(report)
    print(f"report: {page}")


def explain(ids: tuple[str, ...]) -> None:
    """Print each claim with its protocol."""
    from rich.console import Console
    from rich.text import Text

    from whatworks_claims.registry import choose_claims

    console = Console(highlight=False)
    for claim in choose_claims(ids):
        console.print(Text(claim.id, style="bold"))
        console.print(Text(f"  {claim.says}"))
        console.print(Text(f"  {claim.protocol}", style="dim"))
        if claim.literature:
            console.print(Text(f"  Elsewhere: {claim.literature}", style="dim"))
