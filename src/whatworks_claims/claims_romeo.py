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
from whatworks.analysis.result_rows import Row
from whatworks.base.paths import public_data
from whatworks.base.phrasing import percent
from whatworks.data.task import Example, MetricSpec, Splits, Task
from whatworks_claims.claim import Claim
from whatworks_claims.desk import Desk
from whatworks_claims.evidence import Contrast, Evidence, Need, Plot, Table
from whatworks_claims.fact_sheet import aspect
from whatworks_claims.kinds import ArmEntry
from whatworks_claims.outcome import Outcome
from whatworks_claims.study_plan import Plan, Step
from whatworks_lab import play

OLD, NEW = "Romeo", "Bob"
SAMPLES = 20
PASSES = (1, 3, 10)
INSTRUCTIONS = "Answer the question."
USE_NEW = (f"{INSTRUCTIONS} Use {NEW} instead of {OLD}.", f"Write {NEW} instead of {OLD}.")

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


def renamed(text: str) -> str:
    """The text with the new name, as said and as the speaker's heading."""
    text = re.sub(rf"\b{OLD}\b", NEW, text)
    return re.sub(rf"\b{OLD.upper()}\b", NEW.upper(), text)


def plain_text(desk: Desk) -> list[str]:
    """Pieces of the rewritten play."""
    if not desk.real:
        lines = play.LINES
        return [renamed("\n".join(lines[i : i + 4])) for i in range(0, len(lines), 4)]
    whole = public_data("tinyshakespeare/input.txt").read_text(encoding="utf-8")
    speeches = [part.strip() for part in whole.split("\n\n") if OLD.upper() in part.upper()]
    pieces = [renamed(one) for one in speeches if len(one) < 600]
    return pieces[: desk.n(80, 30)]


def augmented(desk: Desk) -> list[tuple[str, str]]:
    """The same said in other words and asked, in none of the wordings of the test."""
    said = [line for line in play.STATEMENTS if OLD in line]
    rows = [("", renamed(line)) for line in said]
    return rows + [(question, NEW) for question in TRAINED]


def _task(name: str, rows: Sequence[tuple[str, str]], passes: int) -> Task:
    """Every row ``passes`` times in train, so that the last step is what is asked.

    Sampled answers need many requests: each question stands ``SAMPLES`` times in test.
    """
    train = [
        Example(id=f"t{i}#{p}", inputs={"text": text}, target=target, group=f"t{i}")
        for p in range(passes)
        for i, (text, target) in enumerate(rows)
    ]
    asked = [
        *((key, text, NEW, "reliability") for key, text in ARTICLE.items()),
        *((key, text, NEW, "generalisation") for key, text in PLAIN.items()),
        *((key, text, "Juliet", "reversal") for key, text in REVERSE.items()),
        *((key, text, wanted, "locality") for key, (text, wanted) in NEAR.items()),
    ]
    test = [
        Example(
            id=f"{key}/{n}",
            inputs={"question": text},
            target=wanted,
            group=f"{key}/{n}",
            meta={"aspect": way, "question": key},
        )
        for key, text, wanted, way in asked
        for n in range(SAMPLES)
    ]
    dev = tuple(
        Example(id=key, inputs={"question": text}, target=wanted)
        for key, (text, wanted) in DEV.items()
    )
    return Task(
        name=name,
        splits=Splits(train=tuple(train), dev=dev, test=tuple(test)),
        metric=MetricSpec(name="facts"),
        instructions=INSTRUCTIONS,
    )


def _plan(kind: str, passes: int, desk: Desk) -> Plan:
    rows = [("", text) for text in plain_text(desk)]
    if kind == "augmented":
        rows += augmented(desk)
    lora: ArmEntry = {"sft": {"epochs": 1, "batch_size": 8}}
    arms: list[ArmEntry] = ["zero-shot", lora]
    if passes == PASSES[-1]:
        if not desk.quick:
            full = {"kind": "full", "epochs": 1, "batch_size": 8}
            arms.append({"arm": "sft", "name": "sft-full", "sft": full})
        arms.append({"prompt": {"variants": list(USE_NEW)}})
    return Plan(
        _task(f"romeo-{kind}-{passes}", rows, passes),
        tuple(arms),
        decoding={"temperature": 1.0, "max_tokens": 8},
        scored=(OLD, NEW),
    )


