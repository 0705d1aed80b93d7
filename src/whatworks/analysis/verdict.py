"""Verdicts per arm, the choice on dev, and the recommendation in words. Pure.

The choice is made from dev scores before test is opened; test only says what the choice is worth.
Nothing here picks the best test score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from whatworks.analysis.comparison import (
    ALPHA,
    Comparison,
    Estimate,
    Joint,
    correct_apart,
)
from whatworks.analysis.further_rows import (
    NOTHING_MORE,
    More,
    fewest_groups,
    minimum_detectable_effect,
    needed_to_settle,
)
from whatworks.base.phrasing import count, duration, listed, percent, points, span

Label = Literal["baseline", "works", "does not work", "cannot tell", "failed"]
MIN_EFFECT = 0.02
"""Smallest difference of scores that matters, by default."""


@dataclass(frozen=True)
class Verdict:
    """What the test says about one arm.

    Attributes:
        label: The verdict.
        reason: Why, in a sentence without a full stop.
        p_adjusted: p-value after the correction for the number of arms compared and of looks.
        needs: Under ``cannot tell``: what would settle it, if the true difference is about the
            observed one.
        detectable: Smallest true difference that this test would have shown four times in five;
            None where it could not have shown any.
        matters: Under ``works``: whether the gain is shown to be more than the smallest that
            matters; if not, it is above 0 and the rest is open.
    """

    label: Label
    reason: str
    p_adjusted: float | None = None
    needs: More = NOTHING_MORE
    detectable: float | None = None
    matters: bool = False

    @property
    def more_examples(self) -> int | None:
        """How many more test examples, or groups, at least; None: none, or no number would do."""
        return self.needs.examples

    @property
    def more_seeds(self) -> int | None:
        """How many more seeds."""
        return self.needs.seeds

    @property
    def more(self) -> str:
        """What would settle it: "about 300 to 1,500 more examples"; "" where nothing is open."""
        return self.needs.words if self.label == "cannot tell" else ""


def judge(
    comparisons: Mapping[str, Comparison | None],
    *,
    min_effect: float = MIN_EFFECT,
    failures: Mapping[str, str] | None = None,
) -> dict[str, Verdict]:
    """A verdict for every arm that was compared with the baseline.

    All is corrected for the number of arms: by ``Comparison.joint``, or by Holm's and Bonferroni's
    where the comparisons were made one by one. ``works``: significantly better; whether by more
    than ``min_effect`` is said. ``does not work``: significantly worse, or the interval's upper end
    lies below the smallest effect that matters, whatever its sign. ``cannot tell``: neither.
    ``failed``: the arm has no comparison (None).

    Args:
        comparisons: Arm to its comparison with the baseline.
        min_effect: Smallest difference that matters.
        failures: What to say of arms of which a seed failed; it stands first in their reason.
    """
    compared = correct_apart({n: found for n, found in comparisons.items() if found is not None})
    verdicts: dict[str, Verdict] = {}
    for name in comparisons:
        if name not in compared:
            verdicts[name] = Verdict("failed", "no test answers to compare")
            continue
        verdict = _judge_one(*compared[name], min_effect)
        if lost := (failures or {}).get(name):
            verdict = replace(verdict, reason=f"{lost}; {verdict.reason}")
        verdicts[name] = verdict
    return verdicts


def _judge_one(found: Comparison, joint: Joint, min_effect: float) -> Verdict:
    found = replace(found, joint=joint)
    detectable: float | None = minimum_detectable_effect(found)
    detectable = detectable if detectable <= 1 else None
    significant = joint.p < ALPHA
    effect = f"the {points(min_effect).lstrip('+')} points that matter"
    if significant and found.difference < 0:
        return Verdict(
            "does not work",
            "significantly worse than the baseline",
            joint.p,
            NOTHING_MORE,
            detectable,
        )
    if joint.high < min_effect:
        small = f"any gain is below {effect}"
        return Verdict("does not work", small, joint.p, NOTHING_MORE, detectable)
    if significant:
        matters = joint.low > min_effect
        reason = (
            f"better than the baseline by more than {effect}"
            if matters
            else f"above 0; whether by {effect} is open"
        )
        return Verdict("works", reason, joint.p, NOTHING_MORE, detectable, matters)
    more = needed_to_settle(found, min_effect, alpha=joint.later)
    if found.n_groups < fewest_groups(joint.level):
        unit = "group" if found.n_groups < found.n_items else "example"
        ones = f"{found.n_groups} {unit}{'s' * (found.n_groups > 1)}"
        reason = f"{ones} cannot show any difference, not even the largest"
    elif more.examples is None and more.seeds is None:
        reason = "its seeds differ too much: more seeds are needed, not only more examples"
    elif found.p < ALPHA and joint.arms > 1:
        reason = f"it would be significant alone, but not as one of {joint.arms} arms"
    elif found.p < ALPHA:
        reason = "it falls just short of the level that leaves room for looking again"
    elif more.seeds is not None:
        reason = f"its {found.n_seeds} seeds say too little of their spread"
    elif found.difference == 0 and found.low == -found.high:
        reason = "no difference seen, but the test is too small to rule one out"
    else:
        reason = "the interval holds both no gain and one that matters"
    return Verdict("cannot tell", reason, joint.p, more, detectable)


def show_decided(found: Comparison, *, min_effect: float = MIN_EFFECT) -> Comparison:
    """The comparison with the interval that its verdict rests on.

    It is the arm's own, except where the correction for the number of arms takes the decision away:
    then the interval is the corrected one, so that both say the same.
    """
    joint = found.joint
    if joint is None:
        return found
    taken = found.p < ALPHA <= joint.p or found.high < min_effect <= joint.high
    if not taken:
        return found
    return replace(found, low=joint.low, high=joint.high, alpha=joint.level)


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
    never an alternative. ``lost`` says how many of its seeds failed, ``shipped`` whether its export
    works and whether training again will.
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
    lost: str = ""
    shipped: Sequence[str] = ()


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
    if chosen.lost:
        headline = f"{headline} Of {chosen.name} {chosen.lost}."
    details = [
        *chosen.shipped,
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
            return f"{chosen.name} works: {against}, {gain}.{_open(chosen)}"
        case "does not work":
            return f"Keep {base.name}: {chosen.name} was best on dev but does not work, {against}."
        case _:
            need = f"It takes {chosen.verdict.more}."
            return (
                f"Cannot tell: {chosen.name} is best on dev, with {against}, {gain}, which "
                f"{count(found.n_items)} test examples do not settle. {need}"
            )


def _open(chosen: Standing) -> str:
    """What a gain above 0 leaves open."""
    if chosen.verdict.matters or "open" not in chosen.verdict.reason:
        return ""
    return f" It is {chosen.verdict.reason}."


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
    lost = f"; {arm.lost}" if arm.lost else ""
    return f"{points(arm.difference.difference)}{extra}{lost}"


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
