"""What each part of a chain brings: Shapley values from the subsets of parts that ran. Pure.

The share of a part is its gain averaged over every order in which the parts can be added (Shapley
1953). The shares of a chain sum to what the whole chain brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from statistics import fmean

from whatworks.analysis.comparison import Estimate, compare
from whatworks.analysis.score_table import Scores
from whatworks.base.phrasing import format_interval, format_points, join_names


@dataclass(frozen=True)
class PartShare:
    """What one part brings, in points of score, with its 95% interval."""

    part: str
    gain: Estimate


@dataclass(frozen=True)
class ChainShares:
    """What the parts of a chain bring.

    Attributes:
        chain: The chain.
        shares: A share for each part; none where a subset did not run.
        missing: The subsets that did not run, as chains; ``zero-shot`` is the one without parts.
        rows: On how many rows.
    """

    chain: str
    shares: tuple[PartShare, ...] = ()
    missing: tuple[str, ...] = ()
    rows: int = 0

    @property
    def in_words(self) -> str:
        """The shares in one sentence."""
        if self.missing:
            return (
                f"What each part of {self.chain} brings is not known: "
                f"{join_names(self.missing)} did not run."
            )
        shown = [
            f"{one.part} {format_points(one.gain.value)} "
            f"{format_interval(one.gain.low, one.gain.high)}"
            for one in self.shares
        ]
        return f"Of what {self.chain} brings on dev: {join_names(shown)} points."


def measure_parts(
    chain: str, scores: Mapping[str, Scores], groups: Mapping[str, str] | None = None
) -> ChainShares | None:
    """The Shapley value of each part of a chain; None for a chain of one part.

    Args:
        chain: Its parts joined by ``+``; those that change nothing (``zero-shot``) left out.
        scores: Chain to ``(seed, row) -> score``; the one without parts is ``zero-shot``. Of a
            chain that ran fewer seeds than the whole one, each further seed has its mean.
        groups: Row id to group.
    """
    parts = chain.split("+")
    if len(parts) < 2:
        return None
    subsets = [c for n in range(len(parts) + 1) for c in combinations(range(len(parts)), n)]
    names = {s: "+".join(parts[i] for i in s) or "zero-shot" for s in subsets}
    missing = tuple(name for name in names.values() if not scores.get(name))
    if missing:
        return ChainShares(chain, missing=missing)
    seeds = sorted({seed for seed, _ in scores[chain]})
    rows = set.intersection(*({row for _, row in scores[name]} for name in names.values()))
    values = {s: _spread_seeds(scores[names[s]], seeds, sorted(rows)) for s in subsets}
    shares: list[PartShare] = []
    for i, part in enumerate(parts):
        others = [s for s in subsets if i not in s]
        weights = {s: _weigh(len(s), len(parts)) for s in others}
        joined = {s: tuple(sorted((*s, i))) for s in others}
        keys = values[()].keys()
        more = {k: sum(weights[s] * values[joined[s]][k] for s in others) for k in keys}
        less = {k: sum(weights[s] * values[s][k] for s in others) for k in keys}
        comparison = compare(_clip(more), _clip(less), groups)
        shares.append(
            PartShare(part, Estimate(comparison.difference, comparison.low, comparison.high))
        )
    return ChainShares(chain, tuple(shares), rows=len(rows))


def _weigh(size: int, parts: int) -> float:
    """In which share of the orders exactly these many parts stand before a part."""
    return factorial(size) * factorial(parts - size - 1) / factorial(parts)


def _spread_seeds(
    scores: Scores, seeds: list[int], rows: list[str]
) -> dict[tuple[int, str], float]:
    by_row: dict[str, list[float]] = {}
    for (_, row), value in scores.items():
        by_row.setdefault(row, []).append(value)
    means = {row: fmean(by_row[row]) for row in rows}
    return {(s, row): scores.get((s, row), means[row]) for s in seeds for row in rows}


def _clip(scores: Mapping[tuple[int, str], float]) -> dict[tuple[int, str], float]:
    """Sums of weights that rounding may have moved past 1."""
    return {key: min(1.0, max(0.0, value)) for key, value in scores.items()}
