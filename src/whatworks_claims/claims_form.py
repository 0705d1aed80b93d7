"""Claims about structured output, and about examples in the prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from whatworks.analysis.comparison import compare
from whatworks.analysis.learning_curve import Curve, Point, crossover
from whatworks.base.errors import InputError
from whatworks.base.paths import public_data
from whatworks.base.phrasing import count, in_one_unit, percent
from whatworks.data.task import Task
from whatworks.prompts.retrieval.embedding import embedder
from whatworks.studies.clustering import agreement, cluster
from whatworks_claims.claim import Claim
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import Contrast, Evidence, Plot, Table
from whatworks_claims.kinds import ArmEntry
from whatworks_claims.material import examples, from_files, task
from whatworks_claims.outcome import Outcome, malformed
from whatworks_claims.study_plan import Plan, Step
from whatworks_lab import study_rows as studies

SHOTS = (1, 2, 4, 8)
LABELLING = ("zero-shot", "few-shot", "knn", "knn-diverse", "constrained")
PROMPTED = ("zero-shot", *(f"few-shot-{k}" for k in SHOTS), "knn")
HELD: ArmEntry = {"arm": "few-shot+constrained", "name": "constrained", "few-shot": {"k": 4}}
"""Four examples, and no answer that is not of the wanted form."""
FEW = (10, 50, 200)
"""Sizes of the training set below the full one; a quick run leaves them out."""
TUNED: dict[str, Any] = {"sft": {"epochs": 5, "batch_size": 8}}
"""Small steps and several passes: the training sets are small. Dev chooses among the epochs."""
Outcomes = Mapping[str, Outcome]


def shots(k: int) -> ArmEntry:
    """The arm ``few-shot-k``."""
    return {"arm": "few-shot", "name": f"few-shot-{k}", "few-shot": {"k": k}}


# -- the studies --------------------------------------------------------------------------------


def _structured(desk: Desk) -> Task:
    """Messages to JSON; on real data sentences to meaning representations, the ViGGO corpus."""
    train, dev, test = desk.n(400, 120), desk.n(60, 20), desk.n(240, 48)
    if desk.real:
        section = {
            **{"train": "train.csv", "dev": "valid.csv", "test": "test.csv", "metric": "mr"},
            "limit": {"train": train, "dev": dev, "test": test},
            "split": {"on_overlap": "drop"},
        }
        return from_files("structured", public_data("viggo"), section)
    rows = examples(studies.json_rows(train + dev + test))
    return task("structured", rows, (train, dev, test), "json", studies.JSON_INSTRUCTIONS)


def _json(desk: Desk) -> Plan:
    made = _structured(desk)
    few = [of_rows(n) for n in FEW if n < len(made.splits.train) and not desk.quick]
    arms = ("zero-shot", *map(shots, SHOTS), nearest(), HELD, TUNED, *few)
    return Plan(made, arms)


def of_rows(rows: int) -> ArmEntry:
    """The arm ``sft-n``: tuned on so many rows only."""
    return {"arm": "sft", "name": f"sft-{rows}", "rows": rows, **TUNED}


def nearest(name: str = "knn", **settings: float) -> ArmEntry:
    """Nearest examples, by words: the same on every machine."""
    return {"arm": "knn", "name": name, "knn": {"embedder": "lexical", **settings}}


def labelled(desk: Desk) -> Task:
    """Messages to category ids; on real data BANKING77."""
    train, dev, test = desk.n(480, 120), desk.n(60, 24), desk.n(240, 60)
    if desk.real:
        section = {
            **{"train": "train.csv", "test": "test.csv", "metric": "category"},
            "limit": {"train": train, "dev": dev, "test": test},
            "split": {"dev": 200, "on_overlap": "drop"},
        }
        return from_files("category", public_data("banking77"), section)
    rows = examples(studies.category_rows(train + dev + test))
    return task("category", rows, (train, dev, test), "category", studies.CATEGORY_INSTRUCTIONS)


def _category(desk: Desk) -> Plan:
    spread = nearest("knn-diverse", diversity=0.3)
    return Plan(labelled(desk), ("zero-shot", "few-shot", nearest(), spread, HELD, TUNED))


def _small_pool(desk: Desk) -> Plan:
    """A quarter of the pool to choose demonstrations from."""
    whole = labelled(desk)
    quarter = whole.splits.train[: len(whole.splits.train) // 4]
    task_ = whole.replace(name="category-quarter", splits=whole.splits.replace(train=quarter))
    return Plan(task_, ("few-shot", nearest()))


STEPS = (
    Step("json", _json),
    Step("category", _category),
    Step("category-quarter", _small_pool),
)


# -- the findings -------------------------------------------------------------------------------


def structured(
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
        made = outcomes[name]
        if missing := made.has("sft", "zero-shot"):
            return Evidence(missing=missing)
        best = made.best([arm for arm in prompted if not made.has(arm)])
        more = (made.figures("What the metric says of them", figures),) if figures else ()
        return Evidence(
            contrasts=made.ahead("sft", best, f"tuned less {best}, {unit}"),
            tables=(made.table("Every arm on the same test examples"), *more),
            samples=made.samples((best, "sft")),
        )

    return find


def _category_and_clusters(outcomes: Outcomes) -> Evidence:
    found = structured("category", LABELLING, figures={"macro_f1": "macro-F1"})(outcomes)
    if found.missing:
        return found
    return replace(found, tables=(*found.tables, *_clusters(outcomes["category"])))


def _clusters(made: Outcome) -> tuple[Table, ...]:
    """Each arm's answers taken as clusters, beside clusters of the bare texts."""
    try:
        test = made.task.splits.test
        truth, texts = [e.target for e in test], [e.text for e in test]
        by_words = cluster(texts, embedder("lexical").over(texts).embed(texts)).labels
    except (InputError, ModuleNotFoundError):  # too few texts, or the extra is not installed
        return ()
    labels: dict[str, Sequence[int]] = {"words alone": by_words}
    runs: dict[tuple[int, str], dict[str, str]] = {}
    for row in made.rows:
        runs.setdefault((row.seed, row.arm), {})[row.example] = row.output
    for seed, arm in sorted(runs, key=lambda run: run[0]):  # the first seed that answered all
        said = runs[seed, arm]
        if arm not in labels and all(example.id in said for example in test):
            numbers = {text: i for i, text in enumerate(dict.fromkeys(said.values()))}
            labels[arm] = [numbers[said[example.id]] for example in test]
    rows = tuple(
        (name, *(f"{value:.2f}" for value in agreement(truth, found).values()))
        for name, found in labels.items()
    )
    columns = ("clusters by", "V-measure", "adjusted Rand")
    return (Table("Answers as clusters against the true categories", columns, rows),)


