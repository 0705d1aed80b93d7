"""Charts as inline SVG: no script, no image, colours from the page's style sheet.

Verdicts differ by shape as well as by colour. Every chart has a text for those who cannot see it.
All coordinates are pixels of the chart's own view box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from markupsafe import Markup

from whatworks.analysis.comparison import Comparison, Estimate
from whatworks.analysis.figures import ArmSummary
from whatworks.analysis.learning_curve import Curve
from whatworks.app.report.svg import (
    choose_css,
    draw_line,
    draw_mark,
    draw_text,
    render_svg,
    round_ticks,
)
from whatworks.base.phrasing import format_interval, format_percent, format_points

KINDS = ("correct", "content only", "abstained", "malformed", "wrong")
LINE_MARKS = ("works", "does not work", "cannot tell", "baseline")
"""How lines are told apart: by the marks and colours of the verdicts."""
GLYPH = 7.2
"""Mean width of a character of a label."""


def draw_forest(
    arms: Sequence[ArmSummary], baseline: str, min_effect: float, *, content: bool = False
) -> Markup:
    """Differences to the baseline with intervals, one line per compared arm.

    ``content``: of the arms' content instead of their score, with its own verdicts.
    """
    if content:
        arms = [_select_content(arm) for arm in arms]
    compared = [(arm, arm.difference) for arm in arms if arm.difference is not None]
    if not compared:
        return Markup("")
    width, row, top = 760, 34, 14
    left = 24 + GLYPH * max(len(arm.name) for arm, _ in compared)
    right, bottom = width - 150, top + row * len(compared)
    ticks = round_ticks(
        min(0.0, *(d.low for _, d in compared)), max(0.0, *(d.high for _, d in compared))
    )

    def x(value: float) -> float:
        return left + (right - left) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [
        f'<rect class="band" x="{x(-min_effect):.1f}" y="{top}" '
        f'width="{x(min_effect) - x(-min_effect):.1f}" height="{bottom - top}"/>'
    ]
    for tick in ticks:
        line = "axis" if abs(tick) < 1e-9 else "grid"
        parts.append(draw_line(x(tick), top, x(tick), bottom, line))
        parts.append(draw_text(x(tick), bottom + 18, format_points(tick, 0), "tick", "middle"))
    for i, (arm, d) in enumerate(compared):
        y = top + row * (i + 0.5)
        kind = choose_css(arm.verdict.label)
        parts.append(draw_text(left - 14, y + 4.5, arm.name, "label", "end"))
        parts.append(draw_line(x(d.low), y, x(d.high), y, f"whisker {kind}"))
        parts.append(draw_mark(x(d.difference), y, arm.verdict.label))
        figures = f"{format_points(d.difference)}  {format_interval(d.low, d.high)}"
        parts.append(draw_text(width, y + 4.5, figures, "figure", "end"))
    description = "; ".join(
        f"{a.name} {format_points(d.difference)} {format_interval(d.low, d.high)}"
        for a, d in compared
    )
    what = "Difference in content" if content else "Difference"
    return render_svg(width, bottom + 26, f"{what} to {baseline} in points: {description}", parts)


def _select_content(arm: ArmSummary) -> ArmSummary:
    """The arm with difference and verdict of its content."""
    own = arm.content
    if own is None or own.verdict is None:
        return replace(arm, difference=None)
    return replace(arm, difference=own.difference, verdict=own.verdict)


@dataclass
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        """Shared area."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)


