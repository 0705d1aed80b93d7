"""Values that are not there: one rule for CSV, JSON and Parquet, counted and never learned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whatworks.data import read
from whatworks.data.formats.base import NO_VALUE
from whatworks.data.read import Incomplete

Save = Callable[..., Path]
GOOD = [{"text": f"say {i}", "label": f"class {i % 2}"} for i in range(6)]


def as_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    import csv

    with path.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in rows:
            cells = [row.get("text"), row.get("label")]
            writer.writerow(["" if cell is None or cell != cell else cell for cell in cells])
    return path.with_suffix(".csv")


def as_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path = path.with_suffix(".jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    plain = [{k: None if v is None or v != v else str(v) for k, v in row.items()} for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist(plain), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


WRITERS = {"csv": as_csv, "jsonl": as_lines, "parquet": as_parquet}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("value", [None, float("nan"), *sorted(NO_VALUE)], ids=str)
@pytest.mark.parametrize("column", ["text", "label"])
def test_one_rule_for_every_file(tmp_path: Path, kind: str, value: Any, column: str) -> None:
    bad = [{**row, column: value} for row in GOOD[:2]]
    path = WRITERS[kind](tmp_path / "x", [*GOOD[2:], *bad])
    with pytest.raises(Incomplete, match=f"no '{column}' in 2 of 6 rows") as caught:
        read(path)
    assert "missing: drop" in caught.value.remedy
    data = read(path, missing="drop")
    assert [row.target for row in data.examples] == [row["label"] for row in GOOD[2:]]
    assert data.notes == (f"2 rows were left out: no '{column}'",)


@pytest.mark.parametrize("value", ["NA", "N/A", "none", "no", "-", "?", "nan nan", "Null Island"])
def test_words_that_mean_something_are_kept(save: Save, value: str) -> None:
    data = read(save("x.jsonl", [*GOOD, {"text": "say it", "label": value}]))
    assert data.examples[-1].target == value


def test_a_class_called_none_is_kept_where_somebody_says_so(save: Save) -> None:
    rows = [{"text": "a", "label": "None"}, {"text": "b", "label": None}, {"text": "c"}]
    data = read(save("x.jsonl", rows), missing="keep")
    assert [row.target for row in data.examples] == ["None", "", ""]


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Say", "output": "nan"},
        {"prompt": "Say", "completion": "None"},
        {"prompt": "Say", "completion": None},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "NaN"}]},
        {"mr": None, "ref": "It is so."},
        {"inputs": {"q": "b"}, "target": None},  # there the text "nan" is a text: `write` wrote it
        {"prompt": "Say", "chosen": "null", "rejected": "b"},
    ],
)
def test_every_format_knows_them(save: Save, row: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"no '"):
        read(save("x.jsonl", [row]))


def test_missing_numbers_in_other_columns_are_missing_too(save: Save) -> None:
    (row,) = read(save("x.jsonl", '{"text": "a", "label": "b", "score": NaN}\n')).examples
    assert row.meta == {} and row.key


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["a", "b c", *sorted(NO_VALUE)]), min_size=1, max_size=12))
def test_what_is_kept_and_what_is_dropped_make_the_whole(
    tmp_path_factory: pytest.TempPathFactory, labels: list[str]
) -> None:
    rows = [{"text": f"say {i}", "label": label} for i, label in enumerate(labels)]
    path = as_lines(tmp_path_factory.mktemp("m") / "x", rows)
    wanted = [label for label in labels if label not in NO_VALUE]
    assert [row.target for row in read(path, missing="keep").examples] == labels
    if wanted:
        assert [row.target for row in read(path, missing="drop").examples] == wanted
