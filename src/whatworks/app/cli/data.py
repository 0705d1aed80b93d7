"""Commands that make a study's data: what a user has, looked at and written down."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from whatworks.app.cli.app import AsJson, app


@app.command("import")
def import_(
    logs: Annotated[
        Path, typer.Argument(help="Log file or folder: JSON, JSONL, CSV, Parquet, YAML, packed too")
    ],
    out: Annotated[Path, typer.Option(help="The file to write, JSON lines.")],
    source: Annotated[
        str | None, typer.Option("--from", help="Read only this system's calls, e.g. langsmith.")
    ] = None,
    to: Annotated[
        Literal["whatworks", "openai", "sharegpt", "alpaca"],
        typer.Option(help="Shape of the rows."),
    ] = "whatworks",
    feedback: Annotated[
        str, typer.Option(help="Name of the scores that count, where the log has several kinds.")
    ] = "",
    min_score: Annotated[
        float | None, typer.Option(help="Keep only calls with feedback of at least this.")
    ] = None,
    strip: Annotated[
        Literal["nothing", "system", "template"],
        typer.Option(help="Leave out system messages; template: and what all prompts begin with."),
    ] = "nothing",
    system: Annotated[
        str, typer.Option(help="A short system message instead of the logged ones.")
    ] = "",
    keep_secrets: Annotated[
        bool, typer.Option(help="Keep calls that seem to hold keys, tokens or passwords.")
    ] = False,
    personal: Annotated[
        Literal["keep", "redact", "drop"],
        typer.Option(
            help="E-mail addresses, telephone numbers, accounts and the like: replaced by their "
            "kind, or such calls dropped. Names are not found."
        ),
    ] = "keep",
    force: Annotated[bool, typer.Option(help="Replace the file if it is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make examples from an application's logs: what was asked, what was answered, how rated."""
    from whatworks.base.lock import hold_file
    from whatworks.data import LOG_FORMATS, import_logs, write

    require_absent(out, force=force)
    with hold_file(out):
        data = import_logs(
            logs,
            format=source,
            feedback=feedback,
            min_score=min_score,
            strip=strip,
            system=system,
            keep_secrets=keep_secrets,
            personal=personal,
        )
        count = write(data.examples, out, format=to)
    known = {
        name: occurrences
        for name in ("score", "model", "seconds", "at")
        if (occurrences := sum(name in example.meta for example in data.examples))
    }
    if as_json:
        from whatworks.app.programs.command_records import describe_import
        from whatworks.app.programs.records import print_record

        print_record(describe_import(data, count, known, out))
        return
    shapes = {form.name: form.shape for form in LOG_FORMATS}
    for name in data.format.split(" + "):
        print(f"recognised: {name} ({shapes[name]})")
    for note in data.notes:
        print(f"  {note}")
    print(f"kept: {count} calls, in meta: " + (", ".join(f"{k} of {v}" for k, v in known.items())
                                               or "nothing more"))  # fmt: skip
    print(f"written: {out}; in a study: `task: {{train: {out.name}, metric: ...}}`")


def require_absent(path: Path, *, force: bool | None = None) -> None:
    """Refuse a file that is there already, before any work is done.

    Args:
        path: What is to be written.
        force: Whether it may be replaced; None where the command has no ``--force``.

    Raises:
        InputError: If it exists and is not to be replaced.
    """
    from whatworks.base.errors import InputError

    if path.exists() and not force:
        other = "" if force is None else ", or add --force"
        raise InputError(
            "this is there already", place=str(path), remedy=f"name another file{other}"
        )
