"""The recommendation in words: what works, what it mends and costs, and what to try next. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whatworks.analysis.aspects import USABLE, Aspect
from whatworks.analysis.comparison import Comparison, Estimate
from whatworks.analysis.contenders import Duel
from whatworks.analysis.verdict import MIN_EFFECT, Label, Verdict
from whatworks.base.phrasing import (
    format_count,
    format_duration,
    format_interval,
    format_percent,
    format_points,
    join_names,
)

MOSTLY = 0.5
"""Share of usable answers from which the form fails in part only."""


@dataclass(frozen=True)
class ArmStanding:
    """What the recommendation says of one arm; figures are None when it failed.

    An ``oracle`` is shown what only a measurement knows, such as gold passages: it is measured, and
    never an alternative. ``lost`` says how many of its seeds failed, ``shipped`` whether its export
    works and whether training again will. Without ``content`` and ``form`` there is one score. Of
    one that is not ``timed``, what was given here, tokens and time say nothing.
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
    chain: str = ""
    content: Aspect | None = None
    form: Aspect | None = None
    timed: bool = True

    @property
    def formless(self) -> bool:
        """Whether its content is right somewhere, and often in no usable form."""
        return self.form is not None and self.form.share.value < USABLE


@dataclass(frozen=True)
class Ways:
    """Methods that this study could put into a chain, the most direct first.

    Attributes:
        form: What mends the form of answers, put behind an arm: ``constrained``, ``sft``, ...
        content: What brings content, put before one: ``rag``, ...
    """

    form: Sequence[str] = ()
    content: Sequence[str] = ()


@dataclass(frozen=True)
class Recommendation:
    """The answer in plain words: one sentence, and the sentences that qualify it."""

    winner: str | None
    headline: str
    details: tuple[str, ...]


def recommend(
    standings: Sequence[ArmStanding],
    *,
    baseline: str,
    winner: str | None,
    min_effect: float = MIN_EFFECT,
    ways: Ways | None = None,
    constant: str = "",
    duel: Duel | None = None,
    tied: str = "",
    seen: str = "dev",
) -> Recommendation:
    """Say what works, what does not and what it costs, without hiding what is not known.

    Args:
        standings: Every arm, the baseline among them, in the study's order.
        baseline: Name of the baseline.
        winner: The arm chosen on dev (``choose``); None when every arm failed.
        min_effect: Smallest difference that matters.
        ways: What could be put on top of an arm, or before it.
        constant: The best constant answer and its score, in words.
        duel: The winner against its runner-up, where neither is the baseline.
        tied: Which arms could be the best, in words.
        seen: Which rows the choice looked at, in words.
    """
    by_name = {s.name: s for s in standings}
    base, chosen = by_name.get(baseline), by_name.get(winner or "")
    if chosen is None or chosen.score is None:
        failed = join_names([f"{s.name} ({s.cause or s.verdict.reason})" for s in standings])
        return Recommendation(winner, "No arm finished, so nothing can be said.", (f"{failed}.",))
    nothing = all(not _is_ever_right(s) for s in standings)
    headline = _NOTHING if nothing else _write_headline(chosen, base)
    if chosen.lost:
        headline = f"{headline} Of {chosen.name} {chosen.lost}."
    details = [
        *([duel.words, duel.prices] if duel else []),
        tied,
        *chosen.shipped,
        _list_others(standings, chosen),
        _suggest_next_arm(standings, chosen, ways or Ways()),
        _describe_cost(chosen, base),
        _describe_hindsight(standings, chosen, min_effect, seen),
        constant,
    ]
    return Recommendation(chosen.name, headline, tuple(d for d in details if d))


_NOTHING = (
    "No arm gives one right answer on test, not even in content. The patterns of the mistakes say "
    "how far off they are."
)


def _is_ever_right(arm: ArmStanding) -> bool:
    """Whether it is ever right, in content at least."""
    scored = arm.score is not None and arm.score.value > 0
    return scored or (arm.content is not None and arm.content.share.value > 0)


