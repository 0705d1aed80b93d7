"""A plan says what then happens: requests exactly, tokens nearly, time within a factor of two."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from whatworks.app.report.progress import RichWatcher
from whatworks.app.run_study import report_study, run_study
from whatworks.base.progress import Silent
from whatworks.data.task import Example, MetricSpec, Splits, Task
from whatworks.methods.bench import rehearsal
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Chain, Method
from whatworks.methods.registry import build_chain
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.studies.arm_entries import Arm
from whatworks.studies.open_study import open_study
from whatworks.studies.plan import StudyPlan, compare_plan, make_plan, read_plan
from whatworks.studies.study import Study
from whatworks.studies.study_folder import StudyFolder


def rows(part: str, count: int) -> tuple[Example, ...]:
    return tuple(
        Example(id=f"{part}{i}", inputs={"text": f"{part} number {i * 7919}"}, target=f"{i} {i}")
        for i in range(count)
    )


TASK = Task(
    name="t",
    splits=Splits(train=rows("train", 90), dev=rows("dev", 70), test=rows("test", 100)),
    metric=MetricSpec(name="exact"),
)


def study(tmp_path: Path, engine: FakeEngine, arms: list[Arm], seeds: int = 2) -> Study:
    weights = Weights(base="fake", digest="fake")
    return Study(TASK, arms, engine, weights, tmp_path / "run", decoding=Decoding(), seeds=seeds)


class Rereads(Method):
    """A method that nobody planned for: it asks dev twice and some of train."""

    name: ClassVar[str] = "rereads"
    stochastic: ClassVar[bool] = True

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        for text in ("Answer.", "Answer now."):
            bench.answers(start.with_prompt(instructions=text), bench.dev)
        bench.answers(start, bench.train[:40])
        return start


ARMS = [
    Arm(name="zero-shot", chain=build_chain("zero-shot")),
    Arm(name="few-shot", chain=build_chain("few-shot", {"few-shot": {"draws": 2, "k": 3}})),
    Arm(
        name="prompt", chain=build_chain("prompt", {"prompt": {"variants": ["Do.", "Go.", "Say."]}})
    ),
    Arm(name="knn", chain=build_chain("knn", {"knn": {"embedder": "lexical"}})),
    Arm(name="new", chain=Chain(steps=(Rereads(),))),
    Arm(name="rag", chain=build_chain("rag")),
]
FRESH = {"zero-shot": 170, "few-shot": 2 * (140 + 100), "prompt": 210 + 100, "knn": 170}
"""Requests that each arm makes: what is asked before is not asked again."""


def test_every_method_is_planned_as_it_then_runs(tmp_path: Path) -> None:
    engine = FakeEngine(lambda messages: "1 1")
    planned = study(tmp_path, engine, ARMS)
    with RichWatcher() as bars:
        plan = make_plan(planned, bars)
        probes = len(engine.seen)
        shown = ["\n".join(m.content for m in messages) for messages in engine.seen]
        assert not any("test number" in text for text in shown)
        assert not (tmp_path / "run" / "results.jsonl").exists()
        arms = {arm.name: arm for arm in plan.arms}
        runs = planned.run(bars)
    assert {name: arms[name].requests for name in FRESH} == FRESH
    assert arms["new"].requests == 2 * (140 + 40 + 70 + 100)
    assert "no documents" in arms["rag"].failure
    assert probes < 0.6 * sum(arm.requests for arm in plan.arms)

    spent = {run.arm: run for run in runs}
    read = {arm: sum(r.prompt_tokens + r.completion_tokens for r in planned.folder.results.rows()
                     if r.arm == arm) for arm in FRESH}  # fmt: skip
    assert arms["zero-shot"].tokens == pytest.approx(read["zero-shot"] * 1.7, rel=0.1)
    assert spent["new"].ledger.requests == 180

    assert read_plan(StudyFolder(tmp_path / "run")) == plan


@pytest.mark.slow
def test_time_is_foreseen_within_a_factor_of_two(tmp_path: Path) -> None:
    engine = FakeEngine(lambda messages: "1 1", latency=0.02)
    planned = study(tmp_path, engine, [ARMS[0], ARMS[2]])
    with RichWatcher() as bars:
        plan = make_plan(planned, bars)
        planned.run(bars)
    times = StudyFolder(tmp_path / "run").times(since=plan.at)
    assert times["zero-shot"] > 170 * 0.02
    for arm in plan.arms:
        assert 0.5 < arm.seconds / times[arm.name] < 2
    assert compare_plan(plan, times, [arm.name for arm in plan.arms]).startswith("plan: ")


def test_what_comes_after_the_arms_is_foreseen(tmp_path: Path) -> None:
    engine = FakeEngine(lambda messages: "1 1", latency=0.002)
    planned = study(tmp_path, engine, [ARMS[0], ARMS[2]])
    before = make_plan(planned, Silent(), ["Say something."])
    plan = make_plan(planned, Silent(), ["Say something."], diagnose=True)
    assert before.after.seconds == plan.after.forgetting == 0.0  # nothing trains
    answers = 2 * (70 + 100)
    pace = sum(arm.seconds for arm in plan.arms) / answers  # as measured: the machine may be busy
    assert plan.after.diagnosis == pytest.approx(answers // 5 * pace, rel=0.5)
    assert plan.seconds == sum(arm.seconds for arm in plan.arms) + plan.after.diagnosis


def test_shared_steps_count_once(tmp_path: Path) -> None:
    slow = {"prompt": {"variants": ["Do.", "Go."]}}
    arms = [
        Arm(name="one", chain=build_chain("prompt", slow)),
        Arm(name="two", chain=build_chain("prompt+zero-shot", slow)),
    ]
    with RichWatcher() as bars:
        plan = make_plan(study(tmp_path, FakeEngine(lambda messages: "1"), arms), bars)
    assert [arm.requests for arm in plan.arms] == [140 + 100, 70 + 100]


def test_a_limit_that_would_be_passed_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        "".join(
            json.dumps({"input": f"say {i * 7919}", "target": f"{i}"}) + "\n" for i in range(60)
        )
    )
    path = tmp_path / "study.yaml"
    path.write_text(
        "task: {train: rows.jsonl, metric: exact}\nmodel: 'fake:'\nseeds: 1\n"
        "arms: [zero-shot, {few-shot: {draws: 4}}]\nbudget: {requests: 20}\n"
    )
    opened = open_study(path, out=tmp_path / "run")
    with RichWatcher() as bars:
        plan = make_plan(opened.study(), bars)
    assert [bool(arm.failure) for arm in plan.arms] == [False, True]
    assert "budget of 20 requests" in plan.arms[1].failure

    summary, page = run_study(path, only=["zero-shot"], out=tmp_path / "run")
    assert summary.study.plan.startswith("plan: ") and "zero-shot" in summary.study.plan
    assert summary.study.plan in page.read_text(encoding="utf-8")
    (tmp_path / "run" / "plan.json").unlink()
    assert report_study(tmp_path / "run")[0].study.plan == ""


@pytest.mark.slow
def test_training_is_planned_from_a_few_steps(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        "".join(
            json.dumps({"input": f"say {i * 7919} " * (1 + i % 5), "target": f"{i}"}) + "\n"
            for i in range(300)
        )
    )
    path = tmp_path / "study.yaml"
    path.write_text(
        "task: {train: rows.jsonl, metric: exact, split: {dev: 10, test: 10}}\n"
        f"model: {tiny_model}\nseeds: 1\narms: [{{sft: {{epochs: 4}}}}]\n"
    )
    opened = open_study(path, out=tmp_path / "run")
    with RichWatcher() as bars:
        (arm,) = make_plan(opened.study(), bars).arms
    opened.close()
    run_study(path, out=tmp_path / "run")
    plan: StudyPlan | None = read_plan(StudyFolder(tmp_path / "run"))
    assert plan is not None and arm == plan.arms[0]
    (trained,) = (tmp_path / "run" / "store" / "trained").rglob("*.json")
    record: dict[str, Any] = json.loads(trained.read_text())
    assert arm.training_tokens == pytest.approx(record["tokens"], rel=0.25)
    assert arm.requests == 50
    assert arm.memory > 100e6
    took = StudyFolder(tmp_path / "run").times(since=plan.at)["sft"]
    assert 0.4 < arm.seconds / took < 2.5  # the machine may be busier at one time than the other


class SlowBatches(FakeEngine):
    """Reads what prompts share once a call, and takes time for each row and each 32 of them."""

    SHARED, EACH = 0.15, 0.06
    calls: list[int]

    def generate(self, model: Any, prompts: Any, decoding: Any, **more: Any) -> list[Any]:
        time.sleep(self.SHARED * -(-len(prompts) // 32) + self.EACH * len(prompts))
        self.calls.append(len(prompts))
        return super().generate(model, prompts, decoding, **more)


class AtOnce(FakeEngine):
    """Answers eight rows at a time, slowly, as an endpoint does."""

    calls: list[int]

    def generate(self, model: Any, prompts: Any, decoding: Any, **more: Any) -> list[Any]:
        time.sleep(0.1 * -(-len(prompts) // 8))
        self.calls.append(len(prompts))
        return super().generate(model, prompts, decoding, **more)


@pytest.mark.parametrize(("kind", "most"), [(SlowBatches, 5), (AtOnce, 32)])
def test_few_rows_of_a_slow_model_tell_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[FakeEngine], most: int
) -> None:
    monkeypatch.setattr(rehearsal, "SLOW", 0.08)
    engine: Any = kind(lambda messages: "1 1")
    engine.calls = []
    arms = [Arm(name="zero-shot", chain=build_chain("zero-shot"))]
    planned = study(tmp_path, engine, arms)
    with RichWatcher() as bars:
        plan = make_plan(planned, bars)
        assert sum(engine.calls[1:]) <= most, "after loading the model"
        engine.calls.clear()
        began = time.monotonic()
        planned.run(bars)
    took = time.monotonic() - began
    assert took / 1.5 < plan.seconds < took * 1.5
    if kind is SlowBatches:
        assert plan.rehearsal < took / 10
