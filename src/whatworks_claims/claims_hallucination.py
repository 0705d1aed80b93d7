"""Claims about making things up: what tuning on unknown facts does, and what preferences do."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from whatworks.base.errors import InputError
from whatworks.base.phrasing import format_interval, format_percent
from whatworks.data.task import Example, MetricSpec, Pair, Splits, Task
from whatworks_claims.calibration import measure_calibration
from whatworks_claims.claim import Claim
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import Contrast, Evidence, Need, Plot, Table
from whatworks_claims.fact_figures import compute_figures
from whatworks_claims.kinds import ArmEntry
from whatworks_claims.outcome import Outcome, is_wrong, score_strict
from whatworks_claims.source import FACTS_INSTRUCTIONS
from whatworks_claims.study_plan import ClaimStudy, Step
from whatworks_lab import reading

SHARES = (0, 25, 50, 100)
"""Percent of the training rows that the model does not know."""
PREFERRING = ("sft", "sft+dpo", "sft+rlhf", "refusal+sft")
INSTRUCTIONS = f"{FACTS_INSTRUCTIONS} {reading.ALLOW[0]}"
Outcomes = Mapping[str, Outcome]


def is_known_side(example: Example) -> bool:
    """Held-out questions that the untouched model knows the answer to."""
    return example.meta.get("side") == "known"


def is_unanswerable(example: Example) -> bool:
    """Questions without an answer."""
    return example.meta.get("answerable") is False


# -- the studies --------------------------------------------------------------------------------


def _split_by_knowledge(desk: Desk) -> tuple[list[Example], list[Example]]:
    """Questions by whether the model knows the answer, by its own SliCK classes.

    Raises:
        InputError: If it knows too few to build the studies from.
    """
    rows = desk.source.read_questions()
    classes = desk.known(rows)
    known = [row for row in rows if classes[row.id] in ("HighlyKnown", "MaybeKnown")]
    unknown = [row for row in rows if classes[row.id] == "Unknown"]
    train, dev, held_out = desk.source.count_known()
    required = (("knows", known, train + dev + held_out), ("does not know", unknown, train))
    for name, side, least in required:
        if len(side) < least:
            raise InputError(
                f"needs {least} facts that the model {name}, by SliCK; it has {len(side)}",
                remedy="take a model for which `whatworks known` finds more",
            )
    random.Random("known").shuffle(known)
    return known, unknown


def _make_sides(desk: Desk) -> tuple[list[Example], list[Example], list[Example], list[Example]]:
    """Known rows to train on, unknown ones, dev, and test: held-out known and unanswerable."""
    known, unknown = _split_by_knowledge(desk)
    train, dev, held_out = desk.source.count_known()
    held_rows = known[train : train + dev + held_out]
    marked = [row.replace(meta={**row.meta, "side": "known"}) for row in held_rows]
    nothing, _ = _find_unanswerable(desk)
    return known[:train], unknown[:train], marked[:dev], [*marked[dev:], *nothing]


def _find_unanswerable(desk: Desk) -> tuple[list[Example], list[Example]]:
    """Questions that have no answer, none of them trained on: those of test, those of dev."""
    count, dev = desk.source.count_unanswerable(), desk.source.count_known()[1]
    rows = desk.source.write_unanswerable(count + dev)
    return rows[:count], rows[count:]


def _make_task(
    name: str,
    train: Sequence[Example],
    dev: Sequence[Example],
    test: Sequence[Example],
    metric: MetricSpec,
) -> Task:
    return Task(
        name=name,
        splits=Splits(train=tuple(train), dev=tuple(dev), test=tuple(test)),
        metric=metric,
        instructions=INSTRUCTIONS,
    )


def _plan_mixed(share: int, desk: Desk) -> ClaimStudy:
    known, unknown, dev, test = _make_sides(desk)
    count = round(len(known) * share / 100)
    rows = [*unknown[:count], *known[: len(known) - count]]
    passes = desk.source.passes.known
    again = [row.replace(id=f"{row.id}#{p}") for p in range(passes) for row in rows]
    arms: tuple[ArmEntry, ...] = (
        "zero-shot",
        {"sft": {"epochs": 1, "batch_size": 8}},
    )
    return ClaimStudy(_make_task(f"unknown-{share}", again, dev, test, desk.source.facts), arms)


def _plan_early(desk: Desk) -> ClaimStudy:
    """All rows unknown, but dev may stop the training early."""
    _, unknown, dev, test = _make_sides(desk)
    arm: ArmEntry = {"sft": {"epochs": desk.source.passes.known, "batch_size": 8}}
    task = _make_task("unknown-early", unknown, dev, test, desk.source.facts)
    return ClaimStudy(task, ("zero-shot", arm))


def _plan_preferences(desk: Desk) -> ClaimStudy:
    """Right over "I don't know" over wrong, from what the model itself knows and does not."""
    known, unknown, dev, test = _make_sides(desk)
    rows = [*known, *unknown]
    refusal = reading.DONT_KNOW
    rng = random.Random("preferences")
    pairs: list[Pair] = []
    for row in known:
        other = rng.choice([o.target for o in rows if o.target != row.target])
        pairs.append(Pair(example=row, chosen=row.target, rejected=refusal))
        pairs.append(Pair(example=row, chosen=row.target, rejected=other))
    for row in unknown:
        pairs.append(Pair(example=row, chosen=refusal, rejected=row.target))
    _, nothing = _find_unanswerable(desk)
    task = _make_task("preferences", rows, [*dev, *nothing], test, desk.source.facts)
    task = task.replace(preferences=tuple(pairs))
    passes = desk.source.passes
    tuned: dict[str, Any] = {"sft": {"epochs": 3, "batch_size": 8}}
    arms: list[ArmEntry] = [
        "zero-shot",
        tuned,
        {"arm": "sft+dpo", **tuned, "dpo": {"epochs": passes.preferences, "pairs": "given"}},
        {"arm": "sft+rlhf", **tuned, **({"rlhf": dict(passes.rlhf)} if passes.rlhf else {})},
    ]
    if not desk.quick:
        # Shown beside: refusals for what the model itself cannot answer, as rows.
        arms.append({"arm": "refusal+sft", **tuned})
    return ClaimStudy(task, tuple(arms))


STEPS = (
    *(Step(f"unknown-{share}", partial(_plan_mixed, share)) for share in SHARES),
    Step("unknown-early", _plan_early),
    Step("preferences", _plan_preferences),
)


# -- the findings -------------------------------------------------------------------------------


def _make_need(outcome: Outcome, arm: str = "zero-shot") -> Need:
    return Need("right answers to questions whose answer it knows",
                outcome.level(arm, only=is_known_side), 0.3)  # fmt: skip


def _weigh_tuning(outcomes: Outcomes) -> Evidence:
    mixed = {share: one for share in SHARES if (one := outcomes.get(f"unknown-{share}"))}
    for one in outcomes.values():
        if missing := one.has("zero-shot", "sft"):
            return Evidence(missing=missing)
    most, none = mixed[SHARES[-1]], mixed[SHARES[0]]
    tuned = {f"tuned, {share}% unknown": (one, "sft") for share, one in mixed.items()}
    tables = [
        _tabulate_figures(tuned, most),
        *_tabulate_calibration({"untouched": (most, "zero-shot"), **tuned}),
    ]
    if early := outcomes.get("unknown-early"):
        both = {"to the end": (most, "sft"), "stopped early, by dev": (early, "sft")}
        tables.append(_tabulate_figures(both, most, "All rows unknown: early stopping"))
    lines = {
        name: [(f"{share}%", one.level("sft", value, only)) for share, one in mixed.items()]
        for name, value, only in (
            ("right, known", score_strict, is_known_side),
            ("wrong, known", is_wrong, is_known_side),
            ("made up", is_wrong, is_unanswerable),
        )
    }
    return Evidence(
        needs=(_make_need(most),),
        contrasts=(
            most.contrast("sft", "zero-shot",
                           "wrong answers after tuning on unknown facts less before",
                          value=is_wrong),
            Contrast(
                "wrong on held-out known facts, tuned on unknown less tuned on known facts",
                most.scores("sft", is_wrong, is_known_side),
                none.scores("sft", is_wrong, is_known_side),
                most.groups,
            ),
        ),
        tables=tuple(tables),
        plots=(Plot("After tuning, by the share of unknown facts among the rows", lines),),
        samples=(*most.samples(("zero-shot", "sft"), 2, is_known_side),
                 *most.samples(("zero-shot", "sft"), 2, is_unanswerable)),
    )  # fmt: skip


def _tabulate_figures(
    arms: Mapping[str, tuple[Outcome, str]], base: Outcome, title: str = "Right, wrong, abstained"
) -> Table:
    """Figures of held-out known and unanswerable questions, with intervals."""
    names = ("accuracy", "abstention_rate", "wrong_rate", "attempted_accuracy", "f_score",
             "made_up_rate", "score_at_50", "score_at_75", "score_at_90")  # fmt: skip
    lines: list[tuple[str, ...]] = []
    for name, (outcome, arm) in {"untouched": (base, "zero-shot"), **arms}.items():
        rows = [row for row in outcome.rows if row.arm == arm]
        by_name = compute_figures(rows, outcome.task.splits.test, names)
        cells = [
            f"{format_percent(f.estimate.value)} "
            f"{format_interval(f.estimate.low, f.estimate.high, signed=False)}"
            for f in by_name.values()
        ]
        lines.append((name, *cells))
    note = (
        "Attempted accuracy: right among the answerable questions that were not abstained from; F "
        "score: its harmonic mean with the share right of all answerable ones. Made up: answers to "
        "questions that have none. Score at t: a right answer earns 1, an "
        "abstention 0, a wrong answer costs t / (1 - t); percent of the most that can be earned."
    )
    columns = tuple(name.replace("_", " ") for name in names)
    return Table(title, ("model", *columns), tuple(lines), note)


def _tabulate_calibration(arms: Mapping[str, tuple[Outcome, str]]) -> tuple[Table, ...]:
    """Whether an answer's probability says how likely it is right; abstentions left out."""
    rows: list[tuple[str, ...]] = []
    for name, (outcome, arm) in arms.items():
        answers = [
            (math.exp(row.logprob), row.value, row.group)
            for row in outcome.rows
            if row.arm == arm and row.logprob is not None and row.kind in ("correct", "wrong")
            if not row.parts.get("abstained")
        ]
        measured = measure_calibration(*map(list, zip(*answers, strict=True))) if answers else None
        if measured is not None:
            error = measured.error
            ranking = "–" if measured.ranking is None else f"{measured.ranking:.2f}"
            rows.append(
                (
                    name,
                    f"{format_percent(error.value)} "
                    f"{format_interval(error.low, error.high, signed=False)}",
                    ranking,
                    str(len(answers)),
                )
            )
    if not rows:
        return ()
    columns = ("model", "calibration error", "ranking", "answers")
    note = (
        "Calibration error: mean distance between an answer's probability and how often answers of "
        "that probability are right. Ranking: how often a right answer is the more probable of a "
        "right and a wrong one; 0.5 is chance."
    )
    return (Table("Does the model know what it knows?", columns, tuple(rows), note),)