def draw_scatter(
    arms: Sequence[ArmSummary],
    cost: Callable[[ArmSummary], float],
    what: str,
    tick_text: Callable[[float], str],
    *,
    timed: bool = False,
) -> Markup:
    """Score against a cost, with intervals and the arms' names beside their points.

    Args:
        arms: Arms that have a score.
        cost: What stands on the horizontal axis, 0 or more.
        what: Name of the cost, for the axis and the chart's text.
        tick_text: How a cost is written.
        timed: Whether the cost is in seconds, so that round ticks are round minutes or hours.
    """
    scored = [(arm, arm.score, cost(arm)) for arm in arms if arm.score is not None]
    if not scored:
        return Markup("")
    width, height = 520, 330
    frame = _Box(46, 14, width - 16, height - 50)
    most = max(c for _, _, c in scored) or 1.0
    unit = (3600 if most > 7200 else 60 if most > 120 else 1) if timed else 1
    xs = [tick * unit for tick in round_ticks(0.0, most / unit, wanted=4)]
    ys = round_ticks(0.0, max(s.high for _, s, _ in scored), wanted=4)

    def x(value: float) -> float:
        return frame.left + (frame.right - frame.left) * value / xs[-1]

    def y(value: float) -> float:
        return frame.bottom - (frame.bottom - frame.top) * value / ys[-1]

    parts: list[str] = []
    for tick in ys:
        parts.append(
            draw_line(frame.left, y(tick), frame.right, y(tick), "grid" if tick else "axis")
        )
        parts.append(draw_text(frame.left - 8, y(tick) + 4, format_percent(tick, 0), "tick", "end"))
    for tick in xs:
        anchor = "middle" if tick < xs[-1] else "end"
        parts.append(draw_text(x(tick), frame.bottom + 18, tick_text(tick), "tick", anchor))
    parts.append(draw_text(frame.right, height - 6, what, "axis-name", "end"))
    places = _spread_apart([x(c) for _, _, c in scored], frame)
    spots = [(place, y(score.value)) for place, (_, score, _) in zip(places, scored, strict=True)]
    taken = [_Box(px - 7, py - 7, px + 7, py + 7) for px, py in spots]
    taken += [
        _Box(px - 2, y(score.high), px + 2, y(score.low))
        for (px, _), (_, score, _) in zip(spots, scored, strict=True)
    ]
    for (px, py), (arm, score, _) in zip(spots, scored, strict=True):
        kind = choose_css(arm.verdict.label)
        parts.append(draw_line(px, y(score.low), px, y(score.high), f"whisker {kind}"))
        parts.append(draw_mark(px, py, arm.verdict.label))
        box = _place_label(px, py, arm.name, taken, frame)
        taken.append(box)
        parts.append(draw_text(box.left + 2, box.bottom - 4, arm.name, "label halo", "start"))
    description = "; ".join(
        f"{a.name} {format_percent(s.value)} at {tick_text(c)}" for a, s, c in scored
    )
    return render_svg(width, height, f"Score against {what}: {description}", parts)


def draw_kinds(arms: Sequence[ArmSummary]) -> Markup:
    """How the answers of each arm ended, as stacked shares."""
    scored = [arm for arm in arms if arm.kinds]
    if not scored:
        return Markup("")
    width, row, top = 760, 30, 34
    left = 24 + GLYPH * max(len(arm.name) for arm in scored)
    present = list_kinds(scored)
    parts: list[str] = []
    at = left
    for kind in present:
        parts.append(_draw_bar(at, 6, 12, 12, kind))
        parts.append(draw_text(at + 18, 16.5, kind, "figure", "start"))
        at += 42 + GLYPH * len(kind)
    for i, arm in enumerate(scored):
        y, at = top + row * i, left
        total = sum(arm.kinds.values())
        parts.append(draw_text(left - 14, y + 16.5, arm.name, "label", "end"))
        for kind in present:
            share = arm.kinds.get(kind, 0) / total
            wide = (width - left) * share
            if not wide:
                continue
            parts.append(_draw_bar(at, y + 2, wide, row - 8, kind))
            if wide > 34:
                style = f"inside {_name_kind_class(kind)}"
                parts.append(
                    draw_text(at + wide / 2, y + 17, format_percent(share, 0), style, "middle")
                )
            at += wide
    description = "; ".join(
        f"{arm.name}: " + ", ".join(f"{k} {n}" for k, n in arm.kinds.items()) for arm in scored
    )
    return render_svg(width, top + row * len(scored) + 2, f"Answers by kind: {description}", parts)


def list_kinds(arms: Sequence[ArmSummary]) -> list[str]:
    """The kinds that occur, the known ones first."""
    present = {kind for arm in arms for kind in arm.kinds}
    return [k for k in KINDS if k in present] + sorted(present - set(KINDS))


