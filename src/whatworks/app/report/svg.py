"""Lines, texts, marks and ticks of charts as SVG. Coordinates are pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape


def render_svg(
    width: float, height: float, label: str, parts: Sequence[str], css: str = "chart"
) -> Markup:
    """The chart; ``label`` is its text for those who cannot see it, empty for an ornament."""
    accessibility = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    body = "".join(parts)
    return Markup(
        f'<svg class="{css}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" {accessibility}>'
        f"{body}</svg>"
    )


def draw_line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """A line from one point to another."""
    return f'<line class="{css}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def draw_text(x: float, y: float, text: str, css: str, anchor: str) -> str:
    """A text at a point, escaped."""
    return (
        f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def draw_mark(x: float, y: float, label: str) -> str:
    """Works: a disc. Does not work: a square. Cannot tell: a ring. Baseline: a diamond."""
    css = f"mark {choose_css(label)}"
    if label in ("does not work", "baseline"):
        turn = f' transform="rotate(45 {x:.1f} {y:.1f})"' if label == "baseline" else ""
        corner = f'x="{x - 4.6:.1f}" y="{y - 4.6:.1f}" width="9.2" height="9.2"'
        return f'<rect class="{css}" {corner}{turn}/>'
    return f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="5.4"/>'


def choose_css(label: str) -> str:
    """The class of a verdict."""
    return label.replace(" ", "-")


def round_ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round numbers that enclose an interval, about ``wanted`` of them."""
    if high <= low:
        high = low + 0.1
    rough = (high - low) / wanted
    size = 10 ** math.floor(math.log10(rough))
    step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, last + 1)]
