"""The table at the end of a study, in the terminal.

On a terminal, rich draws; elsewhere (a pipe, a log file) the same is said in plain lines without
escape codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whatworks.analysis.comparison import Comparison, Estimate
from whatworks.analysis.figures import ArmSummary, Summary
from whatworks.analysis.forgetting import Forgetting
from whatworks.analysis.learning_curve import Curve
from whatworks.analysis.slices import Slices
from whatworks.app.report.progress import clean
from whatworks.base.phrasing import (
    cut_text,
    format_count,
    format_duration,
    format_interval,
    format_one_unit,
    format_percent,
    format_points,
    format_seeds,
    join_names,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

MARKS = {
    "works": "✓",
    "content only": "◐",
    "does not work": "✗",
    "cannot tell": "?",
    "behind on dev": "‹",
    "failed": "!",
    "baseline": "·",
}
STYLES = {
    "works": "bold blue",
    "content only": "blue",
    "does not work": "dark_orange3",
    "cannot tell": "dim",
    "behind on dev": "dim",
    "failed": "bold red",
    "baseline": "",
}
WIDE = 96
"""Columns from which the dev scores are shown too, and content and form as a column."""
WIDER = 104
"""Columns from which forgetting is a column; below that, a line."""
CONTENT = 11
"""Columns that content and form take."""
PIPED_WIDTH = 104
"""Least width of a table that goes to a file or a pipe, where nothing wraps."""


def print_summary(summary: Summary, console: Console | None = None) -> None:
    """Print the answer, the table and the failures.

    Args:
        summary: What to show.
        console: Where; standard output by default.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = console or Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = max(console.width, PIPED_WIDTH)
    study, answer = summary.study, summary.recommendation
    console.print()
    if summary.warning:
        console.print(Text(clean(summary.warning)))
    console.print(Text(clean(answer.headline), style="bold"))
    for line in (*answer.details, *(one.words for one in summary.not_worse), *study.findings):
        console.print(Text(clean(line)))
    console.print()
    # Without its edge, rich draws the table two columns wider than it was told.
    console.print(_make_table(summary, console.width), width=console.width - 2, crop=False)
    if summary.curve is not None:
        console.print()
        console.print(_make_curve_table(summary.curve))
        console.print(Text(clean(summary.curve.sentence) + "."))
        console.print()
    if summary.slices is not None:
        print_slices(summary.slices, study.baseline, console)
    for arm in summary.arms:
        for failure in arm.failures:
            console.print(
                Text(
                    f"! {clean(arm.name)}, {format_seeds(failure.seeds)}: {clean(failure.in_words)}"
                )
            )
            if failure.remedy:
                console.print(Padding(Text(clean(failure.remedy)), (0, 0, 0, 2)))
    if note := describe_content(summary, figures=console.width < WIDE + 2):
        console.print(Text(note, style="dim"))
    if note := describe_forgetting(summary, figures=console.width < _count_columns(summary) + 2):
        console.print(Text(note, style="dim"))
    if study.origin:
        console.print(Text(clean(f"{study.model}: {study.origin}"), style="dim"))
    if study.plan:
        console.print(Text(clean(study.plan), style="dim"))
    console.print(Text(_write_fine_print(summary), style="dim"))


