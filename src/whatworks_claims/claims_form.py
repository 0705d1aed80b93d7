"""Claims about structured output, and about examples in the prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from whatworks.analysis.comparison import compare
from whatworks.analysis.learning_curve import Curve, Point, find_crossover
from whatworks.base.errors import InputError
from whatworks.base.phrasing import format_count, format_one_unit, format_percent
from whatworks.prompts.retrieval.embedding import load_embedder
from whatworks.studies.clustering import cluster, measure_agreement
from whatworks_claims.claim import Claim
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import Contrast, Evidence, Plot, Table
from whatworks_claims.kinds import ArmEntry
from whatworks_claims.outcome import Outcome, is_malformed
from whatworks_claims.study_plan import ClaimStudy, Step

SHOTS = (1, 2, 4, 8)
LABELLING = ("zero-shot", "few-shot", "knn", "knn-diverse", "constrained")
PROMPTED = ("zero-shot", *(f"few-shot-{k}" for k in SHOTS), "knn")
HELD: ArmEntry = {"arm": "few-shot+constrained", "name": "constrained", "few-shot": {"k": 4}}
"""Four examples, and no answer that is not of the wanted form."""
FEW = (10, 50, 200)
"""Sizes of the training set below the full one; a quick run leaves them out."""
Outcomes = Mapping[str, Outcome]


def make_shots_arm(k: int) -> ArmEntry:
    """The arm ``few-shot-k``."""
    return {"arm": "few-shot", "name": f"few-shot-{k}", "few-shot": {"k": k}}


# -- the studies --------------------------------------------------------------------------------


def _plan_json(desk: Desk) -> ClaimStudy:
    base_task = desk.source.make_structured()
    tuned = desk.source.passes.tuned
    few = [
        make_rows_arm(n, tuned) for n in FEW if n < len(base_task.splits.train) and not desk.quick
    ]
    arms = ("zero-shot", *map(make_shots_arm, SHOTS), make_nearest_arm(), HELD, tuned, *few)
    return ClaimStudy(base_task, arms)


def make_rows_arm(rows: int, tuned: Mapping[str, Any]) -> ArmEntry:
    """The arm ``sft-n``: tuned on so many rows only."""
    return {"arm": "sft", "name": f"sft-{rows}", "rows": rows, **tuned}


def make_nearest_arm(name: str = "knn", **settings: float) -> ArmEntry:
    """Nearest examples, by words: the same on every machine."""
    return {"arm": "knn", "name": name, "knn": {"embedder": "lexical", **settings}}


def _plan_category(desk: Desk) -> ClaimStudy:
    spread = make_nearest_arm("knn-diverse", diversity=0.3)
    arms = ("zero-shot", "few-shot", make_nearest_arm(), spread, HELD, desk.source.passes.tuned)
    return ClaimStudy(desk.source.make_labelled(), arms)


def _plan_small_pool(desk: Desk) -> ClaimStudy:
    """A quarter of the pool to choose demonstrations from."""
    whole = desk.source.make_labelled()
    quarter = whole.splits.train[: len(whole.splits.train) // 4]
    task_ = whole.replace(name="category-quarter", splits=whole.splits.replace(train=quarter))
    return ClaimStudy(task_, ("few-shot", make_nearest_arm()))


STEPS = (
    Step("json", _plan_json),
    Step("category", _plan_category),
    Step("category-quarter", _plan_small_pool),
)


# -- the findings -------------------------------------------------------------------------------


def make_comparison(
    name: str,
    prompted: Sequence[str],
    unit: str = "share right",
    figures: Mapping[str, str] | None = None,
) -> Callable[[Outcomes], Evidence]:
    """Tuned against the best prompt-side arm, by dev, and against one answer for all.

    Args:
        name: The study.
        prompted: The prompt-side arms.
        unit: What the metric's score is.
        figures: Further figures of the metric to show, each with its column.
    """

    def find(outcomes: Outcomes) -> Evidence:
        outcome = outcomes[name]
        if missing := outcome.has("sft", "zero-shot"):
            return Evidence(missing=missing)
        best = outcome.best([arm for arm in prompted if not outcome.has(arm)])
        more = (outcome.figures("What the metric says of them", figures),) if figures else ()
        return Evidence(
            contrasts=outcome.ahead("sft", best, f"tuned less {best}, {unit}"),
            tables=(outcome.table("Every arm on the same test examples"), *more),
            samples=outcome.samples((best, "sft")),
        )

    return find


def _weigh_category(outcomes: Outcomes) -> Evidence:
    evidence = make_comparison("category", LABELLING, figures={"macro_f1": "macro-F1"})(outcomes)
    if evidence.missing:
        return evidence
    return replace(evidence, tables=(*evidence.tables, *_tabulate_clusters(outcomes["category"])))


def _tabulate_clusters(outcome: Outcome) -> tuple[Table, ...]:
    """Each arm's answers taken as clusters, beside clusters of the bare texts."""
    try:
        test = outcome.task.splits.test
        truth, texts = [e.target for e in test], [e.text for e in test]
        by_words = cluster(texts, load_embedder("lexical").over(texts).embed(texts)).labels
    except (InputError, ModuleNotFoundError):  # too few texts, or the extra is not installed
        return ()
    labels: dict[str, Sequence[int]] = {"words alone": by_words}
    runs: dict[tuple[int, str], dict[str, str]] = {}
    for row in outcome.rows:
        runs.setdefault((row.seed, row.arm), {})[row.example] = row.output
    for seed, arm in sorted(runs, key=lambda run: run[0]):  # the first seed that answered all
        answers = runs[seed, arm]
        if arm not in labels and all(example.id in answers for example in test):
            numbers = {text: i for i, text in enumerate(dict.fromkeys(answers.values()))}
            labels[arm] = [numbers[answers[example.id]] for example in test]
    rows = tuple(
        (name, *(f"{value:.2f}" for value in measure_agreement(truth, assigned).values()))
        for name, assigned in labels.items()
    )
    columns = ("clusters by", "V-measure", "adjusted Rand")
    return (Table("Answers as clusters against the true categories", columns, rows),)


