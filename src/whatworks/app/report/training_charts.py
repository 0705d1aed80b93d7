"""Charts of what happened while an arm trained: loss by step, and reward against divergence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from markupsafe import Markup

from whatworks.analysis.method_outcomes import Losses, Trace
from whatworks.app.report.svg import draw_line, draw_mark, draw_text, render_svg, round_ticks
from whatworks.base.phrasing import format_percent

STAGES = 12
"""Neighbouring steps of a reinforcement are averaged into so many points."""
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 380, 170, 46, 24, 126


def draw_losses(runs: Sequence[Losses]) -> Markup:
    """Training loss by optimiser step, one line per run; nothing for less than two steps."""
    drawn = [run.values for run in runs if len(run.values) > 1]
    if not drawn:
        return Markup("")
    right = WIDTH - 12
    ys = round_ticks(min(0.0, min(map(min, drawn))), max(max(map(max, drawn)), 1e-6), wanted=3)
    y = _make_scale(ys[0], ys[-1], BOTTOM, TOP)
    x = _make_scale(1, max(map(len, drawn)), LEFT, right)
    parts = [part for tick in ys for part in _draw_level(y(tick), f"{tick:.3g}", right)]
    for run in drawn:
        parts.append(_draw_path([(x(i), y(value)) for i, value in enumerate(run, start=1)]))
    steps = max(map(len, drawn))
    parts.append(draw_text(right, BOTTOM + 18, f"{steps} steps", "axis-name", "end"))
    description = "; ".join(
        f"from {run[0]:.3g} to {run[-1]:.3g} in {len(run)} steps" for run in drawn
    )
    return render_svg(WIDTH, HEIGHT - 24, f"Training loss: {description}", parts, css="curve-chart")


def draw_leash(trace: Trace) -> Markup:
    """The metric and the reward of one run against the divergence from its start.

    Where the reward goes on rising and the metric falls, the reward is over-optimised (Gao et al.
    2023, "Scaling Laws for Reward Model Overoptimization"). The metric stands on the left scale,
    the reward on the right one; both are means over neighbouring steps, in the order of the steps.

    Nothing for less than two steps.
    """
    steps = trace.steps
    if len(steps) < 2:
        return Markup("")
    size = -(-len(steps) // STAGES)
    groups = [steps[at : at + size] for at in range(0, len(steps), size)]
    kl = [fmean(step.kl for step in group) for group in groups]
    gold = [fmean(step.gold for step in group) for group in groups]
    reward = [fmean(step.reward for step in group) for group in groups]
    right = WIDTH - 52
    xs = round_ticks(min(0.0, *kl), max(kl), wanted=4)
    ys = round_ticks(0.0, max(gold), wanted=3)
    rewards = round_ticks(min(reward), max(reward), wanted=3)
    x = _make_scale(xs[0], xs[-1], LEFT, right)
    y = _make_scale(ys[0], ys[-1], BOTTOM, TOP)
    z = _make_scale(rewards[0], rewards[-1], BOTTOM, TOP)
    parts = [part for tick in ys for part in _draw_level(y(tick), format_percent(tick, 0), right)]
    parts += [draw_text(right + 8, z(t) + 4, f"{t:.3g}", "tick", "start") for t in rewards]
    parts += [draw_text(x(t), BOTTOM + 18, f"{t:.3g}", "tick", "middle") for t in xs]
    lines = (("metric", "works", gold, y), ("reward", "cannot tell", reward, z))
    for number, (name, label, values, scale) in enumerate(lines):
        spots = [(x(k), scale(value)) for k, value in zip(kl, values, strict=True)]
        parts.append(_draw_path(spots, label))
        parts += [draw_mark(px, py, label) for px, py in spots]
        parts.append(draw_mark(LEFT + 8 + 90 * number, 10, label))
        parts.append(draw_text(LEFT + 18 + 90 * number, 14.5, name, "label", "start"))
    name = "KL from the start, nats an answer"
    parts.append(draw_text(right, HEIGHT - 6, name, "axis-name", "end"))
    description = "; ".join(
        f"metric {format_percent(g)}, reward {r:.3g} at KL {k:.2f}"
        for k, g, r in zip(kl, gold, reward, strict=True)
    )
    return render_svg(WIDTH, HEIGHT, f"Metric and reward against divergence: {description}", parts)


def _make_scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda value: start + (end - start) * (value - low) / span


def _draw_level(y: float, text: str, right: float) -> tuple[str, str]:
    return (
        draw_line(LEFT, y, right, y, "grid"),
        draw_text(LEFT - 6, y + 4, text, "tick", "end"),
    )


def _draw_path(spots: Sequence[tuple[float, float]], label: str = "works") -> str:
    css = label.replace(" ", "-")
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    return f'<polyline class="curve {css}" points="{points}"/>'