def _precision(outcomes: Outcomes) -> Evidence:
    made = outcomes["json"]
    if missing := made.has("sft", "zero-shot"):
        return Evidence(missing=missing)
    best = made.best([arm for arm in PROMPTED if not made.has(arm)])
    unformed = Contrast(
        f"malformed with {best} less malformed when tuned",
        made.scores(best, malformed),
        made.scores("sft", malformed),
        made.groups,
    )
    return Evidence(
        contrasts=(unformed, *made.ahead("sft", best, f"tuned less {best}, share right")),
        tables=(made.table("Malformed answers count as nothing"),),
        samples=made.samples((best, "sft")),
    )


def _examples(outcomes: Outcomes) -> Evidence:
    made = outcomes["json"]
    shown_by = [f"few-shot-{k}" for k in SHOTS if not made.has(f"few-shot-{k}")]
    if missing := made.has("sft") or ("" if shown_by else made.has("few-shot-1")):
        return Evidence(missing=missing)
    best = made.best(shown_by)
    sizes = {n: f"sft-{n}" for n in FEW if not made.has(f"sft-{n}")}
    sizes[len(made.task.splits.train)] = "sft"
    shown = made.level(best)
    lines = {
        "tuned": [(str(n), made.level(arm)) for n, arm in sizes.items()],
        best: [(str(n), shown) for n in sizes],
    }
    return Evidence(
        contrasts=made.ahead("sft", best, f"tuned on all rows less {best}, share right"),
        plots=(Plot("Share right by number of training rows", lines),),
        tables=(made.table("By number of training rows", (best, *sizes.values())),),
        samples=made.samples((best, "sft")),
        notes=(*_crossover(made, sizes, best), _cost(made, best)),
    )


def _crossover(made: Outcome, sizes: Mapping[int, str], best: str) -> tuple[str, ...]:
    """From how many rows on tuning overtakes the examples, by the curve of every study."""
    points = tuple(
        Point(arm, n, made.level(arm),
              compare(made.scores(arm), made.scores(best), made.groups))
        for n, arm in sizes.items()
    )  # fmt: skip
    crossed = crossover([(p.rows, p.difference) for p in points if p.difference])
    said = Curve("tuning", points, Point(best, 0, made.level(best)), crossed).sentence
    return (f"{said[0].upper()}{said[1:]}.",) if crossed else ()