def _weigh_preferring(outcomes: Outcomes) -> Evidence:
    outcome = outcomes["preferences"]
    if missing := outcome.has("sft", "sft+dpo", "sft+rlhf"):
        return Evidence(missing=missing)
    less = Contrast(
        "made up by SFT less made up after DPO, on questions without an answer",
        outcome.scores("sft", is_wrong, is_unanswerable),
        outcome.scores("sft+dpo", is_wrong, is_unanswerable),
        outcome.groups,
    )
    arms = {arm: (outcome, arm) for arm in PREFERRING if not outcome.has(arm)}
    return Evidence(
        needs=(_make_need(outcome, "sft"),),
        contrasts=(
            less,
            outcome.contrast("sft+dpo", "sft", "right on held-out known facts, DPO less SFT",
                          only=is_known_side, smallest=-0.1),
            outcome.contrast("sft+dpo", "sft+rlhf", "right answers to what it knew and abstentions "
                          "from what has no answer, DPO less RLHF", smallest=-0.05),
        ),
        tables=(_tabulate_figures(arms, outcome), *_tabulate_calibration(arms)),
        samples=(*outcome.samples(tuple(arms), 2, is_known_side),
                 *outcome.samples(tuple(arms), 2, is_unanswerable)),
        notes=("SFT learned the answers to known and to unknown questions; the preferences come "
               "after it. Dev, with known and unanswerable questions, chooses the epoch of each.",),
    )  # fmt: skip