def _weigh_precision(outcomes: Outcomes) -> Evidence:
    outcome = outcomes["json"]
    if missing := outcome.has("sft", "zero-shot"):
        return Evidence(missing=missing)
    best = outcome.best([arm for arm in PROMPTED if not outcome.has(arm)])
    unformed = Contrast(
        f"malformed with {best} less malformed when tuned",
        outcome.scores(best, is_malformed),
        outcome.scores("sft", is_malformed),
        outcome.groups,
    )
    return Evidence(
        contrasts=(unformed, *outcome.ahead("sft", best, f"tuned less {best}, share right")),
        tables=(outcome.table("Malformed answers count as nothing"),),
        samples=outcome.samples((best, "sft")),
    )


def _weigh_examples(outcomes: Outcomes) -> Evidence:
    outcome = outcomes["json"]
    shown_by = [f"few-shot-{k}" for k in SHOTS if not outcome.has(f"few-shot-{k}")]
    if missing := outcome.has("sft") or ("" if shown_by else outcome.has("few-shot-1")):
        return Evidence(missing=missing)
    best = outcome.best(shown_by)
    sizes = {n: f"sft-{n}" for n in FEW if not outcome.has(f"sft-{n}")}
    sizes[len(outcome.task.splits.train)] = "sft"
    shown = outcome.level(best)
    lines = {
        "tuned": [(str(n), outcome.level(arm)) for n, arm in sizes.items()],
        best: [(str(n), shown) for n in sizes],
    }
    return Evidence(
        contrasts=outcome.ahead("sft", best, f"tuned on all rows less {best}, share right"),
        plots=(Plot("Share right by number of training rows", lines),),
        tables=(outcome.table("By number of training rows", (best, *sizes.values())),),
        samples=outcome.samples((best, "sft")),
        notes=(*_describe_crossover(outcome, sizes, best), _describe_cost(outcome, best)),
    )


def _describe_crossover(outcome: Outcome, sizes: Mapping[int, str], best: str) -> tuple[str, ...]:
    """From how many rows on tuning overtakes the examples, by the curve of every study."""
    points = tuple(
        Point(arm, n, outcome.level(arm),
              compare(outcome.scores(arm), outcome.scores(best), outcome.groups))
        for n, arm in sizes.items()
    )  # fmt: skip
    crossed = find_crossover([(p.rows, p.difference) for p in points if p.difference])
    sentence = Curve("tuning", points, Point(best, 0, outcome.level(best)), crossed).sentence
    return (f"{sentence[0].upper()}{sentence[1:]}.",) if crossed else ()


def _describe_cost(outcome: Outcome, best: str) -> str:
    """Tokens and time of a request, tuned and with the examples."""
    each: dict[str, str] = {}
    for arm in ("sft", best):
        rows = [row for row in outcome.rows if row.arm == arm and row.status == "scored"]
        tokens = fmean(row.prompt_tokens for row in rows)
        each[arm] = (
            f"{format_count(tokens)} tokens and takes "
            f"{format_one_unit(fmean(r.seconds for r in rows))}"
        )
    return f"A request reads {each['sft']} tuned, {each[best]} with {best}."


