"""A study from rows in memory, run and asked as a program or a notebook does."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
from typer.testing import CliRunner

import whatworks as ww
from whatworks.app.cli import app
from whatworks.app.library import written_study
from whatworks.app.library.rows_file import write_rows
from whatworks.base.progress import Silent
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

WORDS = ("parcel", "money", "colour")
ROWS = [
    {"text": f"A question about the {WORDS[n % 3]}, number {n * 37}.", "label": WORDS[n % 3]}
    for n in range(60)
]
FRAME: Any = pd.DataFrame(ROWS)


@pytest.fixture
def script(tmp_path: Path) -> str:
    """A scripted model that is right where it is shown examples, and about parcels."""
    path = tmp_path / "script.json"
    answers = [{"contains": "colour, number 0", "answer": "money"}]
    path.write_text(json.dumps({"answers": answers, "default": "parcel"}))
    return f"fake:{path}"


@pytest.fixture
def result(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ww.Result:
    monkeypatch.chdir(tmp_path)
    path = ww.study(ROWS, model=script, arms=["zero-shot", {"few-shot": {"k": 2}}], seeds=1)
    return ww.run(path, watcher=Silent())


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        tuple(ROWS),
        (row for row in list(ROWS)),
        FRAME,
        datasets.Dataset.from_pandas(FRAME),
        {"train": ROWS[:40], "validation": ROWS[40:50], "test": ROWS[50:]},
        datasets.DatasetDict(
            {
                "train": datasets.Dataset.from_list(ROWS[:40]),
                "validation": datasets.Dataset.from_list(ROWS[40:50]),
                "test": datasets.Dataset.from_list(ROWS[50:]),
            }
        ),
    ],
    ids=["list", "tuple", "generator", "frame", "dataset", "mapping", "dataset-dict"],
)
def test_rows_go_in_as_they_are(rows: Any, tmp_path: Path) -> None:
    path = ww.study(rows, folder=tmp_path / "s")
    file = read_study(path)
    task = read_task(file, path.parent)
    splits = (*task.splits.train, *task.splits.dev, *task.splits.test)
    assert {row.text: row.target for row in splits} == {r["text"]: r["label"] for r in ROWS}
    assert file.task.metric == "category" and "parcel" in (file.task.instructions or "")


def test_a_file_is_taken_where_it_is(tmp_path: Path) -> None:
    rows = tmp_path / "there.jsonl"
    rows.write_text(write_rows(ROWS, "train"))
    other = tmp_path / "train-of-yesterday.jsonl"  # its name says nothing here
    other.write_text(write_rows([*ROWS[:3], {"text": "Which parcel?", "label": "parcel"}], "test"))
    path = ww.study(rows, test=str(other), folder=tmp_path / "s")
    assert [one.name for one in path.parent.iterdir()] == ["study.yaml"]
    file = read_study(path)
    assert (path.parent / file.task.train).resolve() == rows
    test = read_task(file, path.parent).splits.test
    assert [row.text for row in test] == ["Which parcel?"]  # the others are train's already


def test_the_same_rows_and_keys_are_the_same_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = ww.study(ROWS, arms=["zero-shot"], name="mine")
    assert ww.study(FRAME, arms=["zero-shot"], name="mine") == first
    assert ww.study(ROWS[:-1], arms=["zero-shot"], name="mine") != first
    assert ww.study(ROWS, arms=["zero-shot", "knn"], name="mine") != first
    assert {one.name[:5] for one in (tmp_path / "studies").iterdir()} == {"mine-"}


def test_a_missing_value_of_a_frame_is_none_and_not_a_word() -> None:
    frame: Any = pd.DataFrame([{"text": "a", "n": 1.5}, {"text": None, "n": float("nan")}])
    assert [json.loads(line) for line in write_rows(frame, "train").splitlines()] == [
        {"text": "a", "n": 1.5},
        {"text": None, "n": None},
    ]


@pytest.mark.parametrize(
    ("rows", "keys", "cause"),
    [
        (ROWS, {"arm": ["zero-shot"]}, r"unknown key 'arm'\n.*arms"),
        (ROWS, {"arms": ["zero-shoot"]}, r"zero-shoot.*\n.*zero-shot"),
        (ROWS, {"seeds": 0}, "seeds"),
        (ROWS, {"metric": "exactly"}, r"no metric 'exactly'\n.*exact"),
        ([], {}, "no train rows"),
        ([1, 2], {}, r"train row 1 is int, no mapping"),
        ([{"text": {1, 2}, "label": "a"}], {}, r"train row 1 cannot be written as JSON"),
        ({"rows": ROWS}, {}, r"split 'rows' is none that is known"),
        ({"test": ROWS}, {}, "no train rows"),
        ({"dev": ROWS, "validation": ROWS}, {}, "one more dev"),
        ([{"a": "x y", "b": "z w", "c": "v u"}] * 9, {}, r"not plain.*\n.*columns="),
        (ROWS, {"metric": lambda e, t: 1.0}, r"lies in no file\n"),
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_written(
    rows: Any, keys: dict[str, Any], cause: str, tmp_path: Path
) -> None:
    with pytest.raises(ww.InputError, match=cause):
        ww.study(rows, folder=tmp_path / "s", **keys)
    assert list(tmp_path.iterdir()) == []


def test_another_study_is_not_written_over(tmp_path: Path) -> None:
    path = ww.study(ROWS, folder=tmp_path / "s")
    before = path.read_bytes()
    with pytest.raises(ww.InputError, match="holds something else"):
        ww.study(ROWS, folder=tmp_path / "s", seeds=1)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["s"]


def test_a_function_in_a_file_is_the_metric(tmp_path: Path) -> None:
    def local(example: ww.Example, text: str) -> float:
        return 0.0

    with pytest.raises(ww.InputError, match="lies in no file"):
        ww.study(ROWS, folder=tmp_path / "s", metric=local)
    metric = read_study(ww.study(ROWS, folder=tmp_path / "s", metric=score_by_length)).task.metric
    assert metric == {"python": f"{Path(__file__).absolute()}:score_by_length"}


def score_by_length(example: ww.Example, text: str) -> float:
    return float(len(text) == len(example.target))


def test_a_result_says_what_the_report_says(result: ww.Result) -> None:
    assert result.report.is_file() and result.best in {"zero-shot", "few-shot"}
    table: Any = result.table
    assert list(table.index) == ["zero-shot", "few-shot"]
    summary = {arm.name: arm for arm in result.summary.arms}
    for name, row in table.iterrows():
        score = summary[str(name)].score
        assert score is not None and row["score"] == score.value
    answers: Any = result.answers
    assert len(answers) == 2 * result.summary.n_test
    means = answers.groupby("arm")["value"].mean()
    assert means["zero-shot"] == pytest.approx(table.loc["zero-shot", "score"])
    assert str(result).splitlines()[0] == result.summary.recommendation.headline
    assert result.verdict("zero-shot").label == "baseline"
    again = ww.open_result(result.folder)
    assert again.summary.arms == result.summary.arms


def test_arms_are_compared_on_the_same_rows(result: ww.Result, tmp_path: Path) -> None:
    there = result.compare("zero-shot", "few-shot")
    back = result.compare("few-shot", "zero-shot")
    assert there.difference == pytest.approx(-back.difference)
    assert there.n_items == result.summary.n_test
    assert result.compare("few-shot", "few-shot", other=result).difference == 0.0
    with pytest.raises(ww.InputError, match=r"no arm 'few'.*\n.*few-shot"):
        result.compare("zero-shot", "few")


def test_slices_stand_in_the_report_where_the_study_asks(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{**row, "meta": {"town": ("Oslo", "<b>Rome")[n % 2]}} for n, row in enumerate(ROWS)]
    keys: dict[str, Any] = {"arms": ["zero-shot", {"few-shot": {"k": 2}}], "seeds": 1}
    split = {"dev": 10, "test": 30}
    path = ww.study(rows, model=script, slices=["town"], split=split, **keys)
    result = ww.run(path, watcher=Silent())
    found = result.slices()
    assert sorted(one.value for one in found.slices) == ["<b>Rome", "Oslo"]
    assert sum(one.rows for one in found.slices) == 30
    page = result.report.read_text("utf-8")
    assert "By parts of the test rows" in page and "town: &lt;b&gt;Rome" in page
    ran = CliRunner().invoke(app, ["slices", str(result.folder), "--by", "town"])
    assert ran.exit_code == 0 and "town: Oslo" in ran.output
    wrong = CliRunner().invoke(app, ["slices", str(result.folder), "--by", "city"])
    assert isinstance(wrong.exception, ww.InputError) and "'city'" in str(wrong.exception)


def test_a_new_request_is_answered_in_every_shape(result: ww.Result) -> None:
    with result:
        asked = "A question about the colour, number 0."
        for request in (asked, {"text": asked}, [ww.Message(role="user", content=asked)]):
            assert result.ask(request, "zero-shot") == "money"
        assert result.ask("Another.") == "parcel"
        with pytest.raises(ww.InputError, match="no arm 'sft'"):
            result.ask("hi", "sft")


def test_a_notebook_shows_it_and_hostile_names_stay_text(result: ww.Result, tmp_path: Path) -> None:
    shown = result._repr_html_()
    assert "<table>" in shown and "zero-shot" in shown and "<script" not in shown
    plot = result.plot()
    assert plot.svg.startswith("<svg") and "<iframe" in plot._repr_html_()
    plot.save(tmp_path / "plot.html")
    assert "prefers-color-scheme" in (tmp_path / "plot.html").read_text()
    with pytest.raises(ww.InputError, match="no chart 'curve'"):
        result.plot("curve")


def test_the_documented_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(written_study, raise_on_error=True).attempted