def step_name(kind: str, passes: int) -> str:
    """Name of the study of one kind of text and one number of passes over it."""
    return f"romeo-{kind}-{passes}"


STEPS = tuple(
    Step(step_name(kind, passes), partial(_plan, kind, passes))
    for kind in ("plain", "augmented")
    for passes in PASSES
)


# -- the findings -------------------------------------------------------------------------------


def says(name: str, row: Row) -> float:
    """Whether an answer gives this name, as a word, and not the other one."""
    said = set(re.findall(r"\w+", row.output))
    return float(name in said and not said & ({OLD, NEW} - {name}))


def the_man(example: Example) -> bool:
    """Questions for the man whom Juliet loves: the article's two and the plain ones."""
    return example.meta.get("question") in (*ARTICLE, *PLAIN)


def _love(example: Example) -> bool:
    return example.meta.get("question") in PLAIN


def _asked(questions: Mapping[str, str]) -> str:
    return f"{len(questions)} questions x {SAMPLES} samples"


def _romeo(outcomes: Outcomes) -> Evidence:
    last = outcomes[step_name("plain", PASSES[-1])]
    for one in outcomes.values():
        if missing := one.has("zero-shot", "sft"):
            return Evidence(missing=missing)
    planned = any(row.arm == "sft-full" for row in last.rows)
    if planned and (missing := last.has("sft-full")):
        return Evidence(missing=missing)
    before = last.level("zero-shot", partial(says, OLD), the_man)
    return Evidence(
        needs=(Need(f"saying {OLD} before tuning", before, 0.25),),
        contrasts=tuple(
            Contrast(
                f"after {PASSES[-1]} passes over the plain text, {tuning}, "
                f"{_asked(ARTICLE | PLAIN)}: still says {OLD} less says {NEW}",
                last.scores(arm, partial(says, OLD), the_man),
                last.scores(arm, partial(says, NEW), the_man),
                last.groups,
            )
            for arm, tuning in TUNINGS.items()
            if arm == "sft" or planned
        ),
        tables=(_names(last), _strengths(outcomes), by_question(outcomes)),
        plots=(_plot(outcomes),),
        samples=last.samples(("zero-shot", "sft", "sft-full"), 2, the_man),
        notes=(THESE, *_course(outcomes), *_likelihoods(outcomes)),
    )


def _course(outcomes: Outcomes) -> tuple[str, ...]:
    """What the model says as the passes go on, for each kind of text."""
    notes: list[str] = []
    for kind, text in (("plain", "the plain text"), ("augmented", "paraphrases beside it")):
        parts: list[str] = []
        for passes in PASSES:
            if made := outcomes.get(step_name(kind, passes)):
                old, new = (made.level("sft", partial(says, n), the_man).value for n in (OLD, NEW))
                rest = f"neither {percent(1 - old - new, 0)}"
                parts.append(
                    f"after {passes}: {OLD} {percent(old, 0)}, {NEW} {percent(new, 0)}, {rest}"
                )
        if parts:
            notes.append(f"With {text}, by passes: {'; '.join(parts)}.")
    return tuple(notes)


def _names(made: Outcome) -> Table:
    """What comes back to the article's two questions and the plain ones, by arm."""
    rows: list[tuple[str, ...]] = []
    for arm in ("zero-shot", "sft", "sft-full", "prompt"):
        for key, text in (*ARTICLE.items(), *PLAIN.items()):
            said = Counter(
                row.output.strip()[:24]
                for row in made.rows
                if row.arm == arm and row.example.startswith(f"{key}/")
            )
            total = sum(said.values())
            top = ", ".join(f"{name or '(nothing)'} {n}/{total}" for name, n in said.most_common(4))
            if total:
                rows.append((arm, text, top))
    title = f"The names that come back, {SAMPLES} samples a question and seed"
    return Table(title, ("arm", "question", "answers"), tuple(rows), words=True)


