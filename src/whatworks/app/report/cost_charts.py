"""What the two best arms cost by the number of requests, and where they break even."""

from __future__ import annotations

from markupsafe import Markup

from whatworks.analysis.contenders import Duel
from whatworks.analysis.cost import find_break_even
from whatworks.app.report.charts import LINE_MARKS
from whatworks.app.report.svg import (
    choose_css,
    draw_line,
    draw_mark,
    draw_text,
    render_svg,
    round_ticks,
)

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 620, 280, 74, 470, 18, 232
BEYOND = 1.5
"""How far the axis goes beyond what is marked on it."""


def draw_break_even(duel: Duel | None) -> Markup:
    """Cost of the chosen arm and its runner-up against requests; "" where nothing is to be marked.

    Marked are the requests a month that the user named, and those from which the other is cheaper.
    """
    costs = duel.costs if duel is not None else None
    if duel is None or costs is None:
        return Markup("")
    turn = find_break_even(*costs)
    # Where one is the cheaper only far beyond what is asked, the near end says more.
    far = duel.requests and turn and turn > 20 * duel.requests
    marked = [n for n in (duel.requests, None if far else turn) if n]
    if not marked:
        return Markup("")
    xs = round_ticks(0.0, BEYOND * max(marked), wanted=4)
    ys = round_ticks(0.0, max(cost.compute_total(xs[-1]) for cost in costs), wanted=4)

    def x(requests: float) -> float:
        return LEFT + (RIGHT - LEFT) * requests / xs[-1]

    def y(cost: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * cost / ys[-1]

    parts: list[str] = []
    for tick in ys:
        parts.append(draw_line(LEFT, y(tick), RIGHT, y(tick), "grid" if tick else "axis"))
        parts.append(draw_text(LEFT - 8, y(tick) + 4, costs[0].format(tick), "tick", "end"))
    for tick in xs:
        parts.append(draw_text(x(tick), BOTTOM + 18, f"{tick:,.0f}", "tick", "middle"))
    parts.append(draw_text(RIGHT, HEIGHT - 6, "requests", "axis-name", "end"))
    names = (duel.first.name, duel.second.name)
    for number, (name, cost) in enumerate(zip(names, costs, strict=True)):
        label = LINE_MARKS[number]
        ends = f"{x(0):.1f},{y(cost.once):.1f} {x(xs[-1]):.1f},{y(cost.compute_total(xs[-1])):.1f}"
        parts.append(f'<polyline class="curve {choose_css(label)}" points="{ends}"/>')
        place = 28 + 22 * number
        parts.append(draw_mark(RIGHT + 18, place, label))
        parts.append(draw_mark(x(xs[-1]), y(cost.compute_total(xs[-1])), label))
        parts.append(draw_text(RIGHT + 30, place + 4.5, name, "label", "start"))
    if duel.requests:
        at = x(duel.requests)
        parts.append(draw_line(at, TOP, at, BOTTOM, "axis"))
        parts.append(draw_text(at + 5, TOP + 10, "a month", "label halo", "start"))
    if turn and not far:
        at, height = x(turn), y(costs[0].compute_total(turn))
        parts.append(draw_mark(at, height, "baseline"))
        parts.append(draw_text(at + 8, height + 18, f"{turn:,.0f}", "label halo", "start"))
    return render_svg(WIDTH, HEIGHT, f"Cost by requests. {duel.prices}", parts)