def _weigh_static(outcomes: Outcomes) -> Evidence:
    outcome = outcomes["json"]
    shown = [f"few-shot-{k}" for k in SHOTS if not outcome.has(f"few-shot-{k}")]
    if missing := outcome.has("zero-shot") or ("" if shown else outcome.has("few-shot-1")):
        return Evidence(missing=missing)
    arms = ("zero-shot", *shown)
    best = outcome.best(arms[1:])
    line = [(arm.removeprefix("few-shot-").replace("zero-shot", "0"), outcome.level(arm))
            for arm in arms]  # fmt: skip
    return Evidence(
        contrasts=outcome.ahead(best, "zero-shot", f"{best} less no example, share right"),
        plots=(Plot("Share right by number of examples in the prompt", {"few-shot": line}),),
        tables=(outcome.table("Fixed examples", arms),),
        samples=outcome.samples(("zero-shot", best)),
    )


def _weigh_dynamic(outcomes: Outcomes) -> Evidence:
    outcome = outcomes["category"]
    if missing := outcome.has("few-shot", "knn"):
        return Evidence(missing=missing)
    arms = ("few-shot", "knn", "knn-diverse")
    pools = Table(
        "By size of the pool that the examples are chosen from",
        ("pool", "fixed", "nearest"),
        tuple(
            (
                format_count(len(one.task.splits.train)),
                *(format_percent(one.level(arm).value) if not one.has(arm) else "failed"
                  for arm in arms[:2]),
            )
            for one in outcomes.values()
        ),
    )  # fmt: skip
    return Evidence(
        contrasts=outcome.ahead("knn", "few-shot", "nearest less fixed examples, share right",
                             smallest=0.03),
        tables=(outcome.table("Four examples in the prompt", arms), pools),
        samples=outcome.samples(arms[:2]),
    )  # fmt: skip


CLAIMS = (
    Claim(
        "form.examples",
        "Fine-tuning learns from more examples than fit in a prompt. Fewer examples are then "
        "needed in the prompt, so cost and latency fall.",
        "Tuned on all training rows against the best number of fixed examples in the prompt, "
        "chosen on dev, and against one answer to everything; the same with 10, 50 and 200 rows to "
        "learn from. Holds when tuning is more than 5 points ahead of both.",
        ("json",),
        _weigh_examples,
        "Tuning overtakes examples in the prompt between 50 and 500 of them.",
    ),
    Claim(
        "form.json",
        "Fine-tuning teaches structured output: JSON, meaning representations.",
        "Tuned against the best of the prompt, examples, nearest examples and decoding held to the "
        "form, chosen on dev, and against one answer to everything. An answer counts when it "
        "parses and every field is right. Holds when tuning is more than 5 points ahead of both.",
        ("json",),
        make_comparison("json", (*PROMPTED, "constrained"), figures={"field_f1": "field F1"}),
        "Llama-2-13B on ViGGO: 58 to 98%.",
    ),
    Claim(
        "form.category",
        "Fine-tuning teaches structured output: category ids for classification and clustering.",
        "Tuned against the best of the prompt, examples, nearest examples and decoding held to the "
        "form, chosen on dev, and against giving one answer to everything. Holds when it is more "
        "than 5 points ahead of both.",
        ("category",),
        _weigh_category,
    ),
    Claim(
        "form.precision",
        "Wrongly formatted structured output is useless, so precision matters.",
        "The share of answers that do not have the wanted form, and so count as nothing: the best "
        "arm of free decoding that was not tuned against the tuned one. Holds when tuning removes "
        "more than 5 points of them and makes more than 5 points more answers right.",
        ("json",),
        _weigh_precision,
    ),
    Claim(
        "examples.static",
        "Several examples in the prompt raise the quality.",
        "0, 1, 2, 4 and 8 fixed examples, drawn once for each seed; the best number, chosen on "
        "dev, against none. Holds when it is more than 5 points ahead.",
        ("json",),
        _weigh_static,
    ),
    Claim(
        "examples.dynamic",
        "Examples that are chosen for each request do better.",
        "Four examples, drawn once for each seed and the same for every request, against the four "
        "nearest, with a full and a quarter pool. Holds when the nearest are more than 3 points "
        "ahead, and more than 5 ahead of giving one answer to everything.",
        ("category-quarter", "category"),
        _weigh_dynamic,
        "Nearest examples are 3 points or more ahead of random ones.",
    ),
)