CLAIMS = (
    Claim(
        "halluc.sft",
        "Fine-tuning on new facts can increase hallucination.",
        "Tuned on questions of which the model does not know 0, 25, 50 or 100%, by its own "
        "SliCK classes; asked held-out facts that it knew and questions without an answer, where "
        'it may say "I don\'t know". Holds when tuning on unknown facts gives more than 5 points '
        "more wrong answers than before, and than tuning on known facts does on held-out ones.",
        (*(f"unknown-{share}" for share in SHARES), "unknown-early"),
        _weigh_tuning,
        "Accuracy on held-out known facts falls linearly with the fitted share of unknown ones; "
        "early stopping recovers at least half.",
        quick=("unknown-0", "unknown-100"),
    ),
    Claim(
        "halluc.rl",
        "Training on preferences reduces hallucination; DPO can replace RLHF.",
        'Pairs that prefer the right answer to "I don\'t know", and that to a wrong answer, by '
        "what the model knew; SFT, SFT then DPO, SFT then a reward model and reinforcement. Holds "
        "when DPO makes up more than 5 points fewer answers to questions without one than SFT, "
        "loses no more than 10 points on known facts, and no more than 5 points to RLHF in right "
        "answers and abstentions together.",
        ("preferences",),
        _weigh_preferring,
        "Wrong answers halve; known accuracy falls by 10 points at most.",
    ),
)
