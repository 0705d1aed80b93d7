"""Preference pairs: which of them a study may train on, and which say anything."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import ArmFailure
from whatworks.data.task import Example, MetricSpec, Pair
from whatworks.methods.bench.examiner import Answer
from whatworks.methods.drawn_answers import pair_best_and_worst, rescore
from whatworks.methods.preference_pairs import keep_differing
from whatworks.metrics.registry import load
from whatworks.metrics.score import Score
from whatworks.models.engine import Generation
from whatworks.studies.study_file import read_study
from whatworks.studies.study_task import read_task

TOWNS = ["Porto", "Lima", "Quito", "Oslo", "Turin", "Kyoto", "Accra", "Perth", "Minsk", "Hanoi"]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task of ten towns, and pairs: new ones, and some that repeat rows of every split."""
    rows = [
        {"id": f"r{i}", "input": f"What is said of {town} in book {i}?", "target": town}
        | ({"group": "river"} if i in (8, 9) else {})
        for i, town in enumerate(TOWNS)
    ]
    write(tmp_path / "train.jsonl", rows[:5])
    write(tmp_path / "dev.jsonl", rows[5:7])
    write(tmp_path / "test.jsonl", rows[7:])
    asked = [
        "Who built the old bridge?",
        rows[0]["input"],
        rows[5]["input"],
        rows[7]["input"].upper() + " ",
        rows[7]["input"] + "?",
    ]
    pairs = [{"prompt": text, "chosen": "canary yes", "rejected": "no"} for text in asked]
    pairs.append({"prompt": "Far from all others", "chosen": "x", "rejected": "y"})
    pairs[-1]["group"] = "river"
    write(tmp_path / "pairs.jsonl", pairs)
    return tmp_path


def study(folder: Path, **task: str) -> Any:
    path = folder / "study.yaml"
    lines = {"train": "train.jsonl", "dev": "dev.jsonl", "test": "test.jsonl", "metric": "exact"}
    path.write_text(
        "task:\n"
        + "".join(f"  {name}: {value}\n" for name, value in {**lines, **task}.items())
        + "arms: [dpo]\n"
    )
    return read_task(read_study(path), folder)


def test_pairs_that_repeat_held_rows_or_their_groups_are_left_out(folder: Path) -> None:
    task = study(folder, preferences="pairs.jsonl")
    assert [pair.example.text for pair in task.preferences] == [
        "Who built the old bridge?",
        "What is said of Porto in book 0?",
    ]
    assert study(folder).preferences == ()


def test_pairs_that_stand_in_the_rows_themselves_go_with_their_split(folder: Path) -> None:
    rows = [
        {
            "id": f"p{i}",
            "prompt": f"Tell me about {town}.",
            "chosen": f"{town} it is",
            "rejected": "?",
        }
        for i, town in enumerate(TOWNS)
    ]
    write(folder / "all.jsonl", rows)
    path = folder / "one.yaml"
    path.write_text("task: {train: all.jsonl, metric: exact}\narms: [dpo]\n")
    task = read_task(read_study(path), folder)
    assert {pair.example.id for pair in task.preferences} == {e.id for e in task.splits.train}
    assert len(task.preferences) < len(TOWNS)


def pair(chosen: str, rejected: str) -> Pair:
    return Pair(example=Example(id=chosen + rejected), chosen=chosen, rejected=rejected)


def test_pairs_that_say_nothing_are_refused_with_a_remedy() -> None:
    assert keep_differing([pair("a", "a"), pair("a", "b"), pair("a", "")]) == (pair("a", "b"),)
    for pairs, cause in (([pair("a", "")], "partner"), ([pair("a", "a ")], "equal")):
        with pytest.raises(ArmFailure, match=cause) as failure:
            keep_differing(pairs)
        assert failure.value.remedy


def answers(*values: float) -> list[Answer]:
    example = Example(id="e")
    return [
        Answer(example, Generation(f"{i}", 1, 1, 0.0), Score(value=value, kind="correct"))
        for i, value in enumerate(values)
    ]


def test_best_and_worst_of_drawn_answers_make_a_pair() -> None:
    [made] = pair_best_and_worst([answers(0.5, 1, 0, 1, 0), answers(0.5, 0.5)])
    assert (made.chosen, made.rejected) == ("1", "2")
    with pytest.raises(ArmFailure, match="all score the same") as failure:
        pair_best_and_worst([answers(1, 1), answers(0, 0)])
    assert "temperature" in failure.value.remedy


def test_another_metric_ranks_own_answers_and_sees_the_target_where_it_needs_one() -> None:
    row = Example(id="e", target='{"a": 1}', meta={"aliases": ["one"]})
    said = [
        Answer(row, Generation(text, 1, 1, 0.0), Score(value=0.0, kind="wrong"))
        for text in ("one", '{"a": 2}')
    ]

    def values(name: str, **options: Any) -> list[float]:
        metric = load(MetricSpec(name=name, options=options))
        return [answer.score.value for answer in rescore(metric, [said])[0]]

    assert values("facts") == [1.0, 0.0]
    assert values("json", schema={"required": ["a"]}) == [0.0, 1.0]


def test_what_was_cut_off_is_never_preferred_and_scored_as_such() -> None:
    cut = [
        replace(answer, generation=Generation(f"cut {value}", 1, 1, 0.0, "length"))
        for answer, value in zip(answers(1, 0), (1, 0), strict=True)
    ]
    [made] = pair_best_and_worst([[*cut, *answers(0.2, 0.5)]])
    assert (made.chosen, made.rejected) == ("1", "cut 0")
    with pytest.raises(ArmFailure, match="2 were cut off"):
        pair_best_and_worst([cut])

    class Ending:
        """A metric that sees nothing but the end of the turn."""

        blind = True

        def __call__(self, example: Example, text: str, *, ended: bool = True) -> Score:
            return Score(value=float(ended), kind="correct")

    told: Any = Ending()
    [scores] = rescore(told, [[*answers(0), *cut]])
    assert [answer.score.value for answer in scores] == [1, 0, 0]