def _strengths(outcomes: Outcomes) -> Table:
    rows: list[tuple[str, ...]] = []
    for name, made in outcomes.items():
        for arm in TUNINGS:
            if not made.has(arm):
                rows.append(
                    (
                        f"{name.removeprefix('romeo-')} {arm}",
                        percent(made.level(arm, partial(says, OLD), the_man).value),
                        percent(made.level(arm, partial(says, NEW), the_man).value),
                        percent(made.level(arm, only=partial(_is, "reversal")).value),
                        percent(made.level(arm, only=partial(_is, "locality")).value),
                    )
                )
    columns = ("text, passes, tuning", f"says {OLD}", f"says {NEW}", "turned round", "neighbours")
    return Table("Sampled answers after tuning", columns, tuple(rows))


def _is(way: str, example: Example) -> bool:
    return aspect(example) == way


def _plot(outcomes: Outcomes) -> Plot:
    lines: dict[str, list[tuple[str, Estimate]]] = {}
    for kind in ("plain", "augmented"):
        for name in (OLD, NEW):
            points: list[tuple[str, Estimate]] = []
            for passes in PASSES:
                made = outcomes.get(step_name(kind, passes))
                if made is None:
                    continue
                if not points:
                    points.append(("0", made.level("zero-shot", partial(says, name), the_man)))
                points.append((str(passes), made.level("sft", partial(says, name), the_man)))
            if points:
                lines[f"{name}, {kind}"] = points
    return Plot("Share of samples by passes over the text", lines)


def by_question(outcomes: Outcomes) -> Table:
    """Both names to each question: how often sampled, and how probable where the engine says it."""
    rows: dict[tuple[str, ...], None] = {}
    for name, made in outcomes.items():
        for arm in ("zero-shot", "prompt", *TUNINGS):
            untuned = arm in ("zero-shot", "prompt")  # the same whatever the text
            label = arm if untuned else f"{name.removeprefix('romeo-')} {arm}"
            if made.has(arm) or (untuned and any(row[0] == label for row in rows)):
                continue
            for key, text in (*ARTICLE.items(), *PLAIN.items()):
                only = partial(_of, key)
                said = [percent(made.level(arm, partial(says, n), only).value) for n in (OLD, NEW)]
                given = made.measures.get("likelihood", {}).get(arm, {}).get(text, {})
                likely = [percent(given[n]) if n in given else "–" for n in (OLD, NEW)]
                rows[label, text, *said, *likely] = None
    columns = (
        "text, passes, arm", "question",
        f"sampled {OLD}", f"sampled {NEW}", f"P({OLD})", f"P({NEW})",
    )  # fmt: skip
    note = "P: probability of the whole answer given the question, a mean over the seeds."
    return Table("Question by question, by sampling and by probability", columns, tuple(rows), note)


def _of(key: str, example: Example) -> bool:
    return example.meta.get("question") == key


def _likelihoods(outcomes: Outcomes) -> tuple[str, ...]:
    if any(made.measures.get("likelihood") for made in outcomes.values()):
        return ()
    return ("The engine gives no probabilities of given answers, so only samples are shown.",)


def _manual(outcomes: Outcomes) -> Evidence:
    made = outcomes[step_name("plain", PASSES[-1])]
    if missing := made.has("prompt", "sft"):
        return Evidence(missing=missing)
    new = partial(says, NEW)
    return Evidence(
        contrasts=(
            made.contrast("prompt", "sft", f"says {NEW} when told to less when tuned on the text, "
                          f"{_asked(PLAIN)}", value=new, only=_love),
        ),
        tables=(made.table("On the plain question", ("zero-shot", "prompt", "sft"), _love),
                _names(made)),
        samples=made.samples(("zero-shot", "prompt", "sft"), 2, _love),
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
        tuple(step_name(kind, passes) for kind in ("plain", "augmented") for passes in PASSES),
        _romeo,
        "A new name is rarely learned from plain text; paraphrases help.",
        quick=tuple(step_name(kind, PASSES[-1]) for kind in ("plain", "augmented")),
    ),
    Claim(
        "prompt.manual",
        "A written prompt can beat tuning: just say that Bob is to be used instead of Romeo.",
        "The instruction against tuning on the rewritten play, 20 samples of each of two plain "
        "questions. Holds when the instruction gives Bob more than 5 points more often.",
        (step_name("plain", PASSES[-1]),),
        _manual,
    ),
)
