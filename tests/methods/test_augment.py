"""augment: what is written, from what, and that it says what the sources say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from test_lessons import START, lessons

from whatworks.base.errors import ArmFailure
from whatworks.base.store import Store
from whatworks.data.task import Document, Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.registry import build_chain
from whatworks.methods.rewording import KINDS, read_facts, reword
from whatworks.metrics.registry import load
from whatworks.models.fake import FakeEngine
from whatworks.models.helper import Helper, HelperModel
from whatworks.models.metering import Meter
from whatworks.models.weights import Weights
from whatworks.prompts.prompt import Demos
from whatworks.prompts.render import render


def row(id_: str, text: str, target: str, group: str | None) -> Example:
    return Example(id=id_, inputs={"q": text}, target=target, group=group)


TRAIN = (
    row("a0", "Where was Ann Lee born?", "Bonn", "Ann Lee"),
    row("a1", "What is the birthplace of Ann Lee?", "Bonn", "Ann Lee"),
    row("b0", "Where was Ben Ray born?", "Oslo", "Ben Ray"),
    row("c0", "Who feeds Cy Moss?", "Acme", "Cy Moss"),
)
DOCUMENTS = (
    Document(id="d0", text="Ann Lee was born in Bonn."),
    Document(id="d1", text="Dot Fox was born in Riga."),
)


def augmented(
    folder: Path, helper: Any = None, documents: tuple[Document, ...] = DOCUMENTS, **settings: Any
) -> list[Example]:
    store = Store(folder)
    asked = None
    if helper is not None:
        asked = Helper(HelperModel(FakeEngine(helper), Weights(base="fake:")), store, Meter())
    metric = load(MetricSpec(name="facts"), TRAIN)
    examiner = Examiner(FakeEngine(lambda _: ""), metric, store)
    bench = Bench(examiner, train=TRAIN, dev=TRAIN[:1], documents=documents, helper=asked)
    rows = lessons(build_chain("augment", {"augment": settings}).adapt(START, bench)).rows
    assert rows is not None
    return list(rows)


def said(rows: list[Example]) -> set[tuple[str, str]]:
    return {("" if one.bare else one.text, one.target) for one in rows}


def test_rules_use_the_wordings_of_the_material(tmp_path: Path) -> None:
    rows = augmented(tmp_path, kinds=["paraphrases", "questions"], place="instead")
    got = said(rows)
    assert ("What is the birthplace of Ben Ray?", "Oslo") in got
    # A document that no row speaks of, read by a wording that others have.
    assert ("Where was Dot Fox born?", "Riga") in got
    assert ("What is the birthplace of Dot Fox?", "Riga") in got
    # Another relation's wording is not one of these.
    assert not any("feeds" in text for text, _ in got)
    assert not got & said(list(TRAIN))


def test_documents_alone_are_asked_in_the_wordings_of_rows(tmp_path: Path) -> None:
    rows = augmented(tmp_path, kinds=["questions"], source="documents", place="instead")
    got = said(rows)
    assert ("What is the birthplace of Dot Fox?", "Riga") in got
    assert all(row.evidence for row in rows), "a row was said again"


def test_rules_turn_round_and_imply(tmp_path: Path) -> None:
    got = said(augmented(tmp_path, kinds=["reversals", "implications"], copies=2))
    assert ("Fill the gap: ____ was born in Riga.", "Dot Fox") in got
    assert ("True or false? Dot Fox was born in Riga.", "True") in got
    assert ("True or false? Dot Fox was born in Bonn.", "False") in got


def test_rules_read_whole_words_only() -> None:
    counts = (
        row("a", "How many children has Ada Reed?", "4", "Ada Reed"),
        row("c", "How many children has Cy Holt?", "2", "Cy Holt"),
    )
    births = [
        Document(id=name, text=f"{name} was born in {year}.")
        for name, year in (("Ada Reed", 1984), ("Bo Lind", 1981), ("Dee Poe", 1987))
    ]
    assert said(reword(read_facts(counts, births), KINDS, 3)) == set()


def test_what_has_several_answers_is_not_asked_and_what_is_true_not_called_false(
    tmp_path: Path,
) -> None:
    towns = {"Ada Reed": "Porto", "Bo Lind": "Porto", "Cy Holt": "Porto", "Dee Poe": "Oslo"}
    rows = [row(name, f"Where does {name} live?", town, name) for name, town in towns.items()]
    documents = [Document(id=f"d {n}", text=f"{n} lives in {town}.") for n, town in towns.items()]
    got = said(reword(read_facts(rows, documents), ["reversals"], 3))
    assert got == {("Fill the gap: ____ lives in Oslo.", "Dee Poe")}
    # Those whom only the rows that lend their wordings speak of count too.
    every = read_facts(rows, documents[:1])
    own, beside = every[len(rows) :], every[: len(rows)]
    assert [one.subject for one in own] == ["Ada Reed"]
    assert said(reword(own, ["reversals"], 3, beside)) == set()

    speaks = [("Ada Reed", "French"), ("Ada Reed", "German"), ("Bo Lind", "Dutch")]
    rows = [row(f"{w} {what}", f"What does {w} speak?", what, w) for w, what in speaks]
    documents = [Document(id=f"{w} {what}", text=f"{w} speaks {what}.") for w, what in speaks]
    got = said(reword(read_facts(rows, documents), ["implications"], 3))
    assert ("True or false? Ada Reed speaks German.", "True") in got
    assert ("True or false? Ada Reed speaks Dutch.", "False") in got
    assert len({text for text, _ in got}) == len(got)

    # A helper's too, beside a train row with another answer.
    rows = augmented(
        tmp_path, lambda _: "Where was Ben Ray born? => Riga\nWho is Dot Fox? => a baker",
        kinds=["questions"], source="documents",
    )  # fmt: skip
    assert {target for text, target in said(rows) if "Ben Ray" in text} == {"Oslo"}
    assert ("Who is Dot Fox?", "a baker") in said(rows)


def test_a_new_row_and_its_source_never_help_one_another(tmp_path: Path) -> None:
    alone = (row("e0", "Where is Eve Hill?", "Rome", None),)

    def writes(messages: Sequence[Message]) -> str:
        return "In which town is Eve Hill?" if "Cy Moss" in messages[-1].content else ""

    rows = augmented(tmp_path, writes, (), kinds=["paraphrases"])
    new = next(one for one in rows if one.text.startswith("In which") and one.id == "c0")
    prompt = START.prompt.replace(demos=Demos(pool=(*TRAIN, *alone), k=9))
    shown = "\n".join(m.content for m in render(prompt, new, exclude=[new]).messages)
    assert "Cy Moss" not in shown and "Eve Hill?" in shown


def test_a_helper_writes_and_what_has_no_form_is_left_out(tmp_path: Path) -> None:
    def writes(messages: Sequence[Message]) -> str:
        if "Dot Fox" in messages[-1].content:
            return "- Which town did Dot Fox come from? => Riga\nSure, here you are!\n=> nothing"
        return ""

    rows = augmented(tmp_path, writes, kinds=["questions"], source="documents", place="instead")
    assert said(rows) == {("Which town did Dot Fox come from?", "Riga")}
    assert rows[0].evidence == ("d1",)


def test_nothing_to_write_from_fails_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ArmFailure, match="nothing could be written") as caught:
        augmented(tmp_path, kinds=["questions"], source="rows")
    assert "helper" in caught.value.remedy
