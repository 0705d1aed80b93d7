"""given: answers of another system are scored like any arm's, and none is made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import InputError, StackingError
from whatworks.methods.given_rows import FileColumns, read_predictions
from whatworks.methods.registry import build_chain
from whatworks.models.weights import Weights
from whatworks.studies.arm_entries import read_arm

ANY = FileColumns()


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_answers_are_found_by_id_and_a_null_is_none(tmp_path: Path) -> None:
    rows = [
        {"id": 7, "prediction": "yes"},
        {"id": 8, "prediction": None},
        {"id": 9, "prediction": ""},
    ]
    found = read_predictions(write(tmp_path / "a.jsonl", rows), ANY, order=None)
    assert found == {"7": "yes", "9": ""}
    own = [{"row": "7", "id": "x", "said": {"count": 1}}]
    named = FileColumns("said", "row")
    found = read_predictions(write(tmp_path / "b.jsonl", own), named, order=None)
    assert found == {"7": '{"count": 1}'}


def test_answers_without_ids_follow_the_rows_of_a_file(tmp_path: Path) -> None:
    data = write(tmp_path / "test.jsonl", [{"input": f"q{i}", "target": "a"} for i in range(3)])
    theirs = write(tmp_path / "theirs.jsonl", [{"answer": f"a{i}"} for i in range(3)])
    found = read_predictions(theirs, ANY, order=data)
    assert list(found.values()) == ["a0", "a1", "a2"] and next(iter(found)).startswith("test")
    with pytest.raises(InputError, match=r"2 answers, and 3 rows in test\.jsonl"):
        read_predictions(write(theirs, [{"answer": "a"}] * 2), ANY, order=data)
    with pytest.raises(InputError, match="bear no ids") as told:
        read_predictions(theirs, ANY, order=None)
    assert "order_of: test.jsonl" in told.value.remedy


def test_what_cannot_be_read_as_answers_is_refused(tmp_path: Path) -> None:
    twice = write(tmp_path / "twice.jsonl", [{"id": "a", "answer": "1"}] * 2)
    with pytest.raises(InputError, match="'a' stands twice"):
        read_predictions(twice, ANY, order=None)
    none = write(tmp_path / "none.jsonl", [{"id": "a", "score": 1}])
    with pytest.raises(InputError, match="no column holds answers"):
        read_predictions(none, ANY, order=None)


def test_nothing_stands_before_or_behind_given_answers(tmp_path: Path) -> None:
    settings = {"given": {"predictions": str(write(tmp_path / "a.jsonl", [{"id": "a"}]))}}
    for spec, said in (("given+sft", "sft after given"), ("rag+given", "rag before given")):
        with pytest.raises(StackingError, match=said):
            build_chain(spec, settings).plan(Weights(base="lab"))
    build_chain("zero-shot+given", settings).plan(Weights(base="lab"))


def test_settings_of_a_single_method_may_stand_beside_its_name() -> None:
    flat = read_arm({"arm": "few-shot", "name": "eight", "k": 8, "rows": 5})
    nested = read_arm({"arm": "few-shot", "name": "eight", "rows": 5, "few-shot": {"k": 8}})
    assert flat == nested
    with pytest.raises(InputError):
        read_arm({"arm": "few-shot", "kk": 8})
