"""Which of the two best, and where they break even, as the report shows it."""

from __future__ import annotations

import io
import re
from dataclasses import replace

from rich.console import Console

from sample_summary import summary
from whatworks.analysis.contenders import Contender, Duel, compare_two
from whatworks.analysis.cost import Cost
from whatworks.app.report.cost_charts import draw_break_even
from whatworks.app.report.html import render_page
from whatworks.app.report.terminal import print_summary

SCORES = {(0, f"e{i}"): float(i % 3 > 0) for i in range(300)}


def duel(first: Cost, second: Cost, requests: int | None = None) -> Duel:
    pair = Contender("tuned", SCORES, first), Contender("shots", SCORES, second)
    return compare_two(*pair, margin=0.02, requests=requests)


def test_the_chart_marks_the_break_even_and_the_requests_a_month() -> None:
    chart = str(draw_break_even(duel(Cost(12, 0.001, "usd"), Cost(0, 0.004, "usd"), 3_000)))
    assert ">4,000<" in chart and ">a month<" in chart and ">$20.00<" in chart
    assert "tuned is the cheaper from about 4,000 requests on" in chart
    lines = re.findall(r'<polyline[^>]*points="([\d.]+),([\d.]+) ([\d.]+),([\d.]+)"', chart)
    (_, a0, _, a1), (_, b0, _, b1) = [tuple(map(float, line)) for line in lines]
    assert a0 < b0 and a1 > b1, "the lines cross: dearer to make, cheaper at the end"


def test_there_is_no_chart_where_there_is_nothing_to_mark() -> None:
    assert not draw_break_even(None)
    assert not draw_break_even(duel(Cost(12, 0.004, "usd"), Cost(0, 0.001, "usd")))
    assert draw_break_even(duel(Cost(12, 0.004, "usd"), Cost(0, 0.001, "usd"), 100))
    far = str(draw_break_even(duel(Cost(12, 0.0, "usd"), Cost(0, 1e-6, "usd"), 100)))
    assert ">12,000,000<" not in far and ">a month<" in far


def test_the_first_lines_say_which_of_the_two_to_take() -> None:
    made, rows, items = summary(60, prices=(1.0, 4.0), requests_per_month=500)
    assert made.duel is not None and made.recommendation.details[0] == made.duel.words
    assert made.recommendation.details[1].startswith("Price: ")
    assert "for 1,000 requests" in made.recommendation.details[1]
    page = render_page(made, rows, items)
    assert 'id="break-even"' in page and "a month" in page
    out = io.StringIO()
    print_summary(made, Console(file=out, width=100, force_terminal=False))
    assert "take " in out.getvalue().split("Price: ")[0]
    plain, rows, items = summary(60)
    assert any("No price is known, so time: " in line for line in plain.recommendation.details)
    assert replace(plain, duel=None).duel is None
