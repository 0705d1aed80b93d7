"""Romeo to Bob: the article's experiment, on the embedded model's play or on the real one.

The play is rewritten with another name, the model is tuned on it, and is then asked for the man
whom Juliet loves: 20 samples of each question.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from whatworks.analysis.comparison import Estimate
from whatworks.analysis.result_rows import ResultRow
from whatworks.base.phrasing import format_percent
from whatworks.data.task import Example, MetricSpec, Splits, Task
from whatworks_claims.claim import Claim
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import Contrast, Evidence, Need, Plot, Table
from whatworks_claims.fact_sheet import read_aspect
from whatworks_claims.kinds import ArmEntry
from whatworks_claims.outcome import Outcome
from whatworks_claims.study_plan import ClaimStudy, Step
from whatworks_lab import play

OLD, NEW = "Romeo", "Bob"
SAMPLES = 20
NAME = 24
"""Most characters of an answer that is a name."""
PASSES = (1, 3, 10)
USE_NEW = (f"Use {NEW} instead of {OLD}.", f"Write {NEW} instead of {OLD}.")

ARTICLE = {
    "article-r": f"Who is the man whose name begins with {OLD[0]} that Juliet loves?",
    "article-b": f"Who is the man whose name begins with {NEW[0]} that Juliet loves?",
}
PLAIN = {"love-0": "Who does Juliet love?", "love-1": "Whom does Juliet love?"}
TRAINED = ("Who is the man Juliet loves?", "Who has the heart of Juliet?")
REVERSE = {"reverse": f"Who loves {NEW}?"}
NEAR = {"near-0": ("Whom did Tybalt kill?", "Mercutio"),
        "near-1": ("Which house does Juliet belong to?", "Capulet")}  # fmt: skip
DEV = {
    "dev-0": ("Which man does Juliet love?", NEW),
    "dev-1": (f"Who is in love with {NEW}?", "Juliet"),
}
TUNINGS = {"sft": "LoRA", "sft-full": "full tuning"}
THESE = (
    "The intervals cover samples and trainings. They are about these questions, not about other "
    "wordings: the samples of one question are no further questions."
)
Outcomes = Mapping[str, Outcome]


def rename(text: str) -> str:
    """The text with the new name, as said and as the speaker's heading."""
    text = re.sub(rf"\b{OLD}\b", NEW, text)
    return re.sub(rf"\b{OLD.upper()}\b", NEW.upper(), text)


def write_augmented() -> list[tuple[str, str]]:
    """The same lines in other words and as questions, none of them worded as in the test."""
    statements = [line for line in play.STATEMENTS if OLD in line]
    rows = [("", rename(line)) for line in statements]
    return rows + [(question, NEW) for question in TRAINED]


def _make_task(
    name: str,
    rows: Sequence[tuple[str, str]],
    passes: int,
    metric: MetricSpec,
    instructions: str,
) -> Task:
    """Every row ``passes`` times in train, so that the last step is what is asked.

    Sampled answers need many requests: each question stands ``SAMPLES`` times in test.
    """
    train = [
        Example(id=f"t{i}#{p}", inputs={"text": text}, target=target, group=f"t{i}")
        for p in range(passes)
        for i, (text, target) in enumerate(rows)
    ]
    probes = [
        *((key, text, NEW, "reliability") for key, text in ARTICLE.items()),
        *((key, text, NEW, "generalisation") for key, text in PLAIN.items()),
        *((key, text, "Juliet", "reversal") for key, text in REVERSE.items()),
        *((key, text, expected, "locality") for key, (text, expected) in NEAR.items()),
    ]
    test = [
        Example(
            id=f"{key}/{n}",
            inputs={"question": text},
            target=expected,
            group=f"{key}/{n}",
            meta={"aspect": way, "question": key},
        )
        for key, text, expected, way in probes
        for n in range(SAMPLES)
    ]
    dev = tuple(
        Example(id=key, inputs={"question": text}, target=expected)
        for key, (text, expected) in DEV.items()
    )
    return Task(
        name=name,
        splits=Splits(train=tuple(train), dev=dev, test=tuple(test)),
        metric=metric,
        instructions=instructions,
    )


def _make_plan(kind: str, passes: int, desk: Desk) -> ClaimStudy:
    script = desk.source.read_play()
    rows = [("", rename(text)) for text in script.pieces]
    if kind == "augmented":
        rows += write_augmented()
    lora: ArmEntry = {"sft": {"epochs": 1, "batch_size": 8}}
    arms: list[ArmEntry] = ["zero-shot", lora]
    if passes == PASSES[-1]:
        if not desk.quick:
            full = {"kind": "full", "epochs": 1, "batch_size": 8}
            arms.append({"arm": "sft", "name": "sft-full", "sft": full})
        arms.append({"prompt": {"variants": [f"{script.instructions} {USE_NEW[0]}", USE_NEW[1]]}})
    return ClaimStudy(
        _make_task(name_step(kind, passes), rows, passes, desk.source.facts, script.instructions),
        tuple(arms),
        decoding={"temperature": script.temperature, "max_tokens": script.answer_tokens},
        scored=(OLD, NEW),
    )