def _write_headline(chosen: ArmStanding, base: ArmStanding | None) -> str:
    assert chosen.score is not None
    scored = f"{format_percent(chosen.score.value)} on test"
    if base is None or base.score is None or chosen.verdict.label == "failed":
        return (
            f"{chosen.name} is best on dev, with {scored}; without a baseline nothing is compared."
        )
    if chosen.name == base.name:
        return (
            f"Keep {chosen.name}: nothing did better on dev. It scores {scored}."
            f"{_describe_usable(chosen)}"
        )
    comparison = chosen.difference
    if comparison is None:
        return f"{chosen.name} is best on dev, with {scored}, but it was not compared."
    between = format_interval(comparison.low, comparison.high).strip("[]").replace(",", " to")
    gain = f"{format_points(comparison.difference)} points (95% interval {between})"
    against = f"{scored} against {format_percent(base.score.value)} for {base.name}"
    match chosen.verdict.label:
        case "works":
            return (
                f"{chosen.name} works: {against}, {gain}."
                f"{_describe_open(chosen)}{_describe_mending(chosen)}"
            )
        case "content only":
            return _write_content_headline(chosen, base)
        case "does not work":
            return f"Keep {base.name}: {chosen.name} was best on dev but does not work, {against}."
        case _:
            need = f"It takes {chosen.verdict.more}."
            if chosen.verdict.unbeaten:
                return (
                    f"Cannot tell: {chosen.name} is best on dev, with {against}, {gain}, but it is "
                    f"not told from one answer to all ({chosen.verdict.unbeaten}). {need}"
                )
            return (
                f"Cannot tell: {chosen.name} is best on dev, with {against}, {gain}, which "
                f"{format_count(comparison.n_items)} test examples do not settle. {need}"
            )


def _describe_open(chosen: ArmStanding) -> str:
    """What a gain above 0 leaves open."""
    if chosen.verdict.matters or "open" not in chosen.verdict.reason:
        return ""
    return f" It is {chosen.verdict.reason}."


def _write_content_headline(chosen: ArmStanding, base: ArmStanding) -> str:
    """An arm that brings content without a form to use it in."""
    assert chosen.content is not None
    before = format_percent(base.content.share.value) if base.content else "none"
    comparison = chosen.content.difference
    between = (
        format_interval(comparison.low, comparison.high).strip("[]").replace(",", " to")
        if comparison
        else ""
    )
    gain = (
        f"{format_points(comparison.difference)} points (95% interval {between})"
        if comparison
        else ""
    )
    usable = (
        f"{chosen.form.counted} right answers are usable as they stand"
        if chosen.form
        else "no answer is usable"
    )
    return (
        f"{chosen.name} brings the content: it is in {format_percent(chosen.content.share.value)} "
        f"of the answers against {before} for {base.name}, {gain}. The form still fails: {usable}."
    )


def _describe_mending(arm: ArmStanding) -> str:
    """Which of content and form an arm mends; "" where the metric has one score."""
    content, form = arm.content, arm.form
    if content is None or form is None:
        return ""
    usable = f"{form.counted} right answers are usable as they stand"
    if content.mended and form.mended:
        return f" It mends content ({content.gain}) and form ({form.gain}): {usable}."
    if form.mended:
        harm = "less content" if content.harmed else "content not told apart"
        return f" It mends the form ({form.gain}): {usable}; {harm} ({content.gain})."
    if content.mended and arm.formless:
        fails = "still fails" if form.share.value < MOSTLY else "fails in part"
        return f" It brings the content ({content.gain}); the form {fails}: {usable}."
    if content.mended:
        return f" It brings the content ({content.gain}): {usable}."
    return ""


def _describe_usable(arm: ArmStanding) -> str:
    """What keeps an arm's right content from being used, where much does."""
    if not arm.formless or arm.form is None:
        return ""
    return f" Of its answers with the right content {arm.form.counted} are usable as they stand."


def _suggest_next_arm(standings: Sequence[ArmStanding], chosen: ArmStanding, ways: Ways) -> str:
    """The chain to try next: a form on top of the content, or content under the form.

    Nothing where the study has tried one of them already.
    """
    best = max(
        (s for s in standings if s.content is not None and s.content.mended and not s.oracle),
        key=lambda s: s.content.share.value if s.content else 0.0,
        default=chosen,
    )
    arm = best if best.formless else chosen
    steps = [step for step in (arm.chain or arm.name).split("+") if step != "zero-shot"]
    tried = {frozenset((s.chain or s.name).split("+")) for s in standings}

    def chains(methods: Sequence[str], *, before: bool = False) -> list[str]:
        added = [m for m in methods if m not in steps]
        orders = [[m, *steps] if before else [*steps, m] for m in added]
        return [] if any(frozenset(o) in tried for o in orders) else ["+".join(o) for o in orders]

    if arm.formless and arm.form is not None:
        if named := chains(ways.form):
            return (
                f"Next to try: {join_names(named, 'or')}, a form on top of what {arm.name} says: "
                f"{arm.form.counted} right answers are usable now."
            )
        return ""
    if arm.content is None or arm.content.share.value >= USABLE:
        return ""
    if named := chains(ways.content, before=True):
        return (
            f"Next to try: {join_names(named, 'or')}. The form holds, the content is missing: it "
            f"is right in {arm.content.counted} answers."
        )
    return ""


