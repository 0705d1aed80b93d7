"""Claims about passages in the prompt: "open notes", and tuning with them."""

from __future__ import annotations

from collections.abc import Mapping

from whatworks.analysis.result_rows import ResultRow
from whatworks.base.phrasing import format_interval, format_percent
from whatworks.metrics.fact_counts import is_answerable
from whatworks.prompts.prompt import Context, Prompt
from whatworks.prompts.render import render_each
from whatworks.prompts.retrieval import chunk, measure_recall
from whatworks_claims.claim import Claim
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import Evidence, Need, Table
from whatworks_claims.fact_figures import compute_figures
from whatworks_claims.kinds import ArmEntry
from whatworks_claims.outcome import Outcome
from whatworks_claims.study_plan import ClaimStudy, Step
from whatworks_claims.unsupported import find_unsupported

RETRIEVED: ArmEntry = {"rag": {"k": 3, "search": "lexical"}}
GOLD: ArmEntry = {"arm": "rag", "name": "gold", "rag": {"passages": "gold", "search": "lexical"}}
WRONG: ArmEntry = {
    "arm": "rag",
    "name": "wrong",
    "rag": {"passages": "wrong", "k": 1, "search": "lexical"},
}
BLIND: ArmEntry = {
    "arm": "sft+rag",
    "name": "sft, then rag",
    "rag": {"k": 3, "search": "lexical"},
    "sft": {"epochs": 3},
}
TUNED: ArmEntry = {"arm": "rag+sft", "rag": {"k": 3, "search": "lexical"}, "sft": {"epochs": 3}}
Outcomes = Mapping[str, Outcome]


def _plan_notes(desk: Desk) -> ClaimStudy:
    return ClaimStudy(desk.source.make_notes(), ("zero-shot", RETRIEVED, GOLD, WRONG, BLIND, TUNED))


def _plan_silent(desk: Desk) -> ClaimStudy:
    """Questions that the documents answer beside ones that have no answer; no arm trains."""
    return ClaimStudy(desk.source.make_silent_notes(), ("zero-shot", RETRIEVED, GOLD, WRONG))


STEPS = (Step("open-notes", _plan_notes), Step("silent-notes", _plan_silent))
ARMS = ("zero-shot", "rag", "gold", "wrong")


def _weigh_facts(outcomes: Outcomes) -> Evidence:
    outcome = outcomes["open-notes"]
    if missing := outcome.has(*ARMS):
        return Evidence(missing=missing)
    tables = [
        outcome.table("Answers by what stands in the prompt", ARMS),
        _tabulate_passages(outcome),
    ]
    if silent := outcomes.get("silent-notes"):
        tables.append(_tabulate_abstaining(silent))
    return Evidence(
        contrasts=(
            outcome.contrast("rag", "zero-shot", "retrieved passages less none, share right"),
        ),
        tables=tuple(tables),
        samples=outcome.samples(("zero-shot", "rag", "wrong")),
        notes=(_describe_recall(outcome),),
    )


def _tabulate_passages(outcome: Outcome) -> Table:
    """What answers owe to the passages: ignored, misled, made up."""
    texts = {document.id: document.text for document in outcome.task.documents}
    by_id = {example.id: example for example in outcome.task.splits.test}
    rows: list[tuple[str, ...]] = []
    for arm in ("rag", "gold", "wrong"):
        mine = [row for row in outcome.rows if row.arm == arm and row.status == "scored"]

        def invents(row: ResultRow) -> float:
            passage = " ".join(texts.get(id_, "") for id_ in by_id[row.example].evidence)
            return float(bool(find_unsupported(row.output, f"{passage} {by_id[row.example].text}")))

        level = outcome.level(arm, invents)
        ignored = sum(row.kind == "wrong" for row in mine) / len(mine)
        rows.append((arm, format_percent(ignored), f"{format_percent(level.value)} "
                     f"{format_interval(level.low, level.high, signed=False)}"))  # fmt: skip
    return Table(
        "Answers against the passages",
        ("passages", "wrong", "names or numbers that the right passage does not hold"),
        tuple(rows),
        "With gold passages a wrong answer ignores them; with wrong ones it is misled by them.",
    )


def _tabulate_abstaining(outcome: Outcome) -> Table:
    """Right, wrong and abstained by passages, where there is an answer and where there is none."""
    names = ("accuracy", "wrong_rate", "abstention_rate")
    lines: list[tuple[str, ...]] = []
    for side in (True, False):
        of_side = [row for row in outcome.task.splits.test if is_answerable(row) == side]
        for arm in ARMS:
            by_name = compute_figures(
                [row for row in outcome.rows if row.arm == arm], of_side, names
            )
            shares = [figure.estimate for figure in by_name.values()]
            cells = (
                f"{format_percent(e.value)} {format_interval(e.low, e.high, signed=False)}"
                for e in shares
            )
            lines.append(("with an answer" if side else "without", arm, *cells))
    return Table(
        'Questions with and without an answer, where it may say "I don\'t know"',
        ("questions", "passages", "right", "wrong", "abstained"),
        tuple(lines),
        "Without an answer, to abstain is right. The gold passage is then about the person asked "
        "for, but does not say it; public questions without an answer have no gold passage.",
    )


def _describe_recall(outcome: Outcome) -> str:
    chunks = chunk(outcome.task.documents, size=120)
    prompt = Prompt(context=Context(chunks=chunks, k=3, search="lexical"))
    rows = [row for row in outcome.task.splits.test if row.evidence]
    retrieved = [[p.id for p in request.passages] for request in render_each(prompt, rows)]
    lines = [
        measure_recall([ids[:k] for ids in retrieved], [r.evidence for r in rows]) for k in (1, 3)
    ]
    return (
        f"By words alone the right passage is first for {format_percent(lines[0])} of the "
        f"questions, among the first three for {format_percent(lines[1])}."
    )


def _weigh_tuned(outcomes: Outcomes) -> Evidence:
    outcome = outcomes["open-notes"]
    arms = ("rag", "sft, then rag", "rag+sft")
    if missing := outcome.has(*arms):
        return Evidence(missing=missing)
    return Evidence(
        needs=(Need("answers from gold passages", outcome.level("gold"), 0.2),),
        contrasts=(
            outcome.contrast(
                "rag+sft", "rag", "tuned with passages less not tuned", smallest=-0.05
            ),
            outcome.contrast("rag+sft", "sft, then rag", "tuned with passages less tuned without"),
        ),
        tables=(outcome.table("Passages and tuning", ("zero-shot", *arms, "gold")),),
        samples=outcome.samples(arms),
    )


CLAIMS = (
    Claim(
        "rag.facts",
        "Facts come from a store of documents and are added to the prompt, like open notes.",
        "Closed book, retrieved passages, the right passage, a wrong one; questions about entities "
        "that the model cannot know. Holds when retrieved passages are more than 5 points ahead of "
        'none. Beside it, questions with and without an answer, where it may say "I don\'t know".',
        ("open-notes",),
        _weigh_facts,
        beside=("silent-notes",),
    ),
    Claim(
        "rag.tuned",
        "(Beyond the article) Tune with retrieved passages in the prompt, not without.",
        "Passages alone, tuned without them and then given them, tuned with them, distractors "
        "included. Holds when tuning with passages loses no more than 5 points to passages alone "
        "and is more than 5 points ahead of tuning without.",
        ("open-notes",),
        _weigh_tuned,
        "Tuned without passages and then given them: 3 to 7 points below passages alone.",
    ),
)
