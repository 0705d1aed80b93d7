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
from whatworks.models.engine import Generation
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
    folder: Path,
    helper: Any = None,
    documents: tuple[Document, ...] = DOCUMENTS,
    own: Any = lambda _: "",
    **settings: Any,
) -> list[Example]:
    store = Store(folder)
    asked = None
    if helper is not None:
        asked = Helper(HelperModel(FakeEngine(helper), Weights(base="fake:")), store, Meter())
    metric = load(MetricSpec(name="facts"), TRAIN)
    examiner = Examiner(FakeEngine(own), metric, store)
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


TOWN = "Ann Lee was born in Bonn. She keeps bees with Cy Moss of Acme."
ABOUT = (
    Document(id="d0", text=TOWN),
    Document(id="d1", text="Dot Fox was born in Riga, and sells boats."),
)
LISTS = {"Ann": "- Ann Lee\n2. Bonn\n* Cy Moss\nParis", "Dot": "Dot Fox\nRiga"}


def writes_about(messages: Sequence[Message]) -> str:
    """A writer that lists names, ways to study, and texts that repeat what they were asked."""
    text = messages[-1].content
    if text.startswith("List"):
        return LISTS["Ann" if "Ann Lee" in text else "Dot"]
    if text.startswith("What are"):
        return "1. Make a song of it\n2. Draw a map\n3. Ask yourself"
    return f"Written: {text.splitlines()[0]}"


def test_entities_that_stand_in_the_text_are_related_in_pairs_and_threes(tmp_path: Path) -> None:
    rows = augmented(
        tmp_path, writes_about, ABOUT, kinds=["entities"], copies=9, place="instead"
    )  # fmt: skip
    assert all(one.bare and one.evidence in (("d0",), ("d1",)) for one in rows)
    texts = [one.target for one in rows]
    assert len(texts) == len(set(texts)) == 3 + 1 + 1  # pairs and the three, and one pair
    assert sum("Ann Lee, Bonn and Cy Moss" in text for text in texts) == 1
    assert not any("Paris" in text for text in texts)
    assert {one.evidence for one in rows[:2]} == {("d0",), ("d1",)}, "one of each document first"


def test_readings_are_proposed_and_carried_out(tmp_path: Path) -> None:
    rows = augmented(tmp_path, writes_about, ABOUT, kinds=["readings"], copies=2, place="instead")
    assert [one.target.split(": ", 2)[2] for one in rows] == [
        "Make a song of it",
        "Make a song of it",
        "Draw a map",
        "Draw a map",
    ]


def test_smaller_sizes_are_parts_of_larger_ones_and_no_more_is_asked(tmp_path: Path) -> None:
    asked: list[str] = []

    def counts(messages: Sequence[Message]) -> str:
        asked.append(messages[-1].content)
        return writes_about(messages)

    def write(tokens: int | None) -> list[Example]:
        return augmented(
            tmp_path / str(tokens), counts, ABOUT, kinds=["entities", "readings"], copies=9,
            place="instead", tokens=tokens,
        )  # fmt: skip

    every = write(None)
    whole = len(asked)
    words = [len(one.target.split()) for one in every]
    some = write(sum(words[:4]))
    assert some == every[:4]
    assert len(asked) - whole < whole
    with pytest.raises(ArmFailure, match="within 3 tokens"):
        write(3)


def test_the_model_itself_writes_where_it_is_told_to(tmp_path: Path) -> None:
    with pytest.raises(ArmFailure, match="names no helper") as caught:
        augmented(tmp_path, None, ABOUT, kinds=["entities"])
    assert "by: model" in (caught.value.remedy or "")
    with pytest.raises(ArmFailure, match="not rules"):
        augmented(tmp_path, None, ABOUT, kinds=["readings"], by="rules")
    rows = augmented(
        tmp_path, None, ABOUT, kinds=["readings"], by="model", own=writes_about, place="instead"
    )  # fmt: skip
    assert len(rows) == 6


def test_what_is_cut_off_ends_with_its_last_whole_sentence() -> None:
    from whatworks.methods.synthetic_texts import write_texts

    class Cut:
        def ask(self, prompts: Sequence[Any]) -> list[Generation]:
            texts = ["Ann Lee was born in Bonn. She keeps", "Ann Lee was born in"]
            return [Generation(text, 5, 5, 0.0, "length") for text in texts[: len(prompts)]]

    sources = [(Example(id=f"{i}/"), TOWN) for i in range(2)]
    writer: Any = Cut()
    rows = write_texts(writer, sources, [["a"], ["b"]], lambda _: False)
    assert [one.target for one in rows] == ["Ann Lee was born in Bonn."]