def _cost(made: Outcome, best: str) -> str:
    """Tokens and time of a request, tuned and with the examples."""
    each: dict[str, str] = {}
    for arm in ("sft", best):
        rows = [row for row in made.rows if row.arm == arm and row.status == "scored"]
        tokens = fmean(row.prompt_tokens for row in rows)
        each[arm] = (
            f"{count(tokens)} tokens and takes {in_one_unit(fmean(r.seconds for r in rows))}"
        )
    return f"A request reads {each['sft']} tuned, {each[best]} with {best}."


def _static(outcomes: Outcomes) -> Evidence:
    made = outcomes["json"]
    shown = [f"few-shot-{k}" for k in SHOTS if not made.has(f"few-shot-{k}")]
    if missing := made.has("zero-shot") or ("" if shown else made.has("few-shot-1")):
        return Evidence(missing=missing)
    arms = ("zero-shot", *shown)
    best = made.best(arms[1:])
    line = [(arm.removeprefix("few-shot-").replace("zero-shot", "0"), made.level(arm))
            for arm in arms]  # fmt: skip
    return Evidence(
        contrasts=made.ahead(best, "zero-shot", f"{best} less no example, share right"),
        plots=(Plot("Share right by number of examples in the prompt", {"few-shot": line}),),
        tables=(made.table("Fixed examples", arms),),
        samples=made.samples(("zero-shot", best)),
    )


def _dynamic(outcomes: Outcomes) -> Evidence:
    made = outcomes["category"]
    if missing := made.has("few-shot", "knn"):
        return Evidence(missing=missing)
    arms = ("few-shot", "knn", "knn-diverse")
    pools = Table(
        "By size of the pool that the examples are chosen from",
        ("pool", "fixed", "nearest"),
        tuple(
            (
                count(len(one.task.splits.train)),
                *(percent(one.level(arm).value) if not one.has(arm) else "failed"
                  for arm in arms[:2]),
            )
            for one in outcomes.values()
        ),
    )  # fmt: skip
    return Evidence(
        contrasts=made.ahead("knn", "few-shot", "nearest less fixed examples, share right",
                             smallest=0.03),
        tables=(made.table("Four examples in the prompt", arms), pools),
        samples=made.samples(arms[:2]),
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
        _examples,
        "Tuning overtakes examples in the prompt between 50 and 500 of them.",
    ),
    Claim(
        "form.json",
        "Fine-tuning teaches structured output: JSON, meaning representations.",
        "Tuned against the best of the prompt, examples, nearest examples and decoding held to the "
        "form, chosen on dev, and against one answer to everything. An answer counts when it "
        "parses and every field is right. Holds when tuning is more than 5 points ahead of both.",
        ("json",),
        structured("json", (*PROMPTED, "constrained"), figures={"field_f1": "field F1"}),
        "Llama-2-13B on ViGGO: 58 to 98%.",
    ),
    Claim(
        "form.category",
        "Fine-tuning teaches structured output: category ids for classification and clustering.",
        "Tuned against the best of the prompt, examples, nearest examples and decoding held to the "
        "form, chosen on dev, and against giving one answer to everything. Holds when it is more "
        "than 5 points ahead of both.",
        ("category",),
        _category_and_clusters,
    ),
    Claim(
        "form.precision",
        "Wrongly formatted structured output is useless, so precision matters.",
        "The share of answers that do not have the wanted form, and so count as nothing: the best "
        "arm of free decoding that was not tuned against the tuned one. Holds when tuning removes "
        "more than 5 points of them and makes more than 5 points more answers right.",
        ("json",),
        _precision,
    ),
    Claim(
        "examples.static",
        "Several examples in the prompt raise the quality.",
        "0, 1, 2, 4 and 8 fixed examples, drawn once for each seed; the best number, chosen on "
        "dev, against none. Holds when it is more than 5 points ahead.",
        ("json",),
        _static,
    ),
    Claim(
        "examples.dynamic",
        "Examples that are chosen for each request do better.",
        "Four examples, drawn once for each seed and the same for every request, against the four "
        "nearest, with a full and a quarter pool. Holds when the nearest are more than 3 points "
        "ahead, and more than 5 ahead of giving one answer to everything.",
        ("category-quarter", "category"),
        _dynamic,
        "Nearest examples are 3 points or more ahead of random ones.",
    ),
)
