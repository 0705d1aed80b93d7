"""The command that writes an arm as files for others to use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import AsJson, app, catch_interrupt

NOT_AS_MEASURED = 1


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a study that has run.")],
    out: Annotated[Path, typer.Option(help="New folder for the export.")],
    arm: Annotated[str | None, typer.Argument(help="Arm; the winner by default.")] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Merge the adapter into its model.")
    ] = False,
    to: Annotated[
        str,
        typer.Option(help="gguf or gguf:KIND (f16, q8_0, q4_k_m, ...): one file for llama.cpp."),
    ] = "",
    check: Annotated[
        bool, typer.Option(help="Ask the recorded requests again through what was written.")
    ] = True,
    margin: Annotated[
        float, typer.Option(help="Points that its score may be worse by.", min=0, max=100)
    ] = 2.0,
    check_rows: Annotated[
        int | None, typer.Option(help="Ask so many again; all by default.", min=1)
    ] = None,
    push: Annotated[
        str | None,
        typer.Option(help="Send it to this repository of the Hugging Face Hub: OWNER/NAME."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody read that repository.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write an arm for use without this package: weights, prompt, `ask.py`, model card.

    Exit code 1 when it answers worse than the study recorded; it is not pushed then.
    """
    from whatworks.app.export.export import Checking
    from whatworks.app.export.export import export as write
    from whatworks.app.export.hub import find_place
    from whatworks.app.report.progress import RichWatcher
    from whatworks.base.errors import InputError
    from whatworks.base.progress import Silent

    if public and push is None:
        raise InputError("--public is for --push", remedy="add --push OWNER/NAME")
    place = find_place(push, public=public) if push is not None else None
    checking = Checking(margin / 100 if check else None, check_rows)
    with catch_interrupt(), RichWatcher() as bars:
        watcher = Silent() if as_json else bars
        done = write(run, arm, out, merge=merge, to=to, checking=checking, watcher=watcher)
    if as_json:
        from whatworks.app.programs.command_records import describe_export
        from whatworks.app.programs.records import print_record

        print_record(describe_export(done, out))
    else:
        print(f"{done.chosen.arm}, seed {done.chosen.seed}: {out}")
    if not done.holds:
        print(f"whatworks: {out} is not as measured: {done.parity}", file=sys.stderr)
        raise typer.Exit(NOT_AS_MEASURED)
    if place is not None:
        where = f"{'public' if public else 'private'}: {place.push(out)}"
        print(where, file=sys.stderr if as_json else sys.stdout)