def _make_table(summary: Summary, width: int) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("arm", overflow="fold", min_width=9)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column(f"to {clean(summary.study.baseline)}", justify="right", max_width=16)
    table.add_column("verdict", min_width=13)
    apart = width >= WIDE and _has_aspects(summary)
    if apart:
        table.add_column("content\nusable", justify="right", no_wrap=True)
    for heading in ("prompt\ntokens", "time a\nrequest", "train"):
        table.add_column(heading, justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("dev", justify="right", no_wrap=True)
    forgot = width >= _count_columns(summary) and any(arm.info.forgetting for arm in summary.arms)
    if forgot:
        table.add_column("kept\nKL", justify="right", no_wrap=True)
    for arm in summary.arms:
        chosen = arm.name == summary.recommendation.winner
        name = f"▸{arm.name}" if chosen else f" {arm.name}"
        cells = [
            Text(name, style="bold" if chosen else ""),
            *_format_scores(arm),
            _format_verdict(arm),
            *([_format_aspects(arm)] if apart else []),
            *_format_cost(arm),
        ]
        if width >= WIDE:
            dev = arm.info.dev_score
            cells.append(Text("–" if dev is None else format_percent(dev)))
        if forgot:
            cells.append(_format_forgetting(arm))
        table.add_row(*cells)
    if summary.constant is not None:
        always = summary.constant
        share = format_percent(always.content.value) if apart else ""
        table.add_row(
            Text(f" always\n “{clean(cut_text(always.answer, 16))}”", style="dim"),
            *_format_figures(always.score, always.difference),
            Text("  no model", style="dim"),
            *([_stack(share)] if apart else []),
        )
    return table


def _has_aspects(summary: Summary) -> bool:
    """Whether the metric tells content from form."""
    return any(arm.content for arm in summary.arms)


def _count_columns(summary: Summary) -> int:
    """Columns from which forgetting is one of them."""
    return WIDER + CONTENT * _has_aspects(summary)


def describe_content(summary: Summary, *, figures: bool) -> str:
    """What content and form mean, with their figures where there is no column for them."""
    if not _has_aspects(summary):
        return ""
    counts = "content alone" if summary.study.score == "lenient" else "content and form both"
    note = (
        "content: the right thing is in the answer; usable: how many of those can be used as they "
        f"stand. The score counts {counts}"
    )
    if figures:
        shown = [
            f"{clean(arm.name)} {format_percent(arm.content.share.value)}"
            + (f", {arm.form.counted} usable" if arm.form else "")
            for arm in summary.arms
            if arm.content
        ]
        note += ". " + "; ".join(shown)
    return note


def describe_forgetting(summary: Summary, *, figures: bool) -> str:
    """What the forgetting figures mean, with them where there is no column for them."""
    forgettings = [(arm.name, arm.info.forgetting) for arm in summary.arms if arm.info.forgetting]
    if not forgettings:
        return ""
    note = (
        f"kept: same answers as the untouched model to {forgettings[0][1].prompts} general "
        "prompts; KL from it in nats per token, on these and on the task"
    )
    if figures:
        shown = [
            f"{clean(name)} {format_percent(f.agreement, 0)}, KL {_format_kl(f)}"
            for name, f in forgettings
        ]
        note += ": " + "; ".join(shown)
    return note


def _make_curve_table(curve: Curve) -> Table:
    """The learning curve: each number of rows, then the k-shot that it is compared with."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(f"{clean(curve.arm)} by {curve.unit}", min_width=9)
    for heading in ("score", "to best k-shot", "prompt\ntokens", "time a\nrequest"):
        table.add_column(heading, justify="right", no_wrap=True)
    for point in (*curve.points, *([curve.against] if curve.against else [])):
        name = clean(point.arm) if point is curve.against else f"{point.rows:,}"
        if point.score is None:
            table.add_row(name, "failed")
            continue
        comparison = point.difference
        table.add_row(
            name,
            format_percent(point.score.value),
            f"{format_points(comparison.difference)} "
            f"{format_interval(comparison.low, comparison.high)}"
            if comparison
            else "",
            format_count(point.prompt_tokens),
            format_one_unit(point.seconds),
        )
    return table


def print_slices(slices: Slices, baseline: str, console: Console) -> None:
    """Print what came out by slice, and what was left out."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in ("slice", "rows", clean(baseline), "arm", "score", "difference", "verdict"):
        right = heading in ("rows", clean(baseline), "score", "difference")
        table.add_column(heading, justify="right" if right else "left", no_wrap=right)
    for one in slices.slices:
        for place, arm in enumerate(one.arms):
            gain = arm.difference
            head = (f"{clean(one.column)}: {clean(one.value)}", str(one.rows),
                    format_percent(one.baseline.value)) if place == 0 else ("", "", "")  # fmt: skip
            table.add_row(
                *head,
                clean(arm.name),
                format_percent(arm.score.value),
                f"{format_points(gain.difference)} {format_interval(gain.low, gain.high)}",
                Text(arm.verdict.label, style=STYLES.get(arm.verdict.label, "")),
            )
    console.print()
    if slices.slices:
        console.print(table)
    for note in slices.notes:
        console.print(Text(clean(note), style="dim"))
    console.print()


def _stack(value: str, below: str = "") -> Text:
    from rich.text import Text

    text = Text(value)
    if below:
        text.append(f"\n{below}", style="dim")
    return text


def _format_scores(arm: ArmSummary) -> list[Text]:
    return _format_figures(arm.score, arm.difference)


def _format_aspects(arm: ArmSummary) -> Text:
    """The share with the right content, and how many of these can be used as they stand."""
    if arm.content is None:
        return _stack("–" if arm.score is None else "")
    usable = arm.form.counted if arm.form else ""
    return _stack(format_percent(arm.content.share.value), usable)


def _format_figures(score: Estimate | None, comparison: Comparison | None) -> list[Text]:
    return [
        _stack(format_percent(score.value), format_interval(score.low, score.high, signed=False))
        if score
        else _stack("–"),
        _stack(
            format_points(comparison.difference), format_interval(comparison.low, comparison.high)
        )
        if comparison
        else _stack(""),
    ]


def _format_forgetting(arm: ArmSummary) -> Text:
    forgetting = arm.info.forgetting
    return (
        _stack(format_percent(forgetting.agreement, 0), _format_kl(forgetting))
        if forgetting
        else _stack("")
    )


def _format_kl(forgetting: Forgetting) -> str:
    """The divergence on general prompts and, where it is known, on the task."""
    task = "" if forgetting.task is None else f", {forgetting.task:.2f}"
    return f"{forgetting.kl:.2f}{task}"


def _format_verdict(arm: ArmSummary) -> Text:
    from rich.text import Text

    verdict = arm.verdict
    text = Text(f"{MARKS[verdict.label]} {verdict.label}", style=STYLES[verdict.label])
    if arm.lost:
        text.append(f"\n  {arm.lost} of {arm.info.seeds} failed", style="not bold red")
    if verdict.label == "behind on dev":
        text.append(f"\n  {clean(verdict.reason)}", style="not bold dim")
    elif verdict.label == "content only" and arm.content is not None:
        text.append(f"\n  {arm.content.gain}", style="not bold dim")
    elif verdict.unbeaten:
        text.append(f"\n  from “always” {verdict.needs.brief}".rstrip(), style="not bold dim")
    elif verdict.more:
        text.append(f"\n  {verdict.needs.brief}", style="not bold dim")
    if arm.cut:
        text.append(f"\n  {format_percent(arm.cut, 0)} cut", style="not bold dim")
    return text


def _format_cost(arm: ArmSummary) -> list[Text]:
    money = f"${arm.info.usd:.3g}" if arm.info.usd else ""
    if arm.score is None:
        return [_stack("–", money), _stack("–"), _stack("–")]
    if not arm.info.timed:
        return [_stack("–"), _stack("–"), _stack("given")]
    part = f"{arm.seeds}/" if arm.seeds < arm.info.seeds else ""
    seeds = f"{part}{arm.info.seeds} seeds"
    training = format_one_unit(arm.info.training_seconds) if arm.info.training_seconds else "none"
    return [
        _stack(format_count(arm.prompt_tokens), money),
        _stack(format_one_unit(arm.seconds)),
        _stack(training, seeds if arm.info.seeds > 1 else ""),
    ]


def _write_fine_print(summary: Summary) -> str:
    study = summary.study
    groups = (
        f" in {format_count(summary.n_groups)} groups" if summary.n_groups < summary.n_test else ""
    )
    units = {arm.verdict.needs.unit for arm in summary.arms if arm.verdict.more_examples}
    more = f"; N more: test {join_names(sorted(f'{u}s' for u in units))} to tell" if units else ""
    opened = "once" if study.openings == 1 else f"{study.openings} times"
    decided = "".join(f" {clean(line)}" for line in study.decisions)
    return (
        f"▸ chosen on dev.{decided} {format_count(summary.n_test)} test examples{groups}, opened "
        f"{opened}. In brackets 95% intervals; differences in points, paired, corrected for the "
        "number of arms"
        f"{more}. {format_duration(study.seconds)} in all."
    )
