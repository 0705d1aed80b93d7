"""Claims about new facts: can tuning teach them, and is retrieval better."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import get_args

from whatworks.base.phrasing import format_interval, format_percent
from whatworks.data.task import Example
from whatworks_claims.claim import Claim
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import Contrast, Evidence, Table
from whatworks_claims.fact_sheet import ASPECTS, Told, read_aspect
from whatworks_claims.kinds import ArmEntry
from whatworks_claims.outcome import Outcome
from whatworks_claims.source import FACTS_INSTRUCTIONS
from whatworks_claims.study_plan import ClaimStudy, Step

FORMS: tuple[Told, ...] = get_args(Told)
RAG: ArmEntry = {"rag": {"k": 2, "search": "lexical"}}
Outcomes = Mapping[str, Outcome]


def is_unseen(example: Example) -> bool:
    """Taught facts, asked in wordings that training never used."""
    return read_aspect(example) == "generalisation"


def _plan_teaching(form: Told, desk: Desk) -> ClaimStudy:
    task = desk.source.make_sheet().task(
        f"teach-{form}", form, copies=desk.n(6, 4), instructions=FACTS_INSTRUCTIONS
    )
    task = task.replace(metric=desk.source.facts)
    learn: ArmEntry = {"sft": {"epochs": desk.source.passes.facts, "batch_size": 8}}
    chains: list[ArmEntry] = ["zero-shot", learn]
    if form == "repeat":
        chains.append(RAG)
    return ClaimStudy(task, tuple(chains))


STEPS = tuple(Step(f"teach-{way}", partial(_plan_teaching, way)) for way in FORMS)
"""One study for each form: the same facts and test questions, other training rows."""


def _weigh_new(outcomes: Outcomes) -> Evidence:
    plain, paraphrased = outcomes["teach-repeat"], outcomes["teach-paraphrase"]
    if missing := plain.has("sft", "rag") or paraphrased.has("sft"):
        return Evidence(missing=missing)
    ways = {"before": (plain, "zero-shot"), "plain text": (plain, "sft"),
            "paraphrases": (paraphrased, "sft"), "retrieval": (plain, "rag")}  # fmt: skip
    if (questioned := outcomes.get("teach-questions")) and not questioned.has("sft"):
        ways["questions"] = (questioned, "sft")
    tables = [_tabulate_ways(ways)]
    if (notes := outcomes.get("open-notes")) and not notes.has("rag", "rag+sft"):
        title = "Beside it: retrieval alone and with tuning, on facts about others"
        tables.append(notes.table(title, ("zero-shot", "rag", "rag+sft")))
    reached = paraphrased.level("sft", only=is_unseen).value
    best = paraphrased if reached > plain.level("sft", only=is_unseen).value else plain
    return Evidence(
        contrasts=(
            _compare_across(plain, "rag", plain, "sft", "retrieval less tuning on plain text"),
            _compare_across(plain, "rag", best, "sft",
                            "retrieval less tuning on the better of plain text and paraphrases"),
        ),
        tables=tuple(tables),
        samples=plain.samples(("zero-shot", "sft", "rag"), only=is_unseen),
    )  # fmt: skip


def _weigh_when(outcomes: Outcomes) -> Evidence:
    by_form = {form: one for form in FORMS if (one := outcomes.get(f"teach-{form}"))}
    for one in by_form.values():
        if missing := one.has("sft"):
            return Evidence(missing=missing)
    return Evidence(
        contrasts=(
            _compare_across(by_form["both"], "sft", by_form["repeat"], "sft",
                    "text and questions less text repeated"),
            _compare_across(by_form["paraphrase"], "sft", by_form["repeat"], "sft",
                    "paraphrases less text repeated"),
        ),
        tables=(_tabulate_ways({form: (one, "sft") for form, one in by_form.items()}),),
        samples=by_form["both"].samples(("sft",), only=is_unseen),
        notes=("Every form has the same number of training rows.",),
    )  # fmt: skip


def _compare_across(one: Outcome, arm: str, other: Outcome, base: str, what: str) -> Contrast:
    first, second = one.scores(arm, only=is_unseen), other.scores(base, only=is_unseen)
    return Contrast(f"{what}, share right", first, second, one.groups)


def _tabulate_ways(arms: Mapping[str, tuple[Outcome, str]]) -> Table:
    """Share right by the way of asking."""
    present = [
        way
        for way in ASPECTS
        if any(
            read_aspect(e) == way for outcome, _ in arms.values() for e in outcome.task.splits.test
        )
    ]
    rows: list[tuple[str, ...]] = []
    for name, (outcome, arm) in arms.items():
        levels = [outcome.level(arm, only=partial(_is_way, way)) for way in present]
        cells = [
            f"{format_percent(e.value)} {format_interval(e.low, e.high, signed=False)}"
            for e in levels
        ]
        rows.append((name, *cells))
    return Table(
        "Share right by the way of asking",
        ("taught by", *present),
        tuple(rows),
        "Reliability: a wording that training may have used. Generalisation: one that it never "
        "used. Reversal: the question turned round. Portability: two facts combined. Locality: "
        "facts that were not taught and must not change.",
    )


def _is_way(way: str, example: Example) -> bool:
    return read_aspect(example) == way


CLAIMS = (
    Claim(
        "facts.new",
        "New facts are hard to learn by fine-tuning; retrieval is better.",
        "Facts that the model cannot know, tuned in as plain text (the same sentence again and "
        "again) and as paraphrases, or given as documents to retrieve from; asked in wordings that "
        "training never used. Holds when retrieval is more than 5 points ahead of both. Beside it: "
        "taught as questions, and retrieval with tuning, on facts about others.",
        ("teach-repeat", "teach-paraphrase"),
        _weigh_new,
        "Retrieval is ahead of tuning on plain text by 25 points or more.",
        beside=("teach-questions", "open-notes"),
    ),
    Claim(
        "facts.unlearnable?",
        "(Beyond the article) Facts can be taught by tuning, when they are told in many ways.",
        "The same facts at the same number of training rows: one sentence repeated, paraphrases, "
        "questions, paraphrases and questions. Holds when paraphrases, and paraphrases with "
        "questions, are each more than 5 points ahead of repeating.",
        tuple(f"teach-{way}" for way in ("repeat", "paraphrase", "questions", "both")),
        _weigh_when,
        "SimpleWikiQA: repeated text 15.9, paraphrases 25.7, questions 47.9, both 63 to 66%.",
        quick=tuple(f"teach-{way}" for way in ("repeat", "paraphrase", "both")),
    ),
)
