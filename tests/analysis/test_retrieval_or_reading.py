"""Whether retrieval or reading holds an arm up is told from its rows."""

from __future__ import annotations

from whatworks.analysis.result_rows import ResultRow
from whatworks.analysis.retrieval_or_reading import describe_retrieval


def rows(arm: str, *answers: tuple[float, float]) -> list[ResultRow]:
    return [
        ResultRow(arm, 0, "scored", example=str(i), value=value, parts={"evidence_shown": shown})
        for i, (shown, value) in enumerate(answers)
    ]


def test_a_reader_that_other_passages_confuse_is_told_from_a_search_that_misses():
    gold = rows("gold", (1, 1), (1, 1), (1, 1), (1, 1))
    confused = rows("rag", (1, 1), (1, 0), (1, 0), (1, 0))
    (line,) = describe_retrieval({"rag": confused, "gold": gold}, oracles=["gold"], gold="gold")
    assert "in 100.0%" in line and "25.0% of those" in line and "confuse the reader" in line
    missing = rows("rag", (1, 1), (0, 0), (0, 0), (0, 1))
    (line,) = describe_retrieval({"rag": missing, "gold": gold}, oracles=["gold"], gold="gold")
    assert "in 25.0%" in line and "33.3% of the others" in line and "confuse" not in line


def test_a_tuned_reader_is_not_measured_against_the_untuned_one():
    gold = rows("gold", (1, 1), (1, 1), (1, 1), (1, 1))
    tuned = rows("rag+sft", (1, 1), (1, 0), (1, 0), (1, 0))
    both = {"rag+sft": tuned, "gold": gold}
    (line,) = describe_retrieval(both, oracles=["gold"], gold="gold", trained=["rag+sft"])
    assert "25.0% of those" in line and "confuse" not in line


def test_nothing_is_said_where_no_evidence_is_known():
    plain = ResultRow("rag", 0, "scored", example="a", value=1.0)
    assert describe_retrieval({"rag": [plain], "sft": []}) == []
