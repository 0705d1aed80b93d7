"""The command that lets a run pass, or stops it: for continuous integration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import app

if TYPE_CHECKING:
    from whatworks.analysis.two_runs import GateResult

STOPPED = 3


@app.command()
def gate(
    run: Annotated[str, typer.Argument(help="Folder of a study that has run, or FOLDER/ARM.")],
    against: Annotated[str, typer.Option(help="The run, or FOLDER/ARM, that it is held against.")],
    no_worse_than: Annotated[
        float, typer.Option(help="The fall that is not allowed, as a share: 0.02 is 2 points.")
    ] = 0.02,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the result as JSON to this file; - prints it."),
    ] = None,
    markdown_file: Annotated[
        Path | None, typer.Option("--markdown", help="Write a comment in Markdown to this file.")
    ] = None,
) -> None:
    """Let a run pass that lost no row and is shown to be no worse; exit code 3 where it is not.

    The arm that each study recommends is held against the other's, unless arms are named.
    """
    from whatworks.analysis.two_runs import judge_gate
    from whatworks.app.report.gate_comment import format_comment, format_json
    from whatworks.app.report.progress import clean
    from whatworks.app.run_arms import open_run, require_same_score
    from whatworks.base.errors import InputError
    from whatworks.base.store import write_atomic

    if not 0 < no_worse_than < 1:
        raise InputError(
            f"a fall of {no_worse_than:g} is no share between 0 and 1",
            place="--no-worse-than",
            remedy="write 0.02 for 2 points",
        )
    new, old = open_run(run), open_run(against)
    note = require_same_score(old, new)
    arms = new.arm or old.arm or new.chosen, old.arm or new.arm or old.chosen
    result = judge_gate(new.collect(arms[0]), old.collect(arms[1]), no_worse_than)
    for path, text in ((json_file, format_json), (markdown_file, format_comment)):
        if path == Path("-"):
            print(text(result, note), end="")
        elif path is not None:
            write_atomic(path, text(result, note))
    printed = Path("-") in (json_file, markdown_file)
    print(_say(result, clean(note)), file=sys.stderr if printed else sys.stdout)
    if not result.passed:
        print(f"whatworks: the gate is shut: {clean(result.reason)}", file=sys.stderr)
        raise typer.Exit(STOPPED)


def _say(result: GateResult, note: str) -> str:
    from whatworks.app.report.progress import clean

    outcome = f"passed: {clean(result.reason)}" if result.passed else "not passed"
    line = f"{clean(result.new)} against {clean(result.old)}: {outcome}"
    return f"{line}\n! {note}" if note else line
