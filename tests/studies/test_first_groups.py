"""A column of which rows belong together: suggested with its reasons, and never taken."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from whatworks.data.task import Example
from whatworks.studies.first_files import sort_files
from whatworks.studies.first_groups import suggest_group
from whatworks.studies.first_metric import guess_metric
from whatworks.studies.first_study_file import render_study
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

N = 120
DRAW = random.Random(5)


def row(i: int, **more: Any) -> dict[str, Any]:
    return {"question": f"What of {DRAW.random()} and {i}?", "answer": f"a thing {i}", **more}


SHAPES: dict[str, tuple[Any, str]] = {
    "users": (lambda i: row(i, user_id=f"u{i % 20}", lang="en"), "user_id"),
    "documents": (lambda i: row(i, docId=i // 4, seconds=i % 7), "docId"),
    "conversations": (lambda i: row(i, conversation=f"c{i // 3}", turn=i % 3), "conversation"),
    "a passage that is shown": (
        lambda i: {"passage": f"In {i // 5} it rained.", **row(i)}, "passage"),
    "a name that says nothing, with a text of its own": (
        lambda i: {"passage": f"In {i // 5} it rained.", **row(i, k7=f"x{i // 5}")}, "passage|k7"),
    "users and their sessions": (
        lambda i: row(i, user=f"u{i // 8}", session=f"s{i // 2}"), "user"),
    # Nothing is suggested:
    "classes": (lambda i: row(i, category=f"c{i % 5}"), ""),
    "a number of its own each": (lambda i: row(i, user_id=f"u{i}"), ""),
    "one user has most": (lambda i: row(i, user_id=f"u{max(0, i - 80)}"), ""),
    "a name that says nothing": (lambda i: row(i, k7=f"x{i % 30}"), ""),
    "mostly missing": (lambda i: row(i, user_id=f"u{i % 15}" if i < 40 else None), ""),
    "a group by now": (lambda i: row(i, group=f"g{i % 20}", user_id=f"u{i % 20}"), ""),
}  # fmt: skip


def write(folder: Path, shape: str) -> Path:
    path = folder / "rows.jsonl"
    rows = [SHAPES[shape][0](i) for i in range(N)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_suggested(tmp_path: Path, shape: str):
    files = sort_files([write(tmp_path, shape)], {"input": ["question"], "target": "answer"}
                       if "passage" not in shape and "text" not in shape else None)  # fmt: skip
    wanted = SHAPES[shape][1]
    assert (files.group.column if files.group else "") in wanted.split("|")
    assert any("belong together" in line for line in files.lines) == bool(wanted)


@pytest.mark.parametrize("shape", ["users", "a passage that is shown"])
def test_the_suggestion_is_a_comment_that_works_once_it_is_taken(tmp_path: Path, shape: str):
    files = sort_files([write(tmp_path, shape)])
    text = render_study(files, guess_metric(files), tmp_path, "lab")
    study = tmp_path / "study.yaml"
    study.write_text(text)
    task = read_task(read_study(study), tmp_path)
    assert all(one.group is None for one in task.splits.train)

    [line] = [line for line in text.splitlines() if "rows that share it" in line]
    assert line.startswith("  # columns:") and "120 rows" in text
    columns = yaml.safe_load(line.strip("# "))["columns"]
    taken = [one for one in text.splitlines() if not one.startswith("  columns:")]
    taken[taken.index(line)] = f"  columns: {json.dumps(columns)}"
    study.write_text("\n".join(taken))
    splits = read_task(read_study(study), tmp_path).splits
    groups = [{one.group for one in part} for part in (splits.train, splits.dev, splits.test)]
    assert None not in set.union(*groups)
    assert sum(map(len, groups)) == len(set.union(*groups))


def test_targets_that_go_with_the_column_are_told():
    rows = [
        Example(id=str(i), inputs={"q": f"q{i}"}, target=f"t{i % 12}", meta={"user": f"u{i % 12}"})
        for i in range(96)
    ]
    guess = suggest_group(rows)
    assert guess is not None and "same target in 100%, others in 0%" in guess.why
