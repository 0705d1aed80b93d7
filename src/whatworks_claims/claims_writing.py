"""Claims about other forms: SQL, dialogue, instructions, style, and data from logs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from whatworks.analysis.comparison import compare
from whatworks.base.paths import find_public_data
from whatworks.base.phrasing import format_interval, format_points
from whatworks.data import import_logs
from whatworks.data.task import Example, MetricSpec, Task
from whatworks_claims import made_up_rows as made
from whatworks_claims.claim import Claim
from whatworks_claims.claims_form import HELD, TUNED, make_comparison, make_labelled_task
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import Evidence
from whatworks_claims.kinds import ArmEntry
from whatworks_claims.material import make_task, read_files_task
from whatworks_claims.outcome import Outcome
from whatworks_claims.study_plan import ClaimStudy, Step

FEW: ArmEntry = {"few-shot": {"k": 3}}
NEAREST: ArmEntry = {"knn": {"k": 3, "embedder": "lexical"}}
STYLED = {"style": "in the style", "gap": "bits per character likelier in it",
          "similarity": "like the target", "entities": "names kept"}  # fmt: skip
STYLE = ("Say it as an old wizard would.", "Write it in the style of Shakespeare.")
Outcomes = Mapping[str, Outcome]


def _choose_sizes(desk: Desk) -> tuple[int, int, int]:
    return desk.n(400, 100), desk.n(60, 16), desk.n(200, 40)


def _choose_limits(desk: Desk) -> dict[str, int]:
    return dict(zip(("train", "dev", "test"), _choose_sizes(desk), strict=True))


# -- the studies --------------------------------------------------------------------------------


def _plan_sql(desk: Desk) -> ClaimStudy:
    if desk.real:
        section = {
            "train": "geography_sqlctx.jsonl",
            "metric": {"sql": {"database": "geography.sqlite"}},
            "columns": {"input": ["context", "question"], "target": "answer"},
            "limit": _choose_limits(desk),
            "split": {"on_overlap": "drop"},
        }
        task_ = read_files_task("sql", find_public_data("sql_geography"), section)
    else:
        rows = made.write_queries(sum(_choose_sizes(desk)))
        task_ = make_task("sql", rows, _choose_sizes(desk), "sql", "Answer with one SQL query.")
    return ClaimStudy(task_, ("zero-shot", FEW, NEAREST, HELD, TUNED))


def _plan_chat(desk: Desk) -> ClaimStudy:
    if desk.real:
        section = {
            "train": "dummy_conversation.json",
            "metric": "chat",
            "limit": _choose_limits(desk),
            "split": {"on_overlap": "drop"},
        }
        return ClaimStudy(
            read_files_task("chat", find_public_data("chat"), section), ("zero-shot", TUNED)
        )
    task_ = make_task(
        "chat", made.write_dialogues(sum(_choose_sizes(desk))), _choose_sizes(desk), "chat", ""
    )
    return ClaimStudy(task_, ("zero-shot", TUNED))


def _plan_instructions(desk: Desk) -> ClaimStudy:
    if desk.real:
        task_ = _make_written_task("instructions", "alpaca", "alpaca_data_cleaned_1000.json", desk)
    else:
        rows = made.write_instructions(sum(_choose_sizes(desk)))
        task_ = make_task("instructions", rows, _choose_sizes(desk), "instructions", "")
    return ClaimStudy(task_, ("zero-shot", FEW, TUNED), decoding={"max_tokens": desk.n(64, 48)})


def _plan_lima(desk: Desk) -> ClaimStudy:
    """A thousand chosen instructions with long answers (Zhou et al. 2023)."""
    arms: tuple[ArmEntry, ...] = ("zero-shot", {"few-shot": {"k": 1}}, TUNED)
    return ClaimStudy(
        _make_written_task("lima", "lima", "lima.json", desk), arms, decoding={"max_tokens": 128}
    )


def _make_written_task(name: str, folder: str, file: str, desk: Desk) -> Task:
    """Instructions with answers written by people; what an answer must show is read off them."""
    section = {
        "train": file,
        "limit": _choose_limits(desk),
        "metric": {"instructions": {"from_target": True}},
        "split": {"on_overlap": "drop"},
    }
    return read_files_task(name, find_public_data(folder), section)


def _plan_style(desk: Desk) -> ClaimStudy:
    train, dev, test = _choose_sizes(desk)
    if desk.real:
        task_ = _make_shakespeare_task(train, dev, test)
    else:
        # The classifier learns from text of its own, which no arm sees.
        apart = made.write_styled(120, seed=1)
        options = {
            "wanted": [row.target for row in apart],
            "others": [row.text for row in apart],
            "embedder": "lexical",
        }
        rows = made.write_styled(train + dev + test)
        task_ = make_task("style", rows, (train, dev, test), "style", "Say it again.")
        task_ = task_.replace(metric=MetricSpec(name="style", options=options))
    prompted: ArmEntry = {"prompt": {"variants": list(STYLE)}}
    return ClaimStudy(task_, ("zero-shot", prompted, FEW, TUNED))


def _make_shakespeare_task(train: int, dev: int, test: int) -> Task:
    """Speeches, the second half to be written after the first; other English as contrast."""
    import lzma

    whole = find_public_data("tinyshakespeare/input.txt").read_text(encoding="utf-8")
    speeches = [s.split("\n", 1)[1] for s in whole.split("\n\n") if s.count("\n") > 3]
    with lzma.open(
        find_public_data("english/english_100mb.txt.xz"), "rt", encoding="utf-8"
    ) as file:
        plain = [line for line in file.read(400_000).splitlines() if len(line) > 200]
    half = len(speeches) // 2
    rows = [
        Example(id=f"speech-{i}", inputs={"input": "\n".join(lines[:2])},
                target="\n".join(lines[2:4]))
        for i, speech in enumerate(speeches[half:])
        if len(lines := speech.splitlines()) >= 4
    ]  # fmt: skip
    base_task = make_task("style", rows, (train, dev, test), "style", "Go on.")
    options = {"wanted": speeches[:200], "others": plain[:200], "content": "none"}
    return base_task.replace(metric=MetricSpec(name="style", options=options))


def _plan_logs_source(desk: Desk) -> ClaimStudy:
    """The stronger prompt at work: what it answers to a pool of inputs is what is logged.

    It is asked the test rows of the study ``logs`` too, to stand beside the tuned short prompt.
    """
    whole = make_labelled_task(desk)
    pool = whole.splits.train
    half = len(pool) // 2
    splits = whole.splits.replace(train=pool[:half], test=(*pool[half:], *whole.splits.test))
    return ClaimStudy(whole.replace(name="logs-source", splits=splits), (LONG,))


LONG: ArmEntry = {"arm": "knn", "name": "long prompt", "knn": {"k": 4, "embedder": "lexical"}}


def _plan_logs(desk: Desk) -> ClaimStudy:
    """Short prompt, tuned on what the logs hold; the same test as the other category studies."""

    source = desk.finished["logs-source"]
    whole = make_labelled_task(desk)
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
    return ClaimStudy(task_, ("zero-shot", TUNED))


def _plan_calls(desk: Desk) -> ClaimStudy:
    """Calls logged from a program of others; they need a model with room for 1,500 tokens."""
    section = {
        "train": "hotpot_rag_calls.jsonl",
        "metric": "normalised",
        "limit": _choose_limits(desk),
    }
    task_ = read_files_task("calls", find_public_data("logs"), section)
    return ClaimStudy(task_, ("zero-shot", TUNED), decoding={"max_tokens": 120})


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
    """The same evidence, and the table of a study beside it where that has results."""

    def found(outcomes: Outcomes) -> Evidence:
        evidence = find(outcomes)
        if name not in outcomes:
            return evidence
        return replace(evidence, tables=(*evidence.tables, outcomes[name].table(title)))

    return found


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

    def logged(example: Example) -> bool:
        return example.id not in test

    right = source.level("long prompt", only=logged).value
    beside = compare(done.scores("sft"), source.scores("long prompt", only=same), test)
    return Evidence(
        contrasts=done.ahead("sft", "zero-shot", "tuned on the logs less untuned, share right"),
        tables=(done.table("The short prompt on test"),
                source.table("The long prompt on the same rows", only=same),
                source.table("The long prompt, whose answers were logged", only=logged)),
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