def draw_gauge(score: Estimate, label: str) -> Markup:
    """A score with its interval on a line from 0 to 1, for a table's cell."""
    width = 120
    css = choose_css(label)
    parts = [
        draw_line(0, 6, width, 6, "track"),
        draw_line(width * score.low, 6, width * score.high, 6, f"range {css}"),
        draw_line(width * score.value, 0, width * score.value, 12, f"whisker {css}"),
    ]
    return render_svg(width, 12, "", parts, css="gauge")


def draw_curve(runs: Sequence[Sequence[float]]) -> Markup:
    """Dev score after each checkpoint, one line per run."""
    drawn = [run for run in runs if len(run) > 1]
    if not drawn:
        return Markup("")
    width, height, left, right, bottom = 300, 110, 40, 292, 84
    ys = round_ticks(0.0, max(max(run) for run in drawn) or 1.0, wanted=2)
    last = max(len(run) for run in drawn) - 1
    parts: list[str] = []
    for tick in ys:
        y = bottom - (bottom - 10) * tick / ys[-1]
        parts.append(draw_line(left, y, right, y, "grid" if tick else "axis"))
        parts.append(draw_text(left - 6, y + 4, format_percent(tick, 0), "tick", "end"))
    for run in drawn:
        places = [
            (left + (right - left) * i / last, bottom - (bottom - 10) * v / ys[-1])
            for i, v in enumerate(run)
        ]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        parts.append(f'<polyline class="curve" points="{path}"/>')
    parts.append(draw_text(right, height - 6, "checkpoint", "axis-name", "end"))
    description = "; ".join(", ".join(format_percent(v) for v in run) for run in drawn)
    return render_svg(
        width, height, f"Dev score by checkpoint: {description}", parts, css="curve-chart"
    )


def draw_steps(lines: Mapping[str, Sequence[tuple[str, Estimate]]]) -> Markup:
    """Values with intervals over ordered steps, one line per name, told apart by shape too."""
    names = list(dict.fromkeys(step for points_ in lines.values() for step, _ in points_))
    if not names:
        return Markup("")
    width, height, left, right, bottom = 640, 250, 46, 430, 200
    most = max((one.high for points_ in lines.values() for _, one in points_), default=1.0)
    ys = round_ticks(0.0, most or 1.0, wanted=4)
    gap = (right - left - 30) / max(1, len(names) - 1)

    def y(value: float) -> float:
        return bottom - (bottom - 14) * value / ys[-1]

    parts: list[str] = []
    for tick in ys:
        parts.append(draw_line(left, y(tick), right, y(tick), "grid" if tick else "axis"))
        parts.append(draw_text(left - 8, y(tick) + 4, format_percent(tick, 0), "tick", "end"))
    for i, name in enumerate(names):
        parts.append(draw_text(left + 15 + gap * i, bottom + 18, name, "tick", "middle"))
    for number, (name, points_) in enumerate(lines.items()):
        label = LINE_MARKS[number % len(LINE_MARKS)]
        shift = 4.0 * number
        spots = [(left + 15 + shift + gap * names.index(step), one) for step, one in points_]
        path = " ".join(f"{x:.1f},{y(one.value):.1f}" for x, one in spots)
        parts.append(f'<polyline class="curve {choose_css(label)}" points="{path}"/>')
        for x, one in spots:
            parts.append(draw_line(x, y(one.low), x, y(one.high), f"whisker {choose_css(label)}"))
            parts.append(draw_mark(x, y(one.value), label))
        place = 24 + 22 * number
        parts.append(draw_mark(right + 16, place, label))
        parts.append(draw_text(right + 28, place + 4.5, name, "label", "start"))
    description = "; ".join(
        f"{name}: " + ", ".join(f"{format_percent(one.value)} at {step}" for step, one in points_)
        for name, points_ in lines.items()
    )
    return render_svg(width, height, description, parts)


