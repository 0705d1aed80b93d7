"""The choice on dev and train rows: of arms that were not trained on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from whatworks.app.run_study import run_study
from whatworks.data.task import Example, Message, MetricSpec, Splits, Task, hash_examples
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Answer
from whatworks.methods.method import Chain, Method
from whatworks.metrics.score import Score
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Stage, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.studies.arm_entries import Arm
from whatworks.studies.decisions import (
    ArmRun,
    ChoiceRows,
    ChoiceRule,
    choose_winner,
    make_decision,
    widen_choice,
)
from whatworks.studies.folds import make_folds
from whatworks.studies.study import Study


class Quiet:
    def start(self, name: str, total: int) -> None: ...
    def advance(self, name: str, n: int = 1, note: str = "") -> None: ...
    def done(self, name: str, note: str = "") -> None: ...
    def say(self, text: str) -> None: ...


def make(place: Path, more: str = "") -> Path:
    """Rows of which the model knows the train ones better than those of dev."""
    parts = {"train": range(40), "dev": range(40, 50), "test": range(50, 80)}
    for name, numbers in parts.items():
        rows = [{"id": f"r{i}", "input": f"Who owns shop {i * 7919}?", "target": f"owner {i}"}
                for i in numbers]  # fmt: skip
        (place / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answers = [
        {"last": f"shop {i * 7919}?", "answer": f"owner {i}", "chance": 0.9 if i < 40 else 0.3}
        for i in range(80)
    ]
    script = {"answers": answers, "default": "nobody"}
    (place / "script.json").write_text(json.dumps(script))
    path = place / "study.yaml"
    path.write_text(
        "task: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl, metric: exact}\n"
        "model: fake:script.json\nseeds: 1\narms: [zero-shot, {knn: {k: 1, embedder: lexical}}]\n"
        + more
    )
    return path


def decided(out: Path) -> dict[str, Any]:
    return {one["arm"]: one for one in json.loads((out / "decisions.json").read_text())["runs"]}


def test_train_rows_are_asked_for_the_choice(tmp_path: Path) -> None:
    path = make(tmp_path)
    run_study(path, out=tmp_path / "plain", watcher=Quiet())
    plain = decided(tmp_path / "plain")
    assert {one["choice_score"] for one in plain.values()} == {None}
    path.write_text(path.read_text() + "choose_on: dev+train\n")
    summary, _ = run_study(path, out=tmp_path / "wide", watcher=Quiet())
    wide = decided(tmp_path / "wide")
    for arm, one in wide.items():
        assert one["dev_score"] == plain[arm]["dev_score"], "dev stays what it is"
        assert one["choice_score"] > one["dev_score"] + 0.2, "train rows are known better"
    best = max(wide, key=lambda arm: wide[arm]["choice_score"])
    assert summary.study.winner in wide and summary.study.choose_on == "dev and train"
    line = next(line for line in summary.study.decisions if "dev and train rows" in line)
    assert all(arm in line for arm in wide)
    again, _ = run_study(path, out=tmp_path / "wide", watcher=Quiet())
    assert decided(tmp_path / "wide") == wide and again.study.openings == 1
    assert wide[best]["choice_score"] - wide[summary.study.winner]["choice_score"] < 0.02
    rows = {row.example for row in summary_rows(tmp_path / "wide")}
    assert not any(row in rows for row in ("r0", "r45")), "results are of test alone"


class Learns(Method):
    """Learns its train rows by heart, as weights would."""

    name: ClassVar[str] = "learns"

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        stage = Stage(kind="lora", method="learns", artifact=hash_examples(bench.train))
        known = " ".join(row.text for row in bench.train)
        return start.with_prompt(instructions=known).with_weights(
            start.weights.replace(stages=(stage,))
        )


def test_folds_never_ask_what_was_learnt(tmp_path: Path) -> None:
    def rows(part: str, count: int) -> tuple[Example, ...]:
        return tuple(
            Example(id=f"{part}{i}", inputs={"q": f"{part} {i * 7919}?"}, target="yes", group=group)
            for i in range(count)
            if (group := f"{part} {i // 2}")
        )

    def answer(messages: Sequence[Message]) -> str:
        return "yes" if messages[-1].content in messages[0].content else "no"

    task = Task(
        name="t",
        splits=Splits(train=rows("train", 40), dev=rows("dev", 8), test=rows("test", 8)),
        metric=MetricSpec(name="exact"),
    )
    ways: list[tuple[ChoiceRows, float | None]] = [("dev+train", None), ("dev+folds", 0.0)]
    for how, train_score in ways:
        study = Study(
            task,
            [Arm(name="learns", chain=Chain(steps=(Learns(),)))],
            FakeEngine(answer),
            Weights(base="fake", digest="fake"),
            tmp_path / how,
            decoding=Decoding(),
            rule=ChoiceRule(rows=how),
        )
        (run,) = study.run(Quiet())
        assert [a.example.id for a in run.dev] == [f"dev{i}" for i in range(8)]
        if train_score is None:
            assert not run.further
        else:
            assert {a.example.id for a in run.further} == {f"train{i}" for i in range(40)}
            assert sum(a.score.counted for a in run.further) == train_score


def test_folds_share_no_group_and_are_of_about_a_size() -> None:
    rows = [
        Example(id=f"r{i}", inputs={"q": f"{i}"}, target="", group=f"g{i // 3}") for i in range(50)
    ]
    folds = make_folds(rows)
    assert sorted(row.id for fold in folds for row in fold) == sorted(row.id for row in rows)
    groups = [{row.group for row in fold} for fold in folds]
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert max(map(len, folds)) - min(map(len, folds)) <= 3
    assert make_folds(rows) == folds and len(make_folds(rows[:3])) == 1


def summary_rows(out: Path) -> list[Any]:
    from whatworks.studies.study_folder import StudyFolder

    return StudyFolder(out).read_finished().rows()


def answered(right: dict[str, bool]) -> list[Answer]:
    return [
        Answer(
            Example(id=row, inputs={"q": row}, target="x"),
            Generation("x", 1, 1, 0.0),
            Score(float(value), "correct" if value else "wrong"),
        )
        for row, value in right.items()
    ]


@pytest.mark.parametrize("known", [True, False])
def test_an_arm_that_was_trained_keeps_dev_and_its_luck_is_taken_off(known: bool) -> None:
    base = Candidate(prompt=Prompt(), weights=Weights(base="m"), decoding=Decoding())
    tuned = base.replace(
        weights=Weights(base="m", stages=(Stage(kind="lora", method="sft", artifact="a"),))
    )
    dev = {f"d{i}": i < 6 for i in range(10)}
    runs = [ArmRun("plain", 0, base), ArmRun("sft", 0, tuned)]
    for run in runs:
        run.take(answered(dev))
    runs[0].further = answered({f"t{i}": known or i % 3 == 0 for i in range(30)})
    wide = widen_choice(runs)
    moved = wide["sft"] - 0.6
    assert wide["plain"] == pytest.approx((6 + (30 if known else 10)) / 40)
    assert (moved > 0.2) if known else (moved < -0.1), "it follows the other arm on dev"
    decisions = [make_decision(run, "", wide) for run in runs]
    assert choose_winner(decisions, ChoiceRule()) in ("plain", "sft")
    assert widen_choice([runs[1]]) == {}
    older = [decisions[0], make_decision(runs[1])]
    assert choose_winner(older, ChoiceRule()) == choose_winner(
        [make_decision(run) for run in runs], ChoiceRule()
    ), "where one was decided on dev alone, all are"
