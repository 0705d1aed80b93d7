"""Planted causes of wrong answers, and what the diagnosis makes of them; its budget; no test rows.

The scripted model knows which cause each row has, and answers by what its prompt shows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from whatworks.analysis.diagnosis.arm_diagnosis import ArmDiagnosis
from whatworks.app.report.part_chart import draw_parts
from whatworks.base.progress import Silent
from whatworks.data.task import Document, Example, Message, MetricSpec, Splits, Task
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.studies.arm_entries import read_arm
from whatworks.studies.diagnosis import (
    SHARE,
    count_answers,
    diagnose_arm,
    diagnose_study,
    measure_chains,
)
from whatworks.studies.study import Study

CLOSED = {
    "does not know the fact": 0.3,
    "knows it, was not asked right": 0.15,
    "right content, wrong form": 0.2,
    "refused": 0.15,
    "cut": 0.1,
    "made up": 0.1,
}
OPEN = {"passage not found": 0.4, "found, not read": 0.3, "misled by another passage": 0.3}
ROOM = 12
"""Most words of an answer."""


def spell(i: int) -> str:
    """A number in letters, so that no word of a question is one of a document by chance."""
    return "".join(chr(ord("a") + int(digit)) * 2 for digit in str(i))


def name_town(i: int) -> str:
    return f"Town{i * 7 % 1013}"


class Planted:
    """Rows with a cause each, and the model that fails for it."""

    def __init__(self, rates: dict[str, float], dev: int, *, others: int = 10) -> None:
        rng = random.Random(0)
        causes = rng.choices(list(rates), list(rates.values()), k=dev + others)
        self.cause = {f"r{i}": cause for i, cause in enumerate(causes)}
        self.number = {spell(i): i for i in range(dev + others)}
        self.rows = [self._make_row(i) for i in range(dev + others)]
        self.documents = tuple(
            Document(id=f"d{i}", text=f"Person {i} lives in {name_town(i)}.")
            for i in range(dev + others)
        )
        splits = Splits(
            train=tuple(self.rows[dev : dev + others // 2]),
            dev=tuple(self.rows[:dev]),
            test=tuple(self.rows[dev + others // 2 :]),
        )
        self.task = Task(
            name="planted",
            splits=splits,
            metric=MetricSpec(name="facts"),
            documents=self.documents,
        )
        self.engine = FakeEngine(self._answer)

    def _make_row(self, i: int) -> Example:
        cause = self.cause[f"r{i}"]
        # What retrieval shall miss shares no word with its document.
        asked = f"keyholder {spell(i * 31)}" if cause == "passage not found" else f"person {i}"
        return Example(
            id=f"r{i}",
            inputs={"question": f"What is home to {asked} (row {spell(i)})?"},
            target="" if cause == "made up" else name_town(i),
            group=f"g{i}",
            evidence=(f"d{i}",),
            meta={"answerable": cause != "made up"},
        )

    def _answer(self, messages: Sequence[Message]) -> str:
        last = messages[-1].content
        i = self.number[last.rpartition("(row ")[2].partition(")")[0]]
        gold = f"Person {i} lives in" in last
        alone = gold and "[2]" not in last
        shown = any(m.role == "assistant" for m in messages)
        right = name_town(i)
        match self.cause[f"r{i}"]:
            case "does not know the fact" | "passage not found":
                return right if gold else "Elsewhere"
            case "knows it, was not asked right":
                return right if shown or gold else "Elsewhere"
            case "right content, wrong form":
                return right if shown else f"They live in {right}, of course."
            case "refused":
                return "I don't know."
            case "cut":
                return "well " * (2 * ROOM)
            case "misled by another passage":
                return right if alone else "Elsewhere"
            case _:  # found, not read; made up
                return "Elsewhere"

    def open_study(
        self, arm: str | dict[str, object], out: Path, *more: str | dict[str, object]
    ) -> Study:
        return Study(
            self.task,
            [read_arm(one) for one in (arm, *more)],
            self.engine,
            Weights(base="fake:"),
            out,
            decoding=Decoding(max_tokens=ROOM),
            seeds=1,
        )

    def measure_agreement(self, found: ArmDiagnosis) -> float:
        hits = [row.cause == self.cause[row.row] for row in found.rows]
        return sum(hits) / len(hits)


@pytest.mark.parametrize(
    ("rates", "arm"),
    [(CLOSED, "zero-shot"), (OPEN, {"rag": {"k": 2, "search": "lexical"}})],
    ids=["closed book", "with passages"],
)
def test_planted_causes_are_found_in_2000_rows(
    rates: dict[str, float], arm: str | dict[str, object], tmp_path: Path
):
    planted = Planted(rates, 1000)  # of each family
    study = planted.open_study(arm, tmp_path)
    run = study.run_whole(study.arms[0], 0, Silent())
    assert run.failure is None
    found = diagnose_arm(study, run, 3000, Silent())
    assert len(found.rows) == 1000
    assert all(row.told for row in found.rows)
    assert planted.measure_agreement(found) >= 0.95
    counts = {one.cause: one.count / 1000 for one in found.causes}
    assert counts == pytest.approx(rates, abs=0.05)


def test_presumed_causes_are_marked(tmp_path: Path):
    planted = Planted(CLOSED, 60)
    study = planted.open_study("zero-shot", tmp_path)
    run = study.run_whole(study.arms[0], 0, Silent())
    found = diagnose_arm(study, run, 30, Silent())
    assert found.shares is not None
    assert found.shares.n == 10
    assert found.taken == 30
    # What the answer itself shows needs no experiment.
    shown = {row.row for row in found.rows if row.cause in ("cut", "made up")}
    assert 10 <= sum(row.told for row in found.rows) <= 10 + len(shown)
    assert any(not row.told for row in found.rows)


@pytest.mark.parametrize("dev", [12, 100])
def test_a_diagnosis_takes_a_fifth_of_the_answers_at_most_and_no_test_row(dev: int, tmp_path: Path):
    planted = Planted({"does not know the fact": 1.0}, dev)
    study = planted.open_study("zero-shot", tmp_path)
    runs = study.run(Silent())
    asked = len(planted.engine.seen)
    found = diagnose_study(study, runs, ["zero-shot"], Silent())
    again = planted.engine.seen[asked:]
    assert len(again) <= count_answers(study, runs) / SHARE
    test = [row.text for row in planted.task.splits.test]
    assert not any(text in m.content for ms in again for m in ms for text in test)
    if dev == 100:
        assert found[0].headline.startswith("What zero-shot lacks is the facts")
    else:
        assert found[0].skipped
        assert not again
    # It resumes: what was asked is not asked again.
    before = len(planted.engine.seen)
    assert diagnose_study(study, runs, ["zero-shot"], Silent()) == found
    assert len(planted.engine.seen) == before


def test_the_form_is_named_where_it_is_what_lacks(tmp_path: Path):
    planted = Planted({"right content, wrong form": 1.0}, 100)
    study = planted.open_study("zero-shot", tmp_path)
    found = diagnose_study(study, study.run(Silent()), ["zero-shot"], Silent())
    assert found[0].headline.startswith("What zero-shot lacks is the form")


def test_the_parts_of_a_chain_are_matched_by_their_settings(tmp_path: Path):
    planted = Planted({"right content, wrong form": 0.5, "does not know the fact": 0.5}, 60)
    rag: dict[str, object] = {"k": 2, "search": "lexical"}
    shots: dict[str, object] = {"k": 2}
    arms = [{"rag": rag}, {"few-shot": shots}, {"rag+few-shot": {"rag": rag, "few-shot": shots}}]
    study = planted.open_study("zero-shot", tmp_path, *arms)
    runs = study.run(Silent())
    asked = len(planted.engine.seen)
    [found] = measure_chains(study, runs)
    assert len(planted.engine.seen) == asked
    gains = {one.part: one.gain for one in found.shares}
    assert gains["rag"].low > 0 and gains["few-shot"].low > 0
    # The whole chain mends every answer.
    assert gains["rag"].value + gains["few-shot"].value == pytest.approx(1.0, abs=0.05)
    assert draw_parts(found).count("<circle") == 2
    other = planted.open_study({"rag": {"k": 1, "search": "lexical"}}, tmp_path / "o", *arms[1:])
    [unknown] = measure_chains(other, other.run(Silent()))
    assert unknown.missing == ("zero-shot", "rag")