def draw_rows_curve(curve: Curve) -> Markup:
    """Score by number of train rows (log scale) with intervals, and the best k-shot as a level."""
    drawn = [(point, point.score) for point in curve.points if point.score is not None]
    level = curve.against.score if curve.against else None
    if len(drawn) < 2:
        return Markup("")
    width, height = 620, 330
    frame = _Box(46, 14, width - 16, height - 50)
    first, last = (math.log(drawn[end][0].rows) for end in (0, -1))
    ys = round_ticks(0.0, max(score.high for _, score in drawn), wanted=4)
    if level and level.high > ys[-1]:
        ys = round_ticks(0.0, level.high, wanted=4)

    def x(rows: float) -> float:
        share = (math.log(rows) - first) / (last - first) if last > first else 0.5
        return frame.left + 24 + (frame.right - frame.left - 48) * share

    def y(value: float) -> float:
        return frame.bottom - (frame.bottom - frame.top) * value / ys[-1]

    parts: list[str] = []
    for tick in ys:
        parts.append(
            draw_line(frame.left, y(tick), frame.right, y(tick), "grid" if tick else "axis")
        )
        parts.append(draw_text(frame.left - 8, y(tick) + 4, format_percent(tick, 0), "tick", "end"))
    if curve.against and level:
        parts.append(
            f'<rect class="band" x="{frame.left}" y="{y(level.high):.1f}" '
            f'width="{frame.right - frame.left}" height="{y(level.low) - y(level.high):.1f}"/>'
        )
        parts.append(draw_line(frame.left, y(level.value), frame.right, y(level.value), "axis"))
    path = " ".join(f"{x(p.rows):.1f},{y(s.value):.1f}" for p, s in drawn)
    parts.append(f'<polyline class="curve" points="{path}"/>')
    for point, score in drawn:
        at, label = x(point.rows), _name_side(point.difference)
        parts.append(draw_line(at, y(score.low), at, y(score.high), f"whisker {choose_css(label)}"))
        parts.append(draw_mark(at, y(score.value), label))
        parts.append(draw_text(at, frame.bottom + 18, f"{point.rows:,}", "tick", "middle"))
    if curve.against and level:
        at = y(level.value) - 6
        parts.append(draw_text(frame.left + 6, at, curve.against.arm, "label halo", "start"))
    parts.append(draw_text(frame.right, height - 6, curve.counted, "axis-name", "end"))
    description = "; ".join(
        f"{format_percent(s.value)} at {p.rows:,} {curve.unit}" for p, s in drawn
    )
    return render_svg(
        width, height, f"Score of {curve.arm}: {description}. {curve.sentence}", parts
    )


def _name_side(difference: Comparison | None) -> str:
    """Above or below the k-shot, or not to be told."""
    if difference is None or difference.low <= 0 <= difference.high:
        return "cannot tell"
    return "works" if difference.low > 0 else "does not work"


def _draw_bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect class="kind {_name_kind_class(kind)}" x="{x:.1f}" y="{y:.1f}" '
        f'width="{width:.1f}" height="{height:.1f}"/>'
    )


def _name_kind_class(kind: str) -> str:
    return f"is-{choose_css(kind)}" if kind in KINDS else "is-other"


def _spread_apart(places: Sequence[float], frame: _Box, gap: float = 11) -> list[float]:
    """Places moved sideways until their whiskers can be told apart, inside the frame."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = [max(place, frame.left + 6) for place in places]
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    limit = frame.right - 6
    moved = [min(place, limit) for place in moved] if len(places) == 1 else moved
    for later, earlier in pairwise(order[::-1]):
        moved[later] = min(moved[later], limit)
        moved[earlier] = min(moved[earlier], moved[later] - gap)
    return moved


def _place_label(x: float, y: float, text: str, taken: Sequence[_Box], frame: _Box) -> _Box:
    """The free place for a label nearest to its point."""
    wide, high = GLYPH * len(text) + 4, 17.0
    best, least = _Box(x + 8, y - high / 2, x + 8 + wide, y + high / 2), math.inf
    for lift in (0, -12, 12, -22, 22, -34, 34, -48, 48):
        for left in (x + 9, x - 9 - wide, x - wide / 2):
            box = _Box(left, y + lift - high / 2, left + wide, y + lift + high / 2)
            outside = max(0.0, frame.left - box.left) + max(0.0, box.right - frame.right - 12)
            outside += max(0.0, frame.top - 10 - box.top) + max(0.0, box.bottom - frame.bottom)
            cost = sum(box.overlap(other) for other in taken) + 100 * outside + abs(lift)
            if cost < least:
                best, least = box, cost
    return best
