"""`whatworks check`: what would spoil a study, before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from whatworks.app.cli.app import app
from whatworks.app.cli.run import OfFolder, StudyPath, find_study_file

if TYPE_CHECKING:
    from whatworks.studies.checks.check_task import CheckFinding
    from whatworks.studies.checks.clean_copy import Cleaned

SPOILT = 1
_SHOWN = 3
_COLOURS = {"fine": "green", "doubt": "yellow", "spoils": "red"}


@app.command()
def check(
    study: StudyPath,
    model: Annotated[str | None, typer.Option(help="Instead of the study's model.")] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write a copy without the rows that spoil it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier copy.")] = False,
    data: OfFolder = "study",
) -> None:
    """Look a study's data over: duplicates, leaks, targets, lengths, what training learns.

    Exit code 1 when something would spoil the result.
    """
    from whatworks.studies.checks.check_task import check_task
    from whatworks.studies.open_study import open_study

    opened = open_study(find_study_file(study, data), model=model, checked=False)
    try:
        findings = check_task(
            opened.task, opened.engine, opened.weights, opened.decoding, opened.file.min_effect
        )
    finally:
        opened.close()
    _show(findings)
    if fix:
        from whatworks.studies.checks.clean_copy import clean

        _tell(clean(opened.path, opened.task, findings, force=force))
    if any(finding.level == "spoils" for finding in findings):
        raise typer.Exit(SPOILT)


def _show(findings: list[CheckFinding]) -> None:
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


def _tell(cleaned: Cleaned) -> None:
    for part, reasons in cleaned.dropped.items():
        drops = ", ".join(f"{count} ({why})" for why, count in reasons.items()) or "nothing"
        print(f"dropped from {part}: {drops}; {cleaned.kept[part]} rows are left")
    if cleaned.mended:
        print(f"mended: {cleaned.mended} rows")
    print(f"written: {cleaned.study}")
