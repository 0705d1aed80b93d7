"""One self-contained page: figures, charts, prompts and predictions, without any request outside.

Whatever a model, a user or an error message wrote is hostile text here: the template escapes it,
the predictions travel as JSON that cannot end its script element, and the page's script only ever
writes text nodes. A content security policy refuses everything that is not in the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from whatworks.analysis.aspects import classify_answer
from whatworks.analysis.figures import ArmSummary, Summary
from whatworks.analysis.mistakes import Pattern, find_patterns
from whatworks.analysis.result_rows import ResultRow
from whatworks.app.report import charts
from whatworks.app.report import training_charts as learning
from whatworks.app.report.cost_charts import draw_break_even
from whatworks.app.report.part_chart import draw_parts
from whatworks.base.phrasing import (
    format_count,
    format_duration,
    format_interval,
    format_one_unit,
    format_percent,
    format_points,
    format_rough,
    format_seeds,
)
from whatworks.base.store import write_atomic
from whatworks.data.task import Example

BUDGET = 200_000
"""Bytes of predictions in a page; longer texts are cut, and the page says so."""
CUTS = (2000, 800, 400, 200, 100)
"""Characters to which texts are cut, the first that fits the budget."""


def write_html(
    summary: Summary, rows: Sequence[ResultRow], examples: Sequence[Example], path: Path
) -> None:
    """Write the report; an existing one is replaced in one step.

    Args:
        summary: The figures.
        rows: The rows that they were computed from; the predictions are shown from them.
        examples: The test examples.
        path: Where, ``report.html`` by custom.

    Raises:
        InputError: If the disk is full or the folder cannot be written.
    """
    write_atomic(path, render_page(summary, rows, examples))


def render_page(summary: Summary, rows: Sequence[ResultRow], examples: Sequence[Example]) -> str:
    """The report as text that UTF-8 can hold."""
    shown = collect_predictions(summary, rows, examples)
    scored = [arm for arm in summary.arms if arm.score is not None]
    text = (
        make_environment()
        .get_template("report.html.j2")
        .render(
            charts=charts,
            learning=learning,
            draw_parts=draw_parts,
            span=format_interval,
            summary=summary,
            study=summary.study,
            answer=summary.recommendation,
            scored=scored,
            costs=_draw_cost_charts([arm for arm in scored if arm.info.timed]),
            break_even=draw_break_even(summary.duel),
            apart=any(arm.content for arm in scored),
            forgot=[arm for arm in summary.arms if arm.info.forgetting],
            tests={arm.difference.test for arm in scored if arm.difference},
            patterns=_list_patterns(summary, rows, examples),
            shown=shown,
            data=embed_json(shown),
        )
    )
    return replace_surrogates(text)


def make_environment(*packages: str) -> Any:
    """Jinja with the pages' templates and the filters that write figures; it escapes everything.

    ``packages`` name others with a folder ``templates``.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    jinja = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in ("whatworks.app.report", *packages)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.update(
        in_one_unit=format_one_unit,
        capitalised=_capitalise,
        count=format_count,
        duration=format_duration,
        percent=format_percent,
        pretty=lambda value: json.dumps(value, indent=2, ensure_ascii=False, default=str),
        points=format_points,
        rough=format_rough,
        seeds=format_seeds,
    )
    return jinja


def _list_patterns(
    summary: Summary, rows: Sequence[ResultRow], examples: Sequence[Example]
) -> list[tuple[ArmSummary, tuple[Pattern, ...], int]]:
    """Each arm with its error patterns and the number of its answers."""
    by_id = {example.id: example for example in examples}
    by_arm: list[tuple[ArmSummary, tuple[Pattern, ...], int]] = []
    for arm in summary.arms:
        mine = [row for row in rows if row.arm == arm.name and row.status == "scored"]
        patterns = find_patterns(summary.study.metric, mine, by_id)
        if patterns:
            by_arm.append((arm, patterns, len(mine)))
    return by_arm


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def _draw_cost_charts(scored: Sequence[ArmSummary]) -> list[Any]:
    """Score against prompt tokens, time a request and, where an arm trained, training time."""
    costs: list[tuple[str, Callable[[ArmSummary], float], Callable[[float], str]]] = [
        ("prompt tokens a request", lambda arm: arm.prompt_tokens, format_count),
        ("time a request", lambda arm: arm.seconds, format_one_unit),
    ]
    if any(arm.info.training_seconds for arm in scored):
        costs.append(("training time", lambda arm: arm.info.training_seconds, format_one_unit))
    if any(arm.info.usd for arm in scored):
        costs.append(("US dollars", lambda arm: arm.info.usd, lambda usd: f"${usd:.3g}"))
    return [
        charts.draw_scatter(scored, cost, what, text, timed=text is format_one_unit)
        for what, cost, text in costs
    ]


def replace_surrogates(text: str) -> str:
    """Text with lone surrogates, which models can emit and UTF-8 cannot hold, replaced."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


def embed_json(value: Any) -> Any:
    """JSON for a script element: ASCII, and without the characters that HTML reads."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def collect_predictions(
    summary: Summary, rows: Sequence[ResultRow], examples: Sequence[Example]
) -> dict[str, Any]:
    """The answers side by side, small enough to travel in the page.

    Texts stand once in ``texts`` and are named by position. An arm's answers to an example are
    ``[seeds, kind, value, output, feedback, reasoning]``, the same answer from several seeds once.
    """
    arms = [arm.name for arm in summary.arms if arm.score is not None]
    answers: dict[tuple[str, str], list[ResultRow]] = {}
    for row in rows:
        if row.status == "scored":
            answers.setdefault((row.arm, row.example), []).append(row)
    answered = [e for e in examples if any((arm, e.id) in answers for arm in arms)]
    number = len(answered)
    while True:
        pack: dict[str, Any] = {}
        for cut in CUTS:
            pack = {**_pack(arms, answers, answered[:number], cut), "total": len(answered)}
            if len(embed_json(pack)) <= BUDGET or number == 0:
                return pack
        number = min(number - 1, number * BUDGET // len(embed_json(pack)))


def _pack(
    arms: Sequence[str],
    answers: dict[tuple[str, str], list[ResultRow]],
    examples: Sequence[Example],
    cut: int,
) -> dict[str, Any]:
    numbers: dict[str, int] = {}

    def text(value: str) -> int:
        value = replace_surrogates(value)
        if len(value) > cut:
            value = f"{value[:cut]}… ({len(value) - cut:,} more characters)"
        return numbers.setdefault(value, len(numbers))

    def pack(rows: Sequence[ResultRow]) -> list[list[Any]]:
        seeds: dict[tuple[str, str, float, str, str], list[int]] = {}
        for row in rows:
            same = (classify_answer(row), row.output, row.value, row.feedback, row.reasoning)
            seeds.setdefault(same, []).append(row.seed)
        return [
            [sorted(own), text(kind), round(value, 3), text(output), text(why), text(thoughts)]
            for (kind, output, value, why, thoughts), own in seeds.items()
        ]

    items = [
        {
            "id": text(e.id),
            "input": text(e.text),
            "target": text(e.target),
            "answers": [pack(answers.get((arm, e.id), ())) for arm in arms],
        }
        for e in examples
    ]
    return {"arms": list(arms), "items": items, "texts": list(numbers)}
