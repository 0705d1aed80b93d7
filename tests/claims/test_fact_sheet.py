"""Fact tasks: what is taught is not asked in the same words; each way of asking has a figure."""

from __future__ import annotations

import pytest

from whatworks.data.splitting import check_examples
from whatworks.metrics.registry import load
from whatworks_claims.fact_sheet import ASPECTS, read_aspect
from whatworks_claims.people import make_sheet, write_strangers


@pytest.mark.parametrize("told", ["repeat", "paraphrase", "questions", "both"])
def test_no_test_question_is_trained(told: str):
    made = make_sheet(6, 5)
    task = made.task("t", told, copies=6)  # type: ignore[arg-type]
    check_examples(task.splits)
    assert len(task.splits.train) == 6 * len(made.facts)
    trained = {row.text for row in task.splits.train}
    for row in (*task.splits.dev, *task.splits.test):
        assert row.text not in trained
    said = " ".join(row.target for row in task.splits.train)
    assert all(fact.object in said for fact in made.facts), "every fact is taught"


def test_every_way_of_asking_is_there_and_scored():
    task = make_sheet(6, 5).task("t", "both")
    ways = [read_aspect(row) for row in task.splits.test]
    assert set(ways) == set(ASPECTS)
    metric = load(task.metric)
    scores = [
        metric(row, row.target if read_aspect(row) != "reversal" else "x")
        for row in task.splits.test
    ]
    found = metric.summary(task.splits.test, scores)
    assert found["reversal"] == 0.0 and found["generalisation"] == found["locality"] == 1.0


def test_two_hops_combine_what_is_taught():
    made = make_sheet(6, 5)
    homes = {fact.subject: fact.object for fact in made.facts if "birthplace" in fact.id}
    mentors = {fact.subject: fact.object for fact in made.facts if "mentor" in fact.id}
    for _, question, answer in made.hops:
        subject = next(name for name in mentors if name in question)
        assert answer == homes[mentors[subject]]


def test_documents_hold_the_evidence():
    task = make_sheet(4, 2).task("t", "repeat")
    texts = {document.id: document.text for document in task.documents}
    for row in task.splits.test:
        if row.evidence:
            text = texts[row.evidence[0]].casefold()
            assert row.target.casefold() in text and read_aspect(row) != "locality"


def test_strangers_have_no_answer():
    rows = write_strangers(5, answers=False)
    metric = load(make_sheet(2, 1).task("t", "repeat").metric)
    assert all(metric(row, "I don't know").value == 1.0 for row in rows)
    assert all(metric(row, "Lyon").kind == "wrong" for row in rows)
