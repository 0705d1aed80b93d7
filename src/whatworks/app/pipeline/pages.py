"""What a pipeline shows of a run: JUnit XML, and a summary in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from whatworks.analysis.figures import Summary
from whatworks.analysis.next_step.predictions import describe_outcomes
from whatworks.app.pipeline.conditions import Outcome
from whatworks.app.report.gate_comment import escape_markdown
from whatworks.app.report.progress import clean
from whatworks.base.phrasing import format_interval, format_percent, format_points

JUNIT_ORDER = ("arms", "gate")
"""Test suites of the JUnit file."""


def format_junit(summary: Summary, outcomes: Sequence[Outcome]) -> str:
    """JUnit XML: a case for each arm, in error where it failed, and for each condition.

    Verdicts are no failures: that tuning does not work is a result.
    """
    arms_name, gate_name = JUNIT_ORDER
    root = Element("testsuites", name=clean(summary.study.name))
    failed = [arm for arm in summary.arms if arm.failures]
    suite = SubElement(
        root, "testsuite", name=arms_name, tests=f"{len(summary.arms)}", failures="0",
        errors=f"{len(failed)}",
    )  # fmt: skip
    for arm in summary.arms:
        case = SubElement(suite, "testcase", classname=arms_name, name=clean(arm.name))
        for failure in arm.failures:
            error = SubElement(case, "error", message=clean(failure.in_words))
            error.text = clean(failure.remedy)
        SubElement(case, "system-out").text = clean(f"{arm.verdict.label}: {arm.verdict.reason}")
    shut = [one for one in outcomes if not one.passed]
    suite = SubElement(
        root, "testsuite", name=gate_name, tests=f"{len(outcomes)}", failures=f"{len(shut)}",
        errors="0",
    )  # fmt: skip
    for one in outcomes:
        case = SubElement(suite, "testcase", classname=gate_name, name=clean(one.name))
        if not one.passed:
            SubElement(case, "failure", message=clean(one.reason))
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, "unicode") + "\n"


def format_summary(summary: Summary, outcomes: Sequence[Outcome]) -> str:
    """A summary for a pull request; names stay plain text."""
    answer = summary.recommendation
    lines = [f"### {escape_markdown(summary.study.name)}", "", escape_markdown(answer.headline), ""]
    for one in outcomes:
        word = "passed" if one.passed else "**not passed**"
        lines.append(f"- {escape_markdown(one.name)}: {word}, {escape_markdown(one.reason)}")
    if outcomes:
        lines.append("")
    lines += ["| arm | score | difference | verdict |", "|---|---|---|---|"]
    for arm in summary.arms:
        score, gain = arm.score, arm.difference
        cells = (
            arm.name,
            f"{format_percent(score.value)} {format_interval(score.low, score.high, signed=False)}"
            if score
            else "",
            f"{format_points(gain.difference)} {format_interval(gain.low, gain.high)}"
            if gain
            else "",
            arm.verdict.label,
        )
        lines.append("| " + " | ".join(map(escape_markdown, cells)) + " |")
    if foreseen := describe_outcomes(summary.study.predicted):
        lines += ["", escape_markdown(foreseen)]
    lines += ["", f"{summary.n_test} test rows, opened {summary.study.openings} times."]
    return "\n".join(lines) + "\n"