def _list_others(standings: Sequence[ArmStanding], chosen: ArmStanding) -> str:
    """The other arms by verdict."""
    titles: dict[Label, str] = {
        "works": "Also works" if chosen.verdict.label == "works" else "Works",
        "content only": "Brings content only",
        "does not work": "Does not work",
        "cannot tell": "Cannot tell",
        "behind on dev": "Behind on dev, not opened on test",
        "failed": "Failed",
    }
    parts: list[str] = []
    for label, title in titles.items():
        alike: dict[str, list[str]] = {}
        for arm in standings:
            if arm.verdict.label == label and arm.name != chosen.name:
                alike.setdefault(_write_remark(arm), []).append(arm.name)
        remarked = [
            join_names(names) + (f" ({'each ' * (len(names) > 1)}{remark})" if remark else "")
            for remark, names in alike.items()
        ]
        if remarked:
            parts.append(f"{title}: {join_names(remarked)}.")
    return " ".join(parts)


def _write_remark(arm: ArmStanding) -> str:
    """What stands in brackets after an arm's name."""
    if arm.difference is None:
        return arm.verdict.reason if arm.verdict.label == "behind on dev" else arm.cause
    if arm.verdict.label == "content only" and arm.content is not None:
        usable = f"; {arm.form.counted} usable" if arm.form else ""
        return f"{arm.content.gain}{usable}"
    extra = "; not told from one answer to all" if arm.verdict.unbeaten else ""
    extra += f"; {arm.verdict.more} needed" if arm.verdict.more else ""
    if arm.form is not None and arm.form.mended:
        extra += f"; mends the form, {arm.form.counted} right answers usable"
    elif arm.formless and arm.form is not None and arm.verdict.label == "works":
        extra += f"; {arm.form.counted} right answers usable"
    extra += f"; {arm.lost}" if arm.lost else ""
    return f"{format_points(arm.difference.difference)}{extra}"


def _describe_cost(chosen: ArmStanding, base: ArmStanding | None) -> str:
    if not chosen.timed:
        return f"What a request to {chosen.name} takes was not measured: its answers were given."
    other = base if base is not None and base.name != chosen.name and base.score else None
    other = other if other is not None and other.timed else None

    def beside(text: str, same: str) -> str:
        return f"{text} ({other.name}: {same})" if other else text

    tokens = beside(
        f"{format_count(chosen.prompt_tokens)} prompt tokens",
        format_count(other.prompt_tokens) if other else "",
    )
    seconds = beside(
        format_duration(chosen.seconds), format_duration(other.seconds) if other else ""
    )
    training = (
        f", after {format_duration(chosen.training_seconds)} of training"
        if chosen.training_seconds
        else ", without training"
    )
    return f"A request to {chosen.name} reads {tokens} and takes {seconds}{training}."


def _describe_hindsight(
    standings: Sequence[ArmStanding], chosen: ArmStanding, min_effect: float, seen: str
) -> str:
    """Where test disagrees with the choice, or a tie decided it, say so."""
    assert chosen.score is not None
    says: list[str] = []
    standings = [s for s in standings if not s.oracle]
    scored = [(s, s.score) for s in standings if s.score is not None]
    top, best = max(scored, key=lambda pair: pair[1].value)
    if best.value > chosen.score.value:
        says.append(
            f"On test {top.name} scored higher, {format_percent(best.value)} against "
            f"{format_percent(chosen.score.value)}. The choice stays with dev: picking by test "
            "would flatter the pick."
        )
    # An arm that left a race has answered other rows.
    dev = [(s, s.dev_score) for s, _ in scored if s.dev_score is not None]
    if dev and chosen.dev_score is not None:
        first, score = max(dev, key=lambda pair: pair[1])
        ahead = score - chosen.dev_score
        if ahead > 0:
            says.append(
                f"On {seen} {first.name} was {format_points(ahead).lstrip('+')} points ahead; "
                f"{chosen.name} was chosen because it is cheaper: fewer tokens a "
                "request, no training, or more score per price."
            )
        tied = [s for s, own in dev if s is not chosen and chosen.dev_score - own < min_effect]
        cheaper = [s.name for s in tied if ahead <= 0 and s.prompt_tokens < chosen.prompt_tokens]
        if cheaper:
            says.append(
                f"On {seen} {join_names(cheaper)} came within "
                f"{format_points(min_effect).lstrip('+')} points of {chosen.name}, "
                "with shorter prompts."
            )
    return " ".join(says)
