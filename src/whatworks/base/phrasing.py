"""How figures are written, the same in sentences, tables and charts. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

MINUS = "−"


def format_percent(share: float, digits: int = 1) -> str:
    """A share of 1 as a percentage: ``71.5%``."""
    return f"{100 * share:.{digits}f}%"


def format_points(difference: float, digits: int = 1) -> str:
    """A difference of shares in percentage points, with its sign: ``+29.5`` or ``−0.5``."""
    text = f"{abs(100 * difference):.{digits}f}"
    if not float(text):
        return text
    return ("+" if difference > 0 else MINUS) + text


def format_interval(low: float, high: float, *, signed: bool = True) -> str:
    """An interval in points, decimals only where it is narrow: ``[+21, +38]``, ``[−1.2, +3.4]``."""
    digits = 0 if high - low >= 0.05 else 1
    if signed:
        return f"[{format_points(low, digits)}, {format_points(high, digits)}]"
    return f"[{100 * low:.{digits}f}, {100 * high:.{digits}f}]"


def format_duration(seconds: float) -> str:
    """Seconds in at most two units: ``0.012 s``, ``4.1 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds <= 0:
        return "0 s"
    if seconds < 1:
        digits = min(6, max(1, 1 - math.floor(math.log10(seconds))))
        return f"{seconds:.{digits}f} s"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    for size, unit, below, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= size:
            return _format_two_units(round(seconds / below), size // below, unit, smaller)
    return _format_two_units(round(seconds), 60, "min", "s")


def format_one_unit(seconds: float) -> str:
    """Seconds in one unit, for narrow columns: ``12 ms``, ``3.6 min``, ``2.1 h``."""
    if 0 < seconds < 0.1:
        return f"{1000 * seconds:.2g} ms" if seconds < 0.0995 else "0.1 s"
    if seconds < 59.5:
        return format_duration(seconds)
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _format_two_units(amount: int, per: int, unit: str, smaller: str) -> str:
    whole, rest = divmod(amount, per)
    return f"{whole} {unit} {rest} {smaller}" if rest else f"{whole} {unit}"


def format_count(number: float) -> str:
    """A count with thousands separated; fractions only below 10: ``1,204``, ``3.5``."""
    return f"{number:.1f}" if number < 10 and number != round(number) else f"{number:,.0f}"


def format_money(usd: float) -> str:
    """US dollars, to the cent or three digits: ``$12.40``, ``$0.0042``."""
    return f"${usd:,.2f}" if usd >= 0.1 or usd == 0 else f"${usd:.2g}"


def format_rough(number: int) -> str:
    """An estimate that should not look exact, rounded up to two leading digits."""
    if number < 100:
        return str(number)
    step = 10 ** (len(str(number)) - 2)
    return f"{math.ceil(number / step) * step:,}"


def describe_more(
    examples: tuple[int, int],
    seeds: tuple[int, int],
    *,
    open_end: bool = False,
    unit: str = "example",
) -> str:
    """What it takes to tell: examples, seeds, both, or an unknown number of seeds.

    Args:
        examples: Further examples or groups, at least and at most.
        seeds: Further seeds, in the same way.
        open_end: Whether it may take any number more.
        unit: What is counted as examples.
    """
    ends = [(unit, *examples), ("seed", *seeds)]
    phrases = [
        f"{_format_range(least, most, open_end=open_end)} more {what}{'s' * (most > 1 or open_end)}"
        for what, least, most in ends
        if most
    ]
    return f"about {join_names(phrases)}" if phrases else "more seeds"


def _format_range(least: int, most: int, *, open_end: bool) -> str:
    if open_end:
        return f"{format_rough(least)} or many" if least else "many"
    return format_between(least, most, " to ") if least else f"up to {format_rough(most)}"


def format_between(least: int, most: int, to: str = "–") -> str:
    """Two rough ends, ``300–1,500``; one number where they are the same."""
    ends = list(dict.fromkeys((format_rough(least), format_rough(most))))
    return to.join(ends)


def join_names(names: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def format_seeds(seeds: Sequence[int]) -> str:
    """``seed 0``, or ``seeds 0, 1 and 2``."""
    return f"seed{'s' if len(seeds) > 1 else ''} {join_names([str(seed) for seed in seeds])}"


def quote_briefly(text: str, limit: int = 80) -> str:
    """A quotation of an answer for feedback: one line, cut to ``limit`` characters."""
    line = " ".join(text.split())
    if not line:
        return "nothing"
    return repr(cut_text(line, limit))


def cut_text(text: str, limit: int = 120) -> str:
    """A text of at most ``limit`` characters, with dots where something is missing."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
