"""The material in natural English: seeded, each text once, nothing leaks, answers can be had."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatworks.analysis.comparison import Estimate
from whatworks.analysis.result_rows import ResultRow
from whatworks.data.task import Example, Splits, Task
from whatworks.methods.bench.known_facts import CLASSES
from whatworks.metrics.fact_counts import is_answerable
from whatworks.metrics.registry import load_task_metric
from whatworks.models.engine import ModelFiles
from whatworks.models.fake import FakeEngine
from whatworks_claims.desk import Desk
from whatworks_claims.english import (
    conversations,
    instructions,
    orders,
    people,
    queries,
    styles,
    tickets,
    world_facts,
)
from whatworks_claims.english.source import EnglishSource
from whatworks_claims.english.wordings import part_wordings
from whatworks_claims.evidence import Evidence, Need
from whatworks_claims.kinds import DataKind
from whatworks_claims.outcome import USABLE, Outcome, count_rows, is_wrong, score_strict
from whatworks_claims.readable import note_unreadable
from whatworks_claims.registry import list_steps
from whatworks_claims.run_studies import Request, choose_data, settle_plan

WRITERS: dict[str, Callable[[tuple[int, int, int], int], Splits]] = {
    "tickets": tickets.write_tickets,
    "orders": orders.write_orders,
    "queries": queries.write_queries,
    "conversations": conversations.write_conversations,
    "instructions": instructions.write_instructions,
    "styles": styles.write_styled,
}
SIZES = (48, 16, 32)
seeds = st.integers(0, 10_000)


def list_rows(splits: Splits) -> list[Example]:
    return [*splits.train, *splits.dev, *splits.test]


def list_tasks(source: EnglishSource) -> list[Task]:
    return [
        source.make_structured(), source.make_labelled(), source.make_queries(),
        source.make_conversations(), source.make_instructions(), source.make_styled(),
        source.make_notes(), source.make_silent_notes(),
    ]  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_rows_are_seeded_and_each_comes_once(name: str, seed: int):
    splits = WRITERS[name](SIZES, seed)
    assert splits.counts() == {"train": 48, "dev": 16, "test": 32}
    assert splits == WRITERS[name](SIZES, seed)
    assert splits != WRITERS[name](SIZES, seed + 1)
    rows = list_rows(splits)
    assert len({row.text for row in rows}) == len(rows), "a text of train is not asked in test"
    assert len({row.id for row in rows}) == len(rows)
    assert not [row.id for row in rows if re.search(r"[{}]", row.text.replace(row.target, ""))]


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_categories_are_asked_in_other_wordings_than_they_are_learned_in(seed: int):
    splits = tickets.write_tickets((80, 16, 64), seed)
    parts = [splits.train, splits.dev, splits.test]
    groups = [{row.group for row in part} for part in parts]
    assert not groups[0] & groups[1] and not (groups[0] | groups[1]) & groups[2]
    for part in parts:
        counts = [sum(row.target == label for row in part) for label in tickets.LABELS]
        assert min(counts) == max(counts) > 0, "every label as often"


def test_wordings_are_parted_three_one_two():
    train, dev, test = part_wordings(12)
    assert sorted([*train, *dev, *test]) == list(range(12))
    assert (len(train), len(dev), len(test)) == (6, 2, 4)


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_what_an_order_says_is_in_its_form(seed: int):
    for row in list_rows(orders.write_orders(SIZES, seed)):
        form = json.loads(row.target)
        text = row.text.casefold()
        assert form["item"] in text
        assert form["day"] is None or form["day"].casefold() in text
        counts = {word: n for n, word in orders.NUMBERS.items()}
        said = [counts[w] for w in re.findall(r"\w+", text) if w in counts]
        assert form["count"] in said
        assert form["how"] in ("collect", "deliver")


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_a_conversation_holds_what_its_answer_needs(seed: int):
    for row in list_rows(conversations.write_conversations(SIZES, seed)):
        (value,) = row.meta["uses"]
        *told, question = row.messages
        assert value in row.target and value not in question.content
        assert any(value in turn.content for turn in told if turn.role == "user")
        noted = [turn.content for turn in told if turn.role == "assistant"]
        assert not any(re.search(rf"\b{value}\b", note) for note in noted)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_every_note_answers_its_questions_and_no_person_is_in_two_splits(seed: int):
    task = people.make_notes((20, 8, 12), seed)
    notes = {document.id: document for document in task.documents}
    for row in list_rows(task.splits):
        (name,) = row.evidence
        assert row.target in notes[name].text and str(row.group) in row.text
        assert row.target not in row.text
        sentences = re.split(r"(?<=\.) ", notes[name].text)
        assert sum(row.target in sentence for sentence in sentences) == 1
    groups = [{row.group for row in part} for part in
              (task.splits.train, task.splits.dev, task.splits.test)]  # fmt: skip
    assert not groups[0] & groups[1] and not (groups[0] | groups[1]) & groups[2]


def test_a_silent_note_does_not_hold_the_answer():
    loud, silent = EnglishSource(True).make_notes(), EnglishSource(True).make_silent_notes()
    targets = {row.id: row.target for row in loud.splits.test}
    notes = {document.id: document.text for document in silent.documents}
    answered = [row for row in silent.splits.test if is_answerable(row)]
    rest = [row for row in silent.splits.test if not is_answerable(row)]
    assert len(answered) == len(rest) > 0
    for row in rest:
        assert not row.target and targets[row.id] not in notes[row.evidence[0]]
    missing = [row.id for row in answered if row.target not in notes[row.evidence[0]]]
    assert not missing, "who is asked with an answer has one still"


@pytest.mark.parametrize("quick", [True, False])
def test_a_target_is_right_by_its_metric(quick: bool):
    for task in list_tasks(EnglishSource(quick)):
        metric = load_task_metric(task)
        for row in task.splits.test:
            if is_answerable(row):
                score = metric(row, row.target)
                assert score.value > 0.5 if task.name == "style" else score.kind == "correct", (
                    task.name, row.text, row.target, score.feedback,
                )  # fmt: skip


def test_a_query_gives_rows_and_a_plain_sentence_no_style():
    styled = EnglishSource(True).make_styled()
    metric = load_task_metric(styled)
    values = [metric(row, row.text).value for row in styled.splits.test]
    assert max(values) < 0.5, "said as it was, it is not the wizard's"
    for row in EnglishSource(True).make_queries().splits.test:
        ((table, rows),) = row.meta["rows"].items()
        for value in re.findall(r"= '([^']*)'", row.target):
            assert any(value in one for one in rows), (table, row.target)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_what_is_known_unknown_and_unanswerable_are_apart(seed: int):
    known = world_facts.read_known_questions(100, seed)
    unknown = world_facts.write_unknown_questions(40, seed, answers=True)
    nothing = world_facts.write_unknown_questions(40, seed, answers=False)
    parts: Sequence[set[str]] = [{str(r.group) for r in rows} for rows in (known, unknown, nothing)]
    assert [len(part) for part in parts] == [100, 40, 40]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert all(row.target for row in (*known, *unknown))
    assert not any(is_answerable(row) for row in nothing)
    relations = {row.meta["relation"] for row in known}
    assert {row.meta["relation"] for row in (*unknown, *nothing)} <= relations


def test_a_subject_of_the_real_world_comes_once():
    subjects = [row.group for row in world_facts.read_known_questions(10_000)]
    assert len(set(subjects)) == len(subjects) > 200


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_a_sheet_is_asked_in_wordings_that_it_was_never_told_in(seed: int):
    sheet = people.make_sheet(8, 6, seed)
    assert len(sheet.facts) == 24 and len(sheet.hops) == 8 and len(sheet.neighbours) == 6
    for told in ("repeat", "paraphrase", "questions", "both"):
        task = sheet.task("teach", told, copies=4)
        shown = {row.text for row in (*task.splits.train, *task.splits.dev)}
        assert not shown & {row.text for row in task.splits.test}
    documents = {document.id: document.text for document in sheet.documents()}
    for fact in sheet.facts:
        assert fact.object in documents[f"doc-{fact.subject}"]
        assert len(set(fact.statements)) == len(fact.statements) >= 6


def make_desk(data: DataKind, quick: bool) -> Desk:
    def know(facts: Sequence[Example]) -> dict[str, str]:
        return {fact.id: CLASSES[-(i % 2)] for i, fact in enumerate(facts)}

    return Desk(FakeEngine(lambda _: ""), ModelFiles("fake:"), know, data=data, quick=quick)


@pytest.mark.parametrize("quick", [True, False])
def test_every_study_of_the_claims_has_rows_and_room_for_their_targets(quick: bool, tmp_path: Path):
    desk = make_desk("english", quick)
    made = 0
    for step in list_steps().values():
        if step.data or step.after:
            continue
        plan = step.make(desk)
        assert plan is not None
        plan = settle_plan(plan, desk, Request(data="english", quick=quick))
        counts = plan.task.splits.counts()
        assert all(counts.values()), (step.name, counts)
        room = plan.decoding["max_tokens"]
        longest = max(
            desk.engine.count_tokens(desk.model, [r.target for r in plan.task.splits.test])
        )
        assert step.name.startswith("romeo") or room >= longest, step.name
        assert plan.write(tmp_path / step.name, "smollm2").exists()
        made += 1
    assert made > 20


def test_the_material_is_chosen_by_the_model():
    assert [choose_data(m) for m in ("lab", "lab-base", "lab-chat")] == ["generated"] * 3
    assert [choose_data(m) for m in ("smollm2", "org/model", "x.gguf")] == ["english"] * 3


def test_what_is_right_in_a_sentence_counts_where_content_does():
    task = EnglishSource(True).make_notes()
    row = ResultRow("rag", 0, "scored", example="a", value=0.0, lenient=1.0, kind="wrong")
    (counted,) = count_rows(task, [row])
    assert (score_strict(counted), is_wrong(counted), counted.kind) == (1.0, 0.0, "correct")
    assert counted.parts[USABLE] == 0.0, "and cannot be used as it stands"
    strict = task.replace(metric=task.metric.replace(score="strict"))
    assert count_rows(strict, [row]) == (row,)
    failed = replace(row, status="failed", kind="")
    assert count_rows(task, [failed]) == (failed,)


@pytest.mark.parametrize(("value", "said"), [(0.0, "floor"), (1.0, "ceiling"), (0.5, "")])
def test_a_study_at_the_floor_or_the_ceiling_says_so(value: float, said: str):
    rows = tuple(
        ResultRow(arm, 0, "scored", example=str(i), value=value, lenient=value, kind="wrong")
        for arm in ("zero-shot", "sft")
        for i in range(4)
    )
    outcomes = {"sql": Outcome(EnglishSource(True).make_queries(), rows)}
    noted = note_unreadable(Evidence(notes=("before",)), outcomes).notes
    assert noted[0] == "before" and (said in noted[-1] if said else len(noted) == 1)
    assert note_unreadable(Evidence(missing="no arm"), outcomes).notes == ()
    needs = (Need("reading", Estimate(0.0, 0.0, 0.1), 0.2),)
    assert note_unreadable(Evidence(needs=needs), outcomes).notes == (), "it says so itself"
