"""One thing of the chosen arm changed: a model that lives on known things shows which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from whatworks.analysis.comparison import Estimate
from whatworks.analysis.diagnosis.probes import Probe
from whatworks.base.progress import Silent
from whatworks.data.task import Document, Example, Message, MetricSpec, Splits, Task
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Stage, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Context, Demos, Prompt
from whatworks.studies.arm_entries import read_arm
from whatworks.studies.diagnosis import SHARE, count_answers, diagnose_study
from whatworks.studies.probes import exchange_targets, list_changes
from whatworks.studies.study import Study

MORE = {"arm": "few-shot", "name": "more", "k": 6}
Answer = Callable[[Sequence[Message], int], str]


def spell(i: int) -> str:
    return "".join(chr(ord("a") + int(digit)) * 2 for digit in str(i))


def make_row(i: int, split: str) -> Example:
    return Example(
        id=f"{split}{i}",
        inputs={"question": f"Where does {spell(i)} live?"},
        target=f"Town{i}",
        evidence=(f"d{i}",),
        meta={"n": i},
    )


def make_study(
    out: Path, answer: Answer, arms: Sequence[object], *, instructions: str = "Be brief."
) -> Study:
    rows = [make_row(i, "r") for i in range(140)]
    numbers = {row.inputs["question"]: i for i, row in enumerate(rows)}

    def ask(messages: Sequence[Message]) -> str:
        question = messages[-1].content.rpartition("\n")[2]
        return answer(messages, numbers[question])

    task = Task(
        name="towns",
        splits=Splits(train=tuple(rows[:40]), dev=tuple(rows[40:90]), test=tuple(rows[90:])),
        metric=MetricSpec(name="facts"),
        documents=tuple(
            Document(id=f"d{i}", text=f"Of {spell(i)} people say: does live in Town{i}.")
            for i in range(140)
        ),
        instructions=instructions,
    )
    return Study(
        task,
        [read_arm(one) for one in arms],  # type: ignore[arg-type]
        FakeEngine(ask),
        Weights(base="fake:"),
        out,
        decoding=Decoding(max_tokens=20),
        seeds=1,
    )


def probe(study: Study, arm: str) -> dict[str, Probe]:
    runs = study.run(Silent())
    [found] = [one for one in diagnose_study(study, runs, [arm], Silent()) if one.arm == arm]
    return {one.changed: one for one in found.probes}


def test_an_arm_that_reads_its_passages_says_so(tmp_path: Path) -> None:
    def answer(messages: Sequence[Message], i: int) -> str:
        shown = messages[-1].content
        if f"Town{i}." not in shown:
            return "Elsewhere" if i % 2 else "I don't know."
        return f"Town{i}" if f"[1] Of {spell(i)}" in shown else "Elsewhere"  # the first alone

    rag = {"rag": {"k": 2, "search": "lexical"}}
    told = probe(make_study(tmp_path, answer, ["zero-shot", rag, "few-shot", MORE]), "rag")
    closed = told["without its passages"]
    assert closed.effect.value == -1.0 and closed.meaning == "it reads them"
    assert closed.made_up is not None and 0.2 < closed.made_up.value < 0.8
    assert told["with its passages in reverse order"].meaning.startswith("it matters where")
    assert told["with the first passage alone"].meaning == ""
    assert told["without its instructions"].effect.value == 0.0
    assert told["with half of each passage"].meaning == "it needs the whole passages"
    assert "-100.0" in closed.in_words.replace("−", "-") and "on 1" in closed.in_words


def test_an_arm_that_copies_labels_is_told_from_one_that_reads_the_form(tmp_path: Path) -> None:
    """One answers as the examples do; the other only needs to be shown some."""

    def copies(messages: Sequence[Message], i: int) -> str:
        shown = {
            message.content: messages[at + 1].content
            for at, message in enumerate(messages)
            if message.role == "user" and at + 1 < len(messages)
        }
        right = all(answer in known for answer in shown.values()) and all(
            known[answer] == question for question, answer in shown.items()
        )
        return f"Town{i}" if shown and right else "Elsewhere"

    known = {f"Town{i}": f"Where does {spell(i)} live?" for i in range(140)}

    def needs_form(messages: Sequence[Message], i: int) -> str:
        return f"Town{i}" if any(m.role == "assistant" for m in messages) else "Elsewhere"

    exchanged = "with the answers of its examples exchanged"
    for name, answer, falls in (("copies", copies, True), ("form", needs_form, False)):
        arms = [
            "zero-shot",
            "few-shot",
            "prompt-search",
            {"arm": "few-shot", "name": "more", "k": 6},
        ]
        told = probe(make_study(tmp_path / name, answer, arms), "few-shot")
        assert told["without its examples"].meaning == "it needs them"
        assert (told[exchanged].effect.value == -1.0) is falls


def test_what_is_changed_fits_the_candidate() -> None:
    rows = tuple(make_row(i, "t") for i in range(4))
    chunks = tuple(Document(id=f"d{i}#0", text="one two three four") for i in range(3))
    base = Weights(base="fake:")
    tuned = Weights(base="fake:", stages=(Stage(kind="lora", method="sft", artifact="a"),))
    whole = Candidate(
        prompt=Prompt(
            instructions="Be brief.",
            demos=Demos(pool=rows, k=2),
            context=Context(chunks=chunks, k=2),
        ),
        weights=tuned,
    )
    names = [one.changed for one in list_changes(whole, base)]
    assert names[0] == "with the weights before tuning" and len(names) == 9
    assert len({one.candidate.key for one in list_changes(whole, base)} | {whole.key}) == 10
    untuned = [one.changed for one in list_changes(whole.replace(weights=base), base)]
    assert untuned == names[1:]
    assert list(list_changes(Candidate(prompt=Prompt(), weights=base), base)) == []
    changed = exchange_targets(rows)
    assert all(
        a.target != b.target and a.inputs == b.inputs for a, b in zip(rows, changed, strict=True)
    )
    same = tuple(row.replace(target="x") for row in rows)
    assert exchange_targets(same) == same


def test_probes_stay_within_the_fifth_and_resume(tmp_path: Path) -> None:
    rag = {"rag": {"k": 2, "search": "lexical"}}
    study = make_study(tmp_path, lambda messages, i: f"Town{i}", ["zero-shot", rag, "few-shot"])
    engine = study.examiner_of("rag").engine
    assert isinstance(engine, FakeEngine)
    runs = study.run(Silent())
    asked = len(engine.seen)
    found = diagnose_study(study, runs, ["zero-shot", "rag"], Silent())
    again = engine.seen[asked:]
    assert 0 < len(again) <= count_answers(study, runs) / SHARE
    test = {row.inputs["question"] for row in study.task.splits.test}
    assert not any(m.content.rpartition("\n")[2] in test for ms in again for m in ms[-1:])
    assert found[-1].arm == "rag" and found[-1].probes and not found[-1].rows, "all is right"
    before = len(engine.seen)
    assert diagnose_study(study, runs, ["zero-shot", "rag"], Silent()) == found
    assert len(engine.seen) == before


def test_a_probe_in_words() -> None:
    fall = Probe("without its instructions", 30, Estimate(-0.2, -0.35, -0.05), fall="it needs them")
    assert fall.in_words.endswith("on 30 rows; it needs them")
    open_ = Probe("without its instructions", 30, Estimate(-0.05, -0.2, 0.1), fall="it needs them")
    assert open_.in_words.endswith("cannot be told apart")