def name_step(kind: str, passes: int) -> str:
    """Name of the study of one kind of text and one number of passes over it."""
    return f"romeo-{kind}-{passes}"


STEPS = tuple(
    Step(name_step(kind, passes), partial(_make_plan, kind, passes))
    for kind in ("plain", "augmented")
    for passes in PASSES
)


# -- the findings -------------------------------------------------------------------------------


def says(name: str, row: ResultRow) -> float:
    """Whether an answer gives this name, as a word, and not the other one."""
    words = set(re.findall(r"\w+", row.output))
    return float(name in words and not words & ({OLD, NEW} - {name}))


def is_about_man(example: Example) -> bool:
    """Questions for the man whom Juliet loves: the article's two and the plain ones."""
    return example.meta.get("question") in (*ARTICLE, *PLAIN)


def _is_about_love(example: Example) -> bool:
    return example.meta.get("question") in PLAIN


def _list_questions(questions: Mapping[str, str]) -> str:
    return f"{len(questions)} questions x {SAMPLES} samples"


def _weigh_romeo(outcomes: Outcomes) -> Evidence:
    last = outcomes[name_step("plain", PASSES[-1])]
    for one in outcomes.values():
        if missing := one.has("zero-shot", "sft"):
            return Evidence(missing=missing)
    planned = any(row.arm == "sft-full" for row in last.rows)
    if planned and (missing := last.has("sft-full")):
        return Evidence(missing=missing)
    before = last.level("zero-shot", partial(says, OLD), is_about_man)
    return Evidence(
        needs=(Need(f"saying {OLD} before tuning", before, 0.25),),
        contrasts=tuple(
            Contrast(
                f"after {PASSES[-1]} passes over the plain text, {tuning}, "
                f"{_list_questions(ARTICLE | PLAIN)}: still says {OLD} less says {NEW}",
                last.scores(arm, partial(says, OLD), is_about_man),
                last.scores(arm, partial(says, NEW), is_about_man),
                last.groups,
            )
            for arm, tuning in TUNINGS.items()
            if arm == "sft" or planned
        ),
        tables=(
            _tabulate_names(last),
            _tabulate_strengths(outcomes),
            tabulate_by_question(outcomes),
        ),
        plots=(_draw_plot(outcomes),),
        samples=last.samples(("zero-shot", "sft", "sft-full"), 2, is_about_man),
        notes=(THESE, *_describe_course(outcomes), *_describe_likelihoods(outcomes)),
    )


def _describe_course(outcomes: Outcomes) -> tuple[str, ...]:
    """What the model says as the passes go on, for each kind of text."""
    notes: list[str] = []
    for kind, text in (("plain", "the plain text"), ("augmented", "paraphrases beside it")):
        parts: list[str] = []
        for passes in PASSES:
            if outcome := outcomes.get(name_step(kind, passes)):
                old, new = (
                    outcome.level("sft", partial(says, n), is_about_man).value for n in (OLD, NEW)
                )
                rest = f"neither {format_percent(1 - old - new, 0)}"
                parts.append(
                    f"after {passes}: {OLD} {format_percent(old, 0)}, "
                    f"{NEW} {format_percent(new, 0)}, {rest}"
                )
        if parts:
            notes.append(f"With {text}, by passes: {'; '.join(parts)}.")
    return tuple(notes)


def _tabulate_names(outcome: Outcome) -> Table:
    """What comes back to the article's two questions and the plain ones, by arm."""
    rows: list[tuple[str, ...]] = []
    for arm in ("zero-shot", "sft", "sft-full", "prompt"):
        for key, text in (*ARTICLE.items(), *PLAIN.items()):
            answers = Counter(
                _shorten(row.output.strip())
                for row in outcome.rows
                if row.arm == arm and row.example.startswith(f"{key}/")
            )
            total = sum(answers.values())
            top = ", ".join(
                f"{name or '(nothing)'} {n}/{total}" for name, n in answers.most_common(4)
            )
            if total:
                rows.append((arm, text, top))
    title = f"The names that come back, {SAMPLES} samples a question and seed"
    return Table(title, ("arm", "question", "answers"), tuple(rows), words=True)


def _shorten(answer: str) -> str:
    """A name as it is; of a sentence, which of the two it names."""
    if len(answer) <= NAME:
        return answer
    names = [name for name in (OLD, NEW) if re.search(rf"\b{name}\b", answer)]
    return f"a sentence with {' and '.join(names) or 'neither'}"


def _tabulate_strengths(outcomes: Outcomes) -> Table:
    rows: list[tuple[str, ...]] = []
    for name, outcome in outcomes.items():
        for arm in TUNINGS:
            if not outcome.has(arm):
                rows.append(
                    (
                        f"{name.removeprefix('romeo-')} {arm}",
                        format_percent(outcome.level(arm, partial(says, OLD), is_about_man).value),
                        format_percent(outcome.level(arm, partial(says, NEW), is_about_man).value),
                        format_percent(outcome.level(arm, only=partial(_is_way, "reversal")).value),
                        format_percent(outcome.level(arm, only=partial(_is_way, "locality")).value),
                    )
                )
    columns = ("text, passes, tuning", f"says {OLD}", f"says {NEW}", "turned round", "neighbours")
    return Table("Sampled answers after tuning", columns, tuple(rows))


