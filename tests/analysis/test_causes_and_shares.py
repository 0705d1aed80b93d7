"""Why arms fail: shares of form and facts, causes of rows, and planted causes through a study."""

from __future__ import annotations

import random

import pytest

from whatworks.analysis.diagnosis.arm_diagnosis import ArmDiagnosis
from whatworks.analysis.diagnosis.causes import Trial, diagnose_row
from whatworks.analysis.diagnosis.shares import Cells, measure_shares
from whatworks.data.task import Document, Example
from whatworks.metrics.score import Score

ROW = Example(id="a", inputs={"question": "Who?"}, target="Bo", evidence=("d",))
RIGHT, WRONG = Score(1.0, "correct"), Score(0.0, "wrong", lenient=0.0)
GOLD, OTHER = Document(id="d#0", text="Bo did."), Document(id="e#0", text="Ida did.")


def make_trial(**fields: object) -> Trial:
    return Trial(**{"example": ROW, "answer": "Ida", "score": WRONG, "metric": "facts", **fields})  # type: ignore[arg-type]


def test_the_shares_and_the_rest_sum_to_the_gap():
    rng = random.Random(0)
    cells = {str(i): Cells(*(rng.random() for _ in range(4))) for i in range(40)}
    shares = measure_shares(cells)
    assert shares is not None
    total = shares.form.value + shares.facts.value + shares.rest.value
    assert total == pytest.approx(shares.gap)
    assert measure_shares({}) is None


@pytest.mark.parametrize(
    ("cell", "cause"),
    [
        (Cells(0, 1, 0, 1), "form"),
        (Cells(0, 0, 1, 1), "facts"),
        (Cells(0, 0, 0, 1), "both"),
        (Cells(0, 0, 0, 0), "neither"),
    ],
)
def test_twelve_answers_of_one_kind_name_their_factor(cell: Cells, cause: str):
    shares = measure_shares({str(i): cell for i in range(12)})
    assert shares is not None
    assert shares.cause == cause


def test_three_answers_tell_nothing():
    shares = measure_shares({str(i): Cells(0, 0, 1, 1) for i in range(3)})
    assert shares is not None
    assert shares.cause == "cannot tell"


@pytest.mark.parametrize(
    ("fields", "cause", "told"),
    [
        ({"memory": True, "with_facts": RIGHT}, "does not know the fact", True),
        ({"memory": True}, "does not know the fact", False),
        ({"memory": True, "with_facts": WRONG}, "told, not read", True),
        ({"with_facts": RIGHT}, "told, not read", True),
        ({}, "told, not read", False),
        ({"with_form": RIGHT, "with_facts": RIGHT}, "knows it, was not asked right", True),
        ({"passages": (OTHER,), "with_facts": RIGHT}, "passage not found", True),
        ({"passages": (OTHER,)}, "passage not found", False),
        ({"passages": (GOLD,), "evidence": frozenset({"d#0"}), "with_facts": WRONG},
         "found, not read", True),
        ({"passages": (GOLD, OTHER), "evidence": frozenset({"d#0"}), "with_facts": RIGHT},
         "misled by another passage", True),
        ({"passages": (GOLD, OTHER), "evidence": frozenset({"d#0"})},
         "misled by another passage", False),
        ({"answer": "Bo, I say", "score": Score(0.0, "wrong", lenient=1.0), "with_form": RIGHT},
         "right content, wrong form", True),
        ({"score": Score(0.0, "malformed"), "with_form": RIGHT}, "right content, wrong form", True),
        ({"finish": "length"}, "cut", True),
        ({"answer": "I don't know.", "score": Score(0.0, "abstained"), "with_facts": WRONG},
         "refused", True),
        ({"metric": "category", "with_form": WRONG}, "label confused", True),
        ({"example": ROW.replace(target="", meta={"answerable": False})}, "made up", True),
    ],
)  # fmt: skip
def test_each_cause_is_told_by_what_mended_the_answer(
    fields: dict[str, object], cause: str, told: bool
):
    found = diagnose_row(make_trial(**fields))
    assert found is not None
    assert (found.cause, found.told) == (cause, told)


def test_a_right_answer_has_no_cause():
    assert diagnose_row(make_trial(score=RIGHT)) is None


def test_the_first_sentence_names_the_factor_and_what_is_measured():
    shares = measure_shares({str(i): Cells(0, 0, 1, 1) for i in range(12)})
    told = diagnose_row(make_trial(memory=True, with_facts=RIGHT))
    presumed = diagnose_row(make_trial(memory=True))
    assert told is not None
    assert presumed is not None
    [line] = ArmDiagnosis("zero-shot", 20, (presumed, told), shares).sentences
    assert line.startswith(
        "What zero-shot lacks is the facts, not the form of the answers: of 12 wrong"
    )
    assert "2 does not know the fact (1 measured)" in line


def test_few_groups_make_a_factor_likely_and_not_sure():
    """Eight rows of three groups: the sign-flip test cannot exclude chance."""
    cells = {str(i): Cells(0, 0, float(i > 0), 1) for i in range(8)}
    shares = measure_shares(cells, {str(i): str(i % 3) for i in range(8)})
    assert shares is not None
    assert not shares.sure
    headline = ArmDiagnosis("zero-shot", 20, (), shares).headline
    assert headline.startswith("Most likely, what zero-shot lacks is the facts")
    assert "(any value is possible)" in headline and "[−100" not in headline


def test_two_rows_of_six_make_nothing_likely():
    cells = {str(i): Cells(0, float(i < 2), 0, float(i < 2)) for i in range(6)}
    shares = measure_shares(cells, {str(i): str(i // 2) for i in range(6)})
    assert shares is not None
    assert shares.cause == "cannot tell"
