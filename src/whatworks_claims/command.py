"""Commands about the article's claims, and about what a model knows."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import AsJson, app, catch_interrupt


class DataChoice(StrEnum):
    """Which data the claims are measured on."""

    generated = "generated"
    english = "english"
    real = "real"


@app.command()
def claims(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Claims, or groups such as `form`; all by default.")
    ] = None,
    model: Annotated[str, typer.Option(help="lab, smollm2, a Hugging Face id, a folder.")] = "lab",
    data: Annotated[
        DataChoice | None,
        typer.Option(
            help="Generated, in the language of lab; in English, for every other model; or real,"
            " below $WHATWORKS_DATA. By default by the model."
        ),
    ] = None,
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
    as_json: AsJson = False,
) -> None:
    """Measure the article's claims on a model: a table, and claims.html."""
    if listed:
        explain(tuple(ids or ()), as_json)
        return
    from whatworks.app.programs.records import print_record
    from whatworks.app.report.progress import RichWatcher
    from whatworks.base.lock import hold_folder
    from whatworks.base.paths import make_slug
    from whatworks.base.progress import Silent
    from whatworks_claims.measure import measure, save
    from whatworks_claims.page import as_data, print_table
    from whatworks_claims.page import render_markdown as as_markdown
    from whatworks_claims.run_studies import Request, choose_data, count_jobs

    request = Request(
        ids=tuple(ids or ()),
        model=model,
        data=data.value if data else choose_data(model),
        quick=quick,
        out=out or Path("runs") / f"claims-{make_slug(model)}",
        jobs=jobs or count_jobs(model),
    )
    with catch_interrupt(), hold_folder(request.out):
        with RichWatcher() as bars:
            report = measure(request, Silent() if as_json else bars)
        page = save(report)
    if as_json:
        print_record({"schema": "whatworks.claims/1", **as_data(report)})
        return
    if markdown:
        print(as_markdown(report))
    else:
        print_table(report)
    print(f"report: {page}")


def explain(ids: tuple[str, ...], as_json: bool = False) -> None:
    """Print each claim with its protocol."""
    from rich.console import Console
    from rich.text import Text

    from whatworks_claims.registry import choose_claims

    if as_json:
        from whatworks.app.programs.records import print_record

        listed = [
            {"claim": c.id, "says": c.says, "protocol": c.protocol, "literature": c.literature}
            for c in choose_claims(ids)
        ]
        print_record({"schema": "whatworks.claims-list/1", "claims": listed})
        return
    console = Console(highlight=False)
    for claim in choose_claims(ids):
        console.print(Text(claim.id, style="bold"))
        console.print(Text(f"  {claim.says}"))
        console.print(Text(f"  {claim.protocol}", style="dim"))
        if claim.literature:
            console.print(Text(f"  Elsewhere: {claim.literature}", style="dim"))