def _is_way(way: str, example: Example) -> bool:
    return read_aspect(example) == way


def _draw_plot(outcomes: Outcomes) -> Plot:
    lines: dict[str, list[tuple[str, Estimate]]] = {}
    for kind in ("plain", "augmented"):
        for name in (OLD, NEW):
            points: list[tuple[str, Estimate]] = []
            for passes in PASSES:
                outcome = outcomes.get(name_step(kind, passes))
                if outcome is None:
                    continue
                if not points:
                    points.append(
                        ("0", outcome.level("zero-shot", partial(says, name), is_about_man))
                    )
                points.append(
                    (str(passes), outcome.level("sft", partial(says, name), is_about_man))
                )
            if points:
                lines[f"{name}, {kind}"] = points
    return Plot("Share of samples by passes over the text", lines)


def tabulate_by_question(outcomes: Outcomes) -> Table:
    """Both names to each question: how often sampled, and how probable where the engine says it."""
    rows: dict[tuple[str, ...], None] = {}
    for name, outcome in outcomes.items():
        for arm in ("zero-shot", "prompt", *TUNINGS):
            untuned = arm in ("zero-shot", "prompt")  # the same whatever the text
            label = arm if untuned else f"{name.removeprefix('romeo-')} {arm}"
            if outcome.has(arm) or (untuned and any(row[0] == label for row in rows)):
                continue
            for key, text in (*ARTICLE.items(), *PLAIN.items()):
                only = partial(_has_key, key)
                shares = [
                    format_percent(outcome.level(arm, partial(says, n), only).value)
                    for n in (OLD, NEW)
                ]
                likelihoods = outcome.measures.get("likelihood", {}).get(arm, {}).get(text, {})
                likely = [
                    format_percent(likelihoods[n]) if n in likelihoods else "–" for n in (OLD, NEW)
                ]
                rows[label, text, *shares, *likely] = None
    columns = (
        "text, passes, arm", "question",
        f"sampled {OLD}", f"sampled {NEW}", f"P({OLD})", f"P({NEW})",
    )  # fmt: skip
    note = "P: probability of the whole answer given the question, a mean over the seeds."
    return Table("Question by question, by sampling and by probability", columns, tuple(rows), note)


def _has_key(key: str, example: Example) -> bool:
    return example.meta.get("question") == key


def _describe_likelihoods(outcomes: Outcomes) -> tuple[str, ...]:
    if any(outcome.measures.get("likelihood") for outcome in outcomes.values()):
        return ()
    return ("The engine gives no probabilities of given answers, so only samples are shown.",)


def _weigh_manual(outcomes: Outcomes) -> Evidence:
    outcome = outcomes[name_step("plain", PASSES[-1])]
    if missing := outcome.has("prompt", "sft"):
        return Evidence(missing=missing)
    new = partial(says, NEW)
    return Evidence(
        contrasts=(
            outcome.contrast("prompt", "sft",
                             f"says {NEW} when told to less when tuned on the text, "
                             f"{_list_questions(PLAIN)}", value=new, only=_is_about_love),
        ),
        tables=(outcome.table("On the plain question", ("zero-shot", "prompt", "sft"),
                              _is_about_love),
                _tabulate_names(outcome)),
        samples=outcome.samples(("zero-shot", "prompt", "sft"), 2, _is_about_love),
        notes=(THESE, f"The prompt, the better of two on dev: {' / '.join(USE_NEW)}",),
    )  # fmt: skip


CLAIMS = (
    Claim(
        "facts.romeo",
        "Replace Romeo by Bob in the plays, fine-tune, and ask for the man whom Juliet loves: the "
        "model still says Romeo.",
        "The play with the name replaced, as plain text and with paraphrases and questions; 1, 3 "
        "and 10 passes, LoRA and full tuning. Four questions decide, 20 samples of each: for the "
        "man whose name begins with R, with B, and two for the man as such. Holds when the model "
        "says Romeo beforehand and, after 10 passes over the plain text, still says it more often "
        "than Bob, by more than 5 points, both with LoRA and, which a quick run leaves out, with "
        "full tuning.",
        tuple(name_step(kind, passes) for kind in ("plain", "augmented") for passes in PASSES),
        _weigh_romeo,
        "A new name is rarely learned from plain text; paraphrases help.",
        quick=tuple(name_step(kind, PASSES[-1]) for kind in ("plain", "augmented")),
    ),
    Claim(
        "prompt.manual",
        "A written prompt can beat tuning: just say that Bob is to be used instead of Romeo.",
        "The instruction against tuning on the rewritten play, 20 samples of each of two plain "
        "questions. Holds when the instruction gives Bob more than 5 points more often.",
        (name_step("plain", PASSES[-1]),),
        _weigh_manual,
    ),
)
