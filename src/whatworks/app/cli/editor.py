"""Commands for whoever writes a study file: its schema, and what a method can be told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from whatworks.app.cli.app import AsJson, app


@app.command()
def schema(
    record: Annotated[
        str | None, typer.Argument(help="A record instead, e.g. verdict (docs/json.md).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; the terminal by default.")
    ] = None,
) -> None:
    """Print the JSON Schema of the study file, with which an editor completes and checks it.

    Or that of a record, which `--json` prints: `whatworks schema verdict`.
    """
    from whatworks.base.store import write_atomic
    from whatworks.studies.study_schema import make_schema

    if record is None:
        made = make_schema()
    else:
        from whatworks.app.programs.record_shapes import make_record_schema

        made = make_record_schema(record)
    text = json.dumps(made, indent=1, ensure_ascii=False)
    if out is None:
        print(text)
        return
    write_atomic(out, text + "\n")
    use = "" if record else f"; in a study file: # yaml-language-server: $schema={out}"
    print(f"written: {out}{use}")


@app.command()
def docs(
    method: Annotated[
        str | None, typer.Argument(help="A method, e.g. sft; without it, all of them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a method does and what can be set: names, defaults, meanings."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from whatworks.base.errors import InputError, suggest_nearest
    from whatworks.studies.study_schema import describe_methods

    methods = describe_methods()
    if method is not None and method not in methods:
        raise InputError(f"no method {method!r}", remedy=suggest_nearest(method, methods))
    if as_json:
        from whatworks.app.programs.command_records import describe_methods as describe
        from whatworks.app.programs.records import print_record

        print_record(describe(methods if method is None else {method: methods[method]}))
        return
    console = Console(highlight=False)
    if method is None:
        table = Table("method", "what it does", box=None, pad_edge=False)
        for name, described in methods.items():
            table.add_row(escape(name), escape(described.what.split("\n")[0]))
        console.print(table)
        return
    described = methods[method]
    console.print(described.what, markup=False)
    if described.settings:
        table = Table("setting", "default", "meaning", box=None, pad_edge=False)
        for one in described.settings:
            table.add_row(escape(one.name), escape(one.default), escape(one.meaning))
        console.print()
        console.print(table)
    console.print(f"\nIn full: docs/methods/{method}.md", markup=False)
