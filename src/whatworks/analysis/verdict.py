"""Verdicts per arm, the choice on dev, and the recommendation in words. Pure.

The choice is made from dev scores before test is opened; test only says what the choice is worth.
Nothing here picks the best test score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from whatworks.analysis.comparison import (
    ALPHA,
    Comparison,
    Estimate,
    holm,
    minimum_detectable_effect,
    needed,
)
from whatworks.base.phrasing import count, duration, listed, more_of, percent, points, span

Label = Literal["baseline", "works", "does not work", "cannot tell", "failed"]
MIN_EFFECT = 0.02
"""Smallest difference of scores that matters, by default."""


@dataclass(frozen=True)
class Verdict:
    """What the test says about one arm.

    Attributes:
        label: The verdict.
        reason: Why, in a sentence without a full stop.
        p_adjusted: p-value after Holm's correction for the number of arms compared.
        more_examples: Under ``cannot tell``: about how many more test examples would settle it if
            the true difference is the observed one.
        more_seeds: And how many more seeds. None in both: no number would do.
        detectable: Smallest true difference that this test would have shown four times in five.
    """

    label: Label
    reason: str
    p_adjusted: float | None = None
    more_examples: int | None = None
    detectable: float | None = None
    more_seeds: int | None = None

    @property
    def more(self) -> str:
        """What would settle it, in words: "about 730 more examples"; "" where nothing is open."""
        return more_of(self.more_examples, self.more_seeds) if self.label == "cannot tell" else ""


def judge(
    comparisons: Mapping[str, Comparison | None], *, min_effect: float = MIN_EFFECT
) -> dict[str, Verdict]:
    """A verdict for every arm that was compared with the baseline.

    ``works``: significantly better after Holm's correction. ``does not work``: significantly worse,
    or the interval's upper end lies below the smallest effect that matters, whatever its sign.
    ``cannot tell``: neither. ``failed``: the arm has no comparison (None).
    """
    compared = {name: found for name, found in comparisons.items() if found is not None}
    adjusted = dict(zip(compared, holm([c.p for c in compared.values()]), strict=True))
    failed = Verdict("failed", "no test answers to compare")
    return {
        name: failed
        if found is None
        else _judge_one(found, adjusted[name], arms=len(compared), min_effect=min_effect)
        for name, found in comparisons.items()
    }


def _judge_one(found: Comparison, p: float, *, arms: int, min_effect: float) -> Verdict:
    detectable = minimum_detectable_effect(found)
    significant = p < ALPHA
    if significant and found.difference < 0:
        return Verdict(
            "does not work", "significantly worse than the baseline", p, None, detectable
        )
    if found.high < min_effect:
        small = f"any gain is below the {points(min_effect).lstrip('+')} points that matter"
        return Verdict("does not work", small, p, None, detectable)
    if significant:
        return Verdict("works", "significantly better than the baseline", p, None, detectable)
    # The quicker of two ends: showing the difference, or showing that it is too small to matter.
    gap = max(found.difference, min_effect - found.difference)
    more = needed(found, gap, arms=arms)
    if more.examples is None and more.seeds is None:
        reason = "its seeds differ too much: more seeds are needed, not only more examples"
    elif found.p < ALPHA:
        reason = f"it would be significant alone, but not as one of {arms} arms"
    elif more.seeds is not None:
        reason = f"its {found.n_seeds} seeds say too little of their spread"
    elif found.difference == 0 and found.low == -found.high:
        reason = "no difference seen, but the test is too small to rule one out"
    else:
        reason = "the interval holds both no gain and one that matters"
    return Verdict("cannot tell", reason, p, more.examples, detectable, more.seeds)


# -- the choice, on dev -------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """What the choice may look at: nothing from test.

    Attributes:
        name: The arm.
        dev_score: Mean strict score on dev; None when the arm failed.
        tokens: Mean prompt and completion tokens of a request.
        trained: Whether the arm trains.
    """

    name: str
    dev_score: float | None
    tokens: float = 0.0
    trained: bool = False


def choose(options: Sequence[Option], *, min_effect: float = MIN_EFFECT) -> str | None:
    """The arm to recommend: best on dev, and the cheapest of those that tie with it.

    Arms within ``min_effect`` of the best dev score tie. Cheaper is fewer whole tokens a request,
    then no training; between arms as cheap the dev score decides, then the order given.
    Measured times are left out so that the same seed always makes the same choice. Where nothing is
    right on dev, being cheap is no merit, and the first stays. None when every arm failed.
    """
    scored = [(o, o.dev_score) for o in options if o.dev_score is not None]
    if not scored:
        return None
    best = max(score for _, score in scored)
    if best == 0:
        return scored[0][0].name
    # The margin keeps a tie of exactly min_effect from hanging on rounding.
    tied = [one for one in scored if one[1] > best - min_effect + 1e-9 or one[1] == best]
    return min(tied, key=lambda one: (round(one[0].tokens), one[0].trained, -one[1]))[0].name


# -- in words ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """What the recommendation says of one arm; figures are None when it failed.

    An ``oracle`` is shown what only a measurement knows, such as gold passages: it is measured, and
    never an alternative.
    """

    name: str
    verdict: Verdict
    score: Estimate | None
    difference: Comparison | None
    dev_score: float | None
    prompt_tokens: float
    seconds: float
    training_seconds: float
    cause: str = ""
    oracle: bool = False


@dataclass(frozen=True)
class Recommendation:
    """The answer in plain words: one sentence, and the sentences that qualify it."""

    winner: str | None
    headline: str
    details: tuple[str, ...]


def recommend(
    standings: Sequence[Standing],
    *,
    baseline: str,
    winner: str | None,
    min_effect: float = MIN_EFFECT,
) -> Recommendation:
    """Say what works, what does not and what it costs, without hiding what is not known.

    Args:
        standings: Every arm, the baseline among them, in the study's order.
        baseline: Name of the baseline.
        winner: The arm chosen on dev (``choose``); None when every arm failed.
        min_effect: Smallest difference that matters.
    """
    by_name = {s.name: s for s in standings}
    base, chosen = by_name.get(baseline), by_name.get(winner or "")
    if chosen is None or chosen.score is None:
        failed = listed([f"{s.name} ({s.cause or s.verdict.reason})" for s in standings])
        return Recommendation(winner, "No arm finished, so nothing can be said.", (f"{failed}.",))
    nothing = all(s.score is None or s.score.value == 0 for s in standings)
    headline = _NOTHING if nothing else _headline(chosen, base)
    details = [
        _roll_call(standings, chosen),
        _cost(chosen, base),
        _hindsight(standings, chosen, min_effect),
    ]
    return Recommendation(chosen.name, headline, tuple(d for d in details if d))


_NOTHING = (
    "No arm gives one right answer on test. The lenient scores and the patterns of the mistakes "
    "say how far off they are."
)


def _headline(chosen: Standing, base: Standing | None) -> str:
    assert chosen.score is not None
    scored = f"{percent(chosen.score.value)} on test"
    if base is None or base.score is None or chosen.verdict.label == "failed":
        return (
            f"{chosen.name} is best on dev, with {scored}; without a baseline nothing is compared."
        )
    if chosen.name == base.name:
        return f"Keep {chosen.name}: nothing did better on dev. It scores {scored}."
    found = chosen.difference
    if found is None:
        return f"{chosen.name} is best on dev, with {scored}, but it was not compared."
    between = span(found.low, found.high).strip("[]").replace(",", " to")
    gain = f"{points(found.difference)} points (95% interval {between})"
    against = f"{scored} against {percent(base.score.value)} for {base.name}"
    match chosen.verdict.label:
        case "works":
            return f"{chosen.name} works: {against}, {gain}."
        case "does not work":
            return f"Keep {base.name}: {chosen.name} was best on dev but does not work, {against}."
        case _:
            need = f"It takes {chosen.verdict.more}."
            return (
                f"Cannot tell: {chosen.name} is best on dev, with {against}, {gain}, which "
                f"{count(found.n_items)} test examples do not settle. {need}"
            )


def _roll_call(standings: Sequence[Standing], chosen: Standing) -> str:
    """The other arms by verdict."""
    titles: dict[Label, str] = {
        "works": "Also works" if chosen.verdict.label == "works" else "Works",
        "does not work": "Does not work",
        "cannot tell": "Cannot tell",
        "failed": "Failed",
    }
    parts: list[str] = []
    for label, title in titles.items():
        alike: dict[str, list[str]] = {}
        for arm in standings:
            if arm.verdict.label == label and arm.name != chosen.name:
                alike.setdefault(_remark(arm), []).append(arm.name)
        said = [
            listed(names) + (f" ({'each ' * (len(names) > 1)}{remark})" if remark else "")
            for remark, names in alike.items()
        ]
        if said:
            parts.append(f"{title}: {listed(said)}.")
    return " ".join(parts)


def _remark(arm: Standing) -> str:
    """What stands in brackets after an arm's name."""
    if arm.difference is None:
        return arm.cause or ""
    extra = f"; {arm.verdict.more} needed" if arm.verdict.more else ""
    return f"{points(arm.difference.difference)}{extra}"


