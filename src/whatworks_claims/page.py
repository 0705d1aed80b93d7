"""The claims on one self-contained page, for someone who has read the article and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from whatworks.app.report import charts
from whatworks.app.report.html import make_environment, replace_surrogates
from whatworks.app.report.progress import clean
from whatworks.base.phrasing import format_duration, format_interval, format_points
from whatworks.version import __version__
from whatworks_claims.evidence import Measured, Plot
from whatworks_claims.findings import Report

if TYPE_CHECKING:
    from rich.console import Console


MARKS = {"holds": "✓", "does not hold": "✗", "cannot tell": "?"}
CSS = {"holds": "works", "does not hold": "does-not-work", "cannot tell": "cannot-tell"}
STYLES = {"holds": "bold blue", "does not hold": "dark_orange3", "cannot tell": "dim"}


def render_page(report: Report) -> str:
    """The page as text."""
    answers = [finding.answer for finding in report.findings]
    shown = list(zip(report.claims, report.findings, strict=True))
    text = (
        make_environment("whatworks_claims")
        .get_template("claims.html.j2")
        .render(
            report=report,
            shown=shown,
            counts={answer: answers.count(answer) for answer in MARKS},
            marks=MARKS,
            css=CSS,
            interval=describe_interval,
            line=_draw_plot,
            items=sum(m.comparison.n_items for f in report.findings for m in f.measured[:1]),
            version=__version__,
            command=format_command(report),
        )
    )
    return replace_surrogates(text)


def format_command(report: Report) -> str:
    """How to run it again."""
    request = report.request
    parts = ["whatworks claims", *request.ids, f"--model {request.model}", f"--data {request.data}"]
    return " ".join([*parts, "--quick"] if request.quick else parts)


def describe_interval(one: Measured) -> str:
    """``+29.5 [+21, +38]``."""
    comparison = one.comparison
    interval = format_interval(comparison.low, comparison.high)
    return f"{format_points(comparison.difference)} {interval}"


def _draw_plot(plot: Plot) -> Markup:
    return charts.draw_steps(plot.lines)


def print_table(report: Report, console: Console | None = None) -> None:
    """The findings as a table in the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 100)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name in ("claim", "answer", "effect, points"):
        table.add_column(name, no_wrap=True)
    table.add_column("n", justify="right")
    table.add_column("why")
    for finding in report.findings:
        one = finding.effect
        table.add_row(
            finding.claim,
            Text(f"{MARKS[finding.answer]} {finding.answer}", style=STYLES[finding.answer]),
            describe_interval(one) if one else "",
            str(one.comparison.n_items) if one else "",
            Text(clean(finding.reason)),
        )
    console.print(table)
    took = format_duration(report.seconds)
    console.print(
        Text(f"{took}; {format_duration(report.announced)} had been announced", style="dim")
    )


def render_markdown(report: Report) -> str:
    """The findings as a Markdown table, with the command and the time that it took."""
    lines = [
        "| claim | the article says | on this model | effect, points | n |",
        "|---|---|---|---|---|",
    ]
    for claim, finding in zip(report.claims, report.findings, strict=True):
        one = finding.effect
        cells = (f"`{claim.id}`", claim.says, f"{MARKS[finding.answer]} {finding.answer}")
        figures = (describe_interval(one), str(one.comparison.n_items)) if one else ("", "")
        lines.append(
            f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in (*cells, *figures))} |"
        )
    times = f"{format_duration(report.seconds)}, {format_duration(report.announced)} announced"
    return "\n".join([*lines, "", f"`{format_command(report)}`: {times}.", ""])


def as_data(report: Report) -> dict[str, Any]:
    """The findings as plain data."""
    return {
        "command": format_command(report),
        "seconds": round(report.seconds, 1),
        "announced": round(report.announced, 1),
        "version": __version__,
        "findings": [
            {
                "claim": finding.claim,
                "answer": finding.answer,
                "reason": finding.reason,
                "contrasts": [
                    {
                        "what": one.what,
                        "difference": round(one.comparison.difference, 4),
                        "low": round(one.comparison.low, 4),
                        "high": round(one.comparison.high, 4),
                        "smallest": one.smallest,
                        "items": one.comparison.n_items,
                        "groups": one.comparison.n_groups,
                        "seeds": one.comparison.n_seeds,
                    }
                    for one in finding.measured
                ],
            }
            for finding in report.findings
        ],
    }
