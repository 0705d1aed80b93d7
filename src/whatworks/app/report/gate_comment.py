"""A gate's result for machines (JSON) and for a pull request (Markdown)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from whatworks.analysis.two_runs import GateResult
from whatworks.app.report.progress import clean
from whatworks.base.phrasing import format_count, format_interval, format_points

_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]<>()#+-!|~@"})


def format_json(result: GateResult, note: str = "") -> str:
    """The result as one JSON object; the difference and its 90% interval as shares."""
    fields = {name: value for name, value in asdict(result).items() if name != "difference"}
    record: dict[str, Any] = {"schema": "whatworks.gate/1", **fields}
    comparison = result.difference
    record["difference"] = None if comparison is None else comparison.difference
    record["interval"] = None if comparison is None else [comparison.low, comparison.high]
    record["note"] = note
    return json.dumps(record, indent=1, ensure_ascii=True) + "\n"


def format_comment(result: GateResult, note: str = "") -> str:
    """The result as a comment in Markdown; names of arms and folders stay plain text."""
    head = "passed" if result.passed else "stopped"
    lines = [f"### whatworks gate: {head}", "", f"{escape_markdown(result.reason)}.", ""]
    comparison = result.difference
    gain = "not compared"
    if comparison is not None:
        between = format_interval(comparison.low, comparison.high)
        points = format_points(comparison.difference)
        gain = f"{points} points, 90% interval {escape_markdown(between)}"
    table = {
        "run": escape_markdown(result.new),
        "held against": escape_markdown(result.old),
        "difference": gain,
        "not allowed": f"a fall by {format_points(result.margin).lstrip('+')} points or more",
        "rows that both have": format_count(result.rows),
        "rows missing": format_count(result.missing),
        "answers missing or failed": format_count(result.unanswered),
    }
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in table.items())]
    if note:
        lines += ["", f"{escape_markdown(note)}."]
    return "\n".join(lines) + "\n"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is."""
    return clean(text).translate(_MARKDOWN)