def _cost(chosen: Standing, base: Standing | None) -> str:
    other = base if base is not None and base.name != chosen.name and base.score else None

    def beside(text: str, same: str) -> str:
        return f"{text} ({other.name}: {same})" if other else text

    tokens = beside(
        f"{count(chosen.prompt_tokens)} prompt tokens",
        count(other.prompt_tokens) if other else "",
    )
    seconds = beside(duration(chosen.seconds), duration(other.seconds) if other else "")
    training = (
        f", after {duration(chosen.training_seconds)} of training"
        if chosen.training_seconds
        else ", without training"
    )
    return f"A request to {chosen.name} reads {tokens} and takes {seconds}{training}."


def _hindsight(standings: Sequence[Standing], chosen: Standing, min_effect: float) -> str:
    """Where test disagrees with the choice, or a tie decided it, say so."""
    assert chosen.score is not None
    says: list[str] = []
    standings = [s for s in standings if not s.oracle]
    scored = [(s, s.score) for s in standings if s.score is not None]
    top, best = max(scored, key=lambda pair: pair[1].value)
    if best.value > chosen.score.value:
        says.append(
            f"On test {top.name} scored higher, {percent(best.value)} against "
            f"{percent(chosen.score.value)}. The choice stays with dev: picking by test would "
            "flatter the pick."
        )
    dev = [(s, s.dev_score) for s in standings if s.dev_score is not None]
    if dev and chosen.dev_score is not None:
        first, score = max(dev, key=lambda pair: pair[1])
        ahead = score - chosen.dev_score
        if ahead > 0:
            says.append(
                f"On dev {first.name} was {points(ahead).lstrip('+')} points ahead; {chosen.name} "
                "was chosen because it is cheaper: fewer tokens a request, or no training."
            )
        tied = [s for s, own in dev if s is not chosen and chosen.dev_score - own < min_effect]
        cheaper = [s.name for s in tied if ahead <= 0 and s.prompt_tokens < chosen.prompt_tokens]
        if cheaper:
            says.append(
                f"On dev {listed(cheaper)} came within {points(min_effect).lstrip('+')} points "
                f"of {chosen.name}, with shorter prompts."
            )
    return " ".join(says)
