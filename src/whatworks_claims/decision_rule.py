"""The decision rule, the same for every claim. Pure.

A claim rests on one or more contrasts, each turned so that a positive difference speaks for it.
Their intervals are Bonferroni-corrected: with m contrasts each covers 1 - 0.05 / m.

- **holds** when what the model must be able to do is shown, and every interval lies beyond the
  contrast's smallest effect of interest;
- **does not hold** when it is shown, and some interval excludes its smallest effect;
- **cannot tell** otherwise, and always when the studies lack an arm or the model an ability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from whatworks.analysis.comparison import ALPHA, Scores, compare, estimate_mean
from whatworks.analysis.further_rows import NOTHING_MORE, estimate_needs
from whatworks.base.phrasing import format_interval, format_percent, format_points
from whatworks_claims.evidence import ClaimFinding, Contrast, Evidence, Measured, Need


def decide(claim: str, evidence: Evidence) -> ClaimFinding:
    """What the evidence says about a claim, by the rule above."""
    if evidence.missing:
        return ClaimFinding(claim, "cannot tell", evidence.missing, (), evidence)
    for one in evidence.contrasts:
        if not {e for _, e in one.first} & {e for _, e in _read_second(one)}:
            missing = f"no answers to compare: {one.what}"
            return ClaimFinding(claim, "cannot tell", missing, (), evidence)
    measured = tuple(_measure(one, len(evidence.contrasts)) for one in evidence.contrasts)
    lacking = [need for need in evidence.needs if not need.met]
    if lacking:
        return ClaimFinding(claim, "cannot tell", _describe_lack(lacking[0]), measured, evidence)
    if not measured:
        return ClaimFinding(claim, "cannot tell", "nothing was compared", (), evidence)
    if against := [one for one in measured if one.excluded]:
        return ClaimFinding(
            claim, "does not hold", _describe_measured(against[0]), measured, evidence
        )
    if all(one.shown for one in measured):
        return ClaimFinding(claim, "holds", _describe_measured(measured[0]), measured, evidence)
    open_ = next(one for one in measured if not one.shown)
    return ClaimFinding(
        claim, "cannot tell", _describe_open(open_, len(measured)), measured, evidence
    )


def _measure(contrast: Contrast, count: int) -> Measured:
    alpha = ALPHA / max(1, count)
    comparison = compare(contrast.first, _read_second(contrast), contrast.groups, alpha=alpha)
    fixed = contrast.second
    if not isinstance(fixed, Mapping):  # where no answer is right, pairs would not vary at all
        own = estimate_mean(contrast.first, contrast.groups, alpha=alpha)
        comparison = replace(comparison, low=own.low - fixed, high=own.high - fixed)
    return Measured(contrast.what, comparison, contrast.smallest)


def _read_second(contrast: Contrast) -> Scores:
    fixed = contrast.second
    if isinstance(fixed, Mapping):
        return fixed
    return {(0, example): fixed for _, example in contrast.first}


def _describe_lack(need: Need) -> str:
    return (
        f"needs {need.what} of {format_percent(need.least, 0)} at least, and the model shows "
        f"{format_percent(need.level.value)} "
        f"{format_interval(need.level.low, need.level.high, signed=False)}"
    )


def _describe_measured(one: Measured) -> str:
    comparison = one.comparison
    return (
        f"{one.what}: {format_points(comparison.difference)} points "
        f"{format_interval(comparison.low, comparison.high)}"
    )


def _describe_open(one: Measured, count: int) -> str:
    gap = abs(one.comparison.difference - one.smallest)
    more = estimate_needs(one.comparison, gap, arms=count) if gap > 0 else NOTHING_MORE
    need = f"{more.words} would tell"
    return f"{_describe_measured(one)} holds both sides of {format_points(one.smallest)}; {need}"
