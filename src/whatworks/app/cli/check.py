"""`whatworks check`: what would spoil a study, before it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast

import typer

from whatworks.app.cli.app import AsJson, app
from whatworks.app.cli.run import OfFolder, find_study_file

if TYPE_CHECKING:
    from whatworks.data.task import Task
    from whatworks.studies.checks.check_task import CheckFinding
    from whatworks.studies.checks.clean_copy import Cleaned

SPOILT = 1
_SHOWN = 3
_COLOURS = {"fine": "green", "doubt": "yellow", "spoils": "red"}


@app.command()
def check(
    study: Annotated[
        Path | None, typer.Argument(help="Study file, or a folder holding study.yaml")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Instead of the study's model.")] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write a copy without the rows that spoil it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier copy.")] = False,
    contamination: Annotated[
        bool,
        typer.Option(
            "--contamination", help="Ask the model whether it knows the test rows already."
        ),
    ] = False,
    data: OfFolder = "study",
    plugin: Annotated[
        str | None,
        typer.Option(
            help="Instead: a method or metric to try, of another package or FILE.py:NAME."
        ),
    ] = None,
    settings: Annotated[str, typer.Option(help="Of the plugin, as YAML: '{k: 2}'.")] = "",
    as_json: AsJson = False,
) -> None:
    """Look a study's data over: duplicates, leaks, targets, lengths, what training learns.

    Exit code 1 when something would spoil the result.
    """
    if plugin is not None:
        _end(_check_plugin(plugin, settings, as_json))
        return
    if study is None:
        from whatworks.base.errors import InputError

        raise InputError("no study is named", remedy="name a study file, or --plugin NAME")
    from whatworks.studies.checks.check_task import check_task
    from whatworks.studies.open_study import open_study

    opened = open_study(find_study_file(study, data), model=model, checked=False)
    try:
        findings = check_task(
            opened.task, opened.engine, opened.weights, opened.decoding, opened.file.min_effect
        )
        if contamination:
            from whatworks.studies.checks.contamination import check_contamination

            findings.append(check_contamination(opened.task, opened.engine, opened.weights))
    finally:
        opened.close()
    _show(findings, as_json, opened.task)
    if fix:
        from whatworks.studies.checks.clean_copy import clean

        told = sys.stderr if as_json else sys.stdout
        _tell(clean(opened.path, opened.task, findings, force=force), told)
    _end(findings)


def _check_plugin(name: str, settings: str, as_json: bool) -> list[CheckFinding]:
    from whatworks.base.errors import InputError
    from whatworks.base.yaml_file import parse_yaml
    from whatworks.studies.checks.plugin_checks import check_plugin

    values: Any = parse_yaml(settings, Path("--settings")) or {}
    if not isinstance(values, dict):
        raise InputError("settings are a mapping", place="--settings", remedy="write '{k: 2}'")
    findings = check_plugin(name, cast("dict[str, Any]", values))
    _show(findings, as_json)
    return findings


def _end(findings: list[CheckFinding]) -> None:
    if any(finding.level == "spoils" for finding in findings):
        raise typer.Exit(SPOILT)


def _show(findings: list[CheckFinding], as_json: bool, task: Task | None = None) -> None:
    if as_json:
        from whatworks.app.programs.records import describe_check, print_record

        print_record(describe_check(findings, task))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("check", max_width=26)
    for name in ("", "found"):
        table.add_column(name, overflow="fold")
    for finding in findings:
        lines = [finding.says]
        if finding.rows and finding.level != "fine":
            more = ", ..." if len(finding.rows) > _SHOWN else ""
            lines.append(f"rows {', '.join(finding.rows[:_SHOWN])}{more}")
        lines += [line for line in (finding.reason, finding.remedy) if line]
        lines += finding.detail
        level = Text(finding.level, style=_COLOURS[finding.level])
        table.add_row(finding.check, level, Text("\n".join(lines)))
    console.print(table)
    counted = [sum(f.level == level for f in findings) for level in ("spoils", "doubt")]
    console.print(
        f"{counted[0]} check{'s' * (counted[0] != 1)} found what spoils the result, "
        f"{counted[1]} what is in doubt"
    )


def _tell(cleaned: Cleaned, to: TextIO) -> None:
    for part, reasons in cleaned.dropped.items():
        drops = ", ".join(f"{count} ({why})" for why, count in reasons.items()) or "nothing"
        print(f"dropped from {part}: {drops}; {cleaned.kept[part]} rows are left", file=to)
    for kind, ways in cleaned.mended.items():
        listed = ", ".join(f"{how} in {count}" for how, count in ways.items() if how)
        print(f"mended: {ways.total()} rows, {kind}" + (f": {listed}" if listed else ""), file=to)
    print(f"written: {cleaned.study}", file=to)
