"""Claims about other forms: SQL, dialogue, instructions, style, and data from logs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from whatworks.analysis.comparison import compare
from whatworks.base.phrasing import format_interval, format_points
from whatworks.data import import_logs
from whatworks.data.task import Example, MetricSpec
from whatworks_claims.claim import Claim
from whatworks_claims.claims_form import HELD, make_comparison
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import Evidence
from whatworks_claims.kinds import ArmEntry
from whatworks_claims.outcome import Outcome
from whatworks_claims.public_source import PublicSource
from whatworks_claims.study_plan import ClaimStudy, Step

FEW: ArmEntry = {"few-shot": {"k": 3}}
NEAREST: ArmEntry = {"knn": {"k": 3, "embedder": "lexical"}}
STYLED = {"style": "in the style", "gap": "bits per character likelier in it",
          "similarity": "like the target", "entities": "names kept"}  # fmt: skip
STYLE = ("Say it as an old wizard would.", "Write it in the style of Shakespeare.")
Outcomes = Mapping[str, Outcome]


# -- the studies --------------------------------------------------------------------------------


def _plan_sql(desk: Desk) -> ClaimStudy:
    return ClaimStudy(
        desk.source.make_queries(), ("zero-shot", FEW, NEAREST, HELD, desk.source.passes.tuned)
    )


def _plan_chat(desk: Desk) -> ClaimStudy:
    return ClaimStudy(desk.source.make_conversations(), ("zero-shot", desk.source.passes.tuned))


def _plan_instructions(desk: Desk) -> ClaimStudy:
    decoding = {"max_tokens": desk.n(64, 48)}
    return ClaimStudy(
        desk.source.make_instructions(),
        ("zero-shot", FEW, desk.source.passes.tuned),
        decoding=decoding,
    )


def _plan_lima(desk: Desk) -> ClaimStudy:
    arms: tuple[ArmEntry, ...] = ("zero-shot", {"few-shot": {"k": 1}}, desk.source.passes.tuned)
    return ClaimStudy(PublicSource(desk.quick).make_lima(), arms, decoding={"max_tokens": 128})


def _plan_style(desk: Desk) -> ClaimStudy:
    prompted: ArmEntry = {"prompt": {"variants": list(STYLE)}}
    return ClaimStudy(
        desk.source.make_styled(), ("zero-shot", prompted, FEW, desk.source.passes.tuned)
    )


def _plan_logs_source(desk: Desk) -> ClaimStudy:
    """The stronger prompt at work: what it answers to a pool of inputs is what is logged.

    It is asked the test rows of the study ``logs`` too, to stand beside the tuned short prompt.
    """
    whole = desk.source.make_labelled()
    pool = whole.splits.train
    half = len(pool) // 2
    splits = whole.splits.replace(train=pool[:half], test=(*pool[half:], *whole.splits.test))
    return ClaimStudy(whole.replace(name="logs-source", splits=splits), (LONG,))


LONG: ArmEntry = {"arm": "knn", "name": "long prompt", "knn": {"k": 4, "embedder": "lexical"}}


def _plan_logs(desk: Desk) -> ClaimStudy:
    """Short prompt, tuned on what the logs hold; the same test as the other category studies."""

    source = desk.finished["logs-source"]
    whole = desk.source.make_labelled()
    test_ids = {example.id for example in whole.splits.test}  # asked too, and not logged
    by_id = {
        example.id: example for example in source.task.splits.test if example.id not in test_ids
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.jsonl"
        calls = [
            {
                "messages": [
                    {"role": "system", "content": source.task.instructions},
                    {"role": "user", "content": by_id[row.example].text},
                    {"role": "assistant", "content": row.output},
                ]
            }
            for row in source.rows
            if row.example in by_id and row.output.strip()
        ]
        path.write_text("".join(json.dumps(call) + "\n" for call in calls), encoding="utf-8")
        logged = import_logs(path, strip="system").examples
    train = tuple(
        Example(id=f"log-{i}", inputs={"input": row.text}, target=row.target)
        for i, row in enumerate(logged)
    )
    labels = sorted({row.target for row in (*whole.splits.train, *whole.splits.test)})
    task_ = whole.replace(
        name="logs",
        splits=whole.splits.replace(train=train),
        metric=MetricSpec(name="category", options={"labels": labels}),
    )
    return ClaimStudy(task_, ("zero-shot", desk.source.passes.tuned))


def _plan_calls(desk: Desk) -> ClaimStudy:
    task = PublicSource(desk.quick).make_calls()
    return ClaimStudy(task, ("zero-shot", desk.source.passes.tuned), decoding={"max_tokens": 120})


STEPS = (
    Step("sql", _plan_sql),
    Step("chat", _plan_chat),
    Step("instructions", _plan_instructions),
    Step("style", _plan_style),
    Step("logs-source", _plan_logs_source),
    Step("logs", _plan_logs, after=("logs-source",)),
    Step("lima", _plan_lima, data="real"),
    Step("calls", _plan_calls, data="real"),
)


# -- the findings -------------------------------------------------------------------------------


def _make_comparison(
    name: str, what: str, *bases: tuple[str, str]
) -> Callable[[Outcomes], Evidence]:
    """Tuned against some arms, each with what it is called, and one answer for all."""

    def find(outcomes: Outcomes) -> Evidence:
        done = outcomes[name]
        arms = [arm for arm, _ in bases]
        if missing := done.has("sft", *arms):
            return Evidence(missing=missing)
        first, *others = [(arm, f"tuned less {called}, {what}") for arm, called in bases]
        return Evidence(
            contrasts=(
                *done.ahead("sft", *first),
                *(done.contrast("sft", *other) for other in others),
            ),
            tables=(done.table("Every arm on the same test examples"),),
            samples=done.samples((*arms, "sft")),
        )

    return find


def _add_table(
    find: Callable[[Outcomes], Evidence], name: str, title: str
) -> Callable[[Outcomes], Evidence]:
    """The evidence with the table of another study beside it, where that has results."""

    def weigh_both(outcomes: Outcomes) -> Evidence:
        evidence = find(outcomes)
        if name not in outcomes:
            return evidence
        return replace(evidence, tables=(*evidence.tables, outcomes[name].table(title)))

    return weigh_both


def _weigh_chat_turns(outcomes: Outcomes) -> Evidence:
    evidence = _make_comparison("chat", "share of fitting turns", ("zero-shot", "untuned"))(
        outcomes
    )
    if evidence.missing:
        return evidence
    names = {"ends": "ends its turn", "role": "keeps its role", "length": "fitting length",
             "uses": "uses what was said"}  # fmt: skip
    demands = outcomes["chat"].figures("What is asked of a turn", names)
    return replace(evidence, tables=(*evidence.tables, demands))


def _weigh_logs(outcomes: Outcomes) -> Evidence:
    done, source = outcomes["logs"], outcomes["logs-source"]
    if missing := done.has("zero-shot", "sft") or source.has("long prompt"):
        return Evidence(missing=missing)
    test = done.groups

    def same(example: Example) -> bool:
        return example.id in test

    def was_logged(example: Example) -> bool:
        return example.id not in test

    right = source.level("long prompt", only=was_logged).value
    beside = compare(done.scores("sft"), source.scores("long prompt", only=same), test)
    return Evidence(
        contrasts=done.ahead("sft", "zero-shot", "tuned on the logs less untuned, share right"),
        tables=(done.table("The short prompt on test"),
                source.table("The long prompt on the same rows", only=same),
                source.table("The long prompt, whose answers were logged", only=was_logged)),
        samples=done.samples(("zero-shot", "sft")),
        notes=(f"The logged answers are right in {100 * right:.0f}% of the calls; the tuned "
               "model learns their mistakes too.",
               "The tuned short prompt less the long one on the same rows: "
               f"{format_points(beside.difference)} points "
               f"{format_interval(beside.low, beside.high)}."),
    )  # fmt: skip


CLAIMS = (
    Claim(
        "form.chat",
        "Chat can be trained from the histories of conversations.",
        "Conversations of three turns; an answer counts when it ends its turn, keeps its role, has "
        "a fitting length and uses what was said turns ago. Holds when the tuned model is more "
        "than 5 points ahead of the untuned one, and of one answer to everything.",
        ("chat",),
        _weigh_chat_turns,
    ),
    Claim(
        "form.instructions",
        "Following instructions can be trained from instructions with inputs and responses.",
        "Instructions whose keeping can be verified, on held-out inputs; an answer counts when "
        "every demand is met. Holds when tuning is more than 5 points ahead of three examples in "
        "the prompt, of the untuned model without any, and of one answer to everything.",
        ("instructions",),
        _add_table(
            _make_comparison(
                "instructions",
                "share kept",
                ("few-shot", "three examples"),
                ("zero-shot", "untuned"),
            ),
            "lima",
            "Beside it: instructions of LIMA, one example",
        ),
        "1,000 good examples are enough (LIMA).",
        beside=("lima",),
    ),
    Claim(
        "form.logs",
        "Instruction data can be written from the logs of an application.",
        "A long prompt with nearest examples answers requests; its calls are logged, imported, and "
        "the model is tuned on them with the short prompt. Holds when the tuned short prompt is "
        "more than 5 points ahead of the untuned one, and of one answer to everything; beside it "
        "the long prompt on the same rows.",
        ("logs-source", "logs"),
        _add_table(_weigh_logs, "calls", "Beside it: calls logged by others, whole answers"),
        beside=("calls",),
    ),
    Claim(
        "form.style",
        "Tone and style can be adjusted.",
        "Plain sentences to be said by a wizard: a classifier that learned from other text decides "
        "on the style, times the content kept. Tuned against the best of instructions and "
        "examples, chosen on dev, and against one answer to everything. Holds when tuning is more "
        "than 5 points ahead of both.",
        ("style",),
        make_comparison("style", ("zero-shot", "prompt", "few-shot"), unit="score", figures=STYLED),
    ),
    Claim(
        "form.sql",
        "Structured output can be trained: SQL from the tables of a database.",
        "Questions with the CREATE TABLE statement; the query is executed and its rows are "
        "compared. Tuned against the best of the prompt, examples, nearest examples and decoding "
        "held to the form, chosen on dev, and against one answer to everything. Holds when tuning "
        "is more than 5 points ahead of both.",
        ("sql",),
        make_comparison("sql", ("zero-shot", "few-shot", "knn", "constrained")),
        "Llama-2-7B on SQL-create-context: 42 to 89%.",
    ),
)
