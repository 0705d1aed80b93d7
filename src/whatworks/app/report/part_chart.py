"""What each part of a chain brings, drawn: a bar for each part with its interval."""

from __future__ import annotations

from markupsafe import Markup

from whatworks.analysis.diagnosis.parts import ChainShares
from whatworks.app.report.svg import draw_line, draw_mark, draw_text, render_svg, round_ticks
from whatworks.base.phrasing import format_interval, format_points

_GLYPH = 8.2
"""Width of a letter of a label, in pixels."""


def draw_parts(chain: ChainShares) -> Markup:
    """The shares of a chain's parts, one line each; nothing where they are not known."""
    if not chain.shares:
        return Markup("")
    width, row, top = 760, 34, 14
    left = 24 + _GLYPH * max(len(one.part) for one in chain.shares)
    right, bottom = width - 150, top + row * len(chain.shares)
    ticks = round_ticks(
        min(0.0, *(one.gain.low for one in chain.shares)),
        max(0.0, *(one.gain.high for one in chain.shares)),
    )

    def x(value: float) -> float:
        return left + (right - left) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    drawn: list[str] = []
    for tick in ticks:
        drawn.append(draw_line(x(tick), top, x(tick), bottom, "grid" if tick else "axis"))
        drawn.append(draw_text(x(tick), bottom + 18, format_points(tick, 0), "tick", "middle"))
    for i, one in enumerate(chain.shares):
        y, gain = top + row * (i + 0.5), one.gain
        kind = "works" if gain.low > 0 else "cannot tell"
        drawn.append(draw_text(left - 14, y + 4.5, one.part, "label", "end"))
        drawn.append(
            draw_line(x(gain.low), y, x(gain.high), y, f"whisker {kind.replace(' ', '-')}")
        )
        drawn.append(draw_mark(x(gain.value), y, kind))
        figures = f"{format_points(gain.value)}  {format_interval(gain.low, gain.high)}"
        drawn.append(draw_text(width, y + 4.5, figures, "figure", "end"))
    return render_svg(width, bottom + 26, chain.in_words, drawn)
