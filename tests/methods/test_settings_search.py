"""Settings tried by successive halving: the best wins, for little, within the budget."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from whatworks.base.errors import ArmFailure, BudgetExceeded, InputError
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.method import Method
from whatworks.methods.registry import Chain, build_chain
from whatworks.methods.settings_search import Search, SettingsTrial, plan_shares
from whatworks.metrics.registry import load
from whatworks.models.fake import FakeEngine
from whatworks.models.metering import Budget
from whatworks.models.weights import StageKind, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.studies.study_file import StudyFile, read_arms

ROWS = tuple(Example(id=f"r{i}", inputs={"q": f"row {i}"}, target=f"t{i}") for i in range(600))


class Lucky(Method):
    """Its candidate is right on a share of the rows: ``quality``."""

    name: ClassVar[str] = "lucky"
    quality: float = 0.5

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        bench.note("rows", len(bench.train))
        if self.quality < 0:
            raise ArmFailure("the loss diverged", remedy="lower it")
        return start.with_prompt(instructions=f"quality {self.quality}")


class Learner(Lucky):
    name: ClassVar[str] = "learner"

    @property
    def trains(self) -> StageKind:
        return "lora"


def answer(messages: Sequence[Message]) -> str:
    quality = float(messages[0].content.split()[1])
    number = int(re.findall(r"row (\d+)", messages[-1].content)[0])
    return f"t{number}" if (number * 7919) % 600 < 600 * quality else "?"


def search(*qualities: float, kind: type[Lucky] = Lucky) -> Search:
    return Search(
        trials=tuple(
            SettingsTrial(settings=f"quality {q}", chain=Chain(steps=(kind(quality=q),)))
            for q in qualities
        )
    )


def bench(folder: Path, budget: Budget | None = None) -> Bench:
    examiner = Examiner(FakeEngine(answer), load(MetricSpec(name="exact"), ()), Store(folder))
    return Bench(examiner, train=ROWS[:300], dev=ROWS[300:], budget=budget or Budget(), seed=1)


START = Candidate(prompt=Prompt(instructions="quality 0"), weights=Weights(base="fake"))


def test_rungs_end_with_everything() -> None:
    assert plan_shares(1) == plan_shares(2) == plan_shares(3) == [1.0]
    assert plan_shares(4) == plan_shares(9) == [pytest.approx(1 / 3), 1.0]
    assert plan_shares(16) == [pytest.approx(1 / 9), pytest.approx(1 / 3), 1.0]


def test_the_best_wins_and_most_are_tried_on_little(tmp_path: Path) -> None:
    mine = bench(tmp_path)
    made = search(0.1, 0.5, 0.3, 0.9, 0.2, 0.6, -1, 0.4, 0.8, 0.7).adapt(START, mine)
    assert made.prompt.instructions == "quality 0.9"
    assert mine.notes["chosen"] == "quality 0.9"
    lines: list[str] = mine.notes["tried"]
    assert len(lines) == 10
    assert lines[3].startswith("quality 0.9: 9") and lines[3].endswith("with all rows")
    assert lines[0].endswith("17% of the rows"), "never fewer rows than can be judged on"
    assert lines[6] == "quality -1: the loss diverged"
    assert mine.ledger.requests < 4 * len(mine.dev), "ten on everything would be ten"
    assert mine.notes["rows"] == 300, "nothing was trained: the whole of train"


def test_what_trains_is_tried_on_a_share_of_train(tmp_path: Path) -> None:
    seen: list[int] = []

    class Counted(Learner):
        def adapt(self, start: Candidate, bench: Bench) -> Candidate:
            seen.append(len(bench.train))
            return super().adapt(start, bench)

    search(0.1, 0.2, 0.3, 0.4, kind=Counted).adapt(START, bench(tmp_path))
    assert seen == [100] * 4 + [300] * 2


def test_again_nothing_is_asked_twice(tmp_path: Path) -> None:
    trials = search(0.1, 0.9, 0.5, 0.3)
    first = trials.adapt(START, bench(tmp_path))
    before = sorted(tmp_path.rglob("*.json"))
    assert trials.adapt(START, bench(tmp_path)) == first
    assert sorted(tmp_path.rglob("*.json")) == before


def test_a_budget_is_kept_by_trying_less(tmp_path: Path) -> None:
    mine = bench(tmp_path, Budget(requests=700))
    made = search(0.3, 0.6, 0.5, 0.9).adapt(START, mine)
    assert mine.ledger.requests <= 700
    assert made.prompt.instructions != "quality 0"
    small = bench(tmp_path / "small", Budget(requests=500))
    chosen = search(0.3, 0.6, 0.5, 0.9).adapt(START, small)
    assert chosen.prompt.instructions == "quality 0.6", "the best of those that were tried"
    assert [line for line in small.notes["tried"] if "did not reach" in line]
    with pytest.raises(BudgetExceeded):
        search(0.3, 0.6, 0.5, 0.9).adapt(START, bench(tmp_path / "none", Budget(requests=120)))


def test_when_every_trial_fails_the_arm_does(tmp_path: Path) -> None:
    with pytest.raises(ArmFailure, match="every tried setting failed: the loss diverged") as caught:
        search(-1, -2).adapt(START, bench(tmp_path))
    assert caught.value.remedy


def test_a_setting_that_is_wrong_costs_its_trial_alone(tmp_path: Path) -> None:
    mine = bench(tmp_path)
    tried = {"embedder": ["lexical", "minilmm"]}
    made = build_chain("knn", {"knn": {"k": 1, "search": tried}}).adapt(START, mine)
    assert made.prompt.demos is not None and made.prompt.demos.embedder == "lexical"
    assert "minilmm" in mine.notes["tried"][1] and "on dev" in mine.notes["tried"][0]
    with pytest.raises(ArmFailure, match=r"every tried setting failed.*minilmn"):
        tried = {"embedder": ["minilmn", "minilmm"]}
        build_chain("knn", {"knn": {"search": tried}}).adapt(START, bench(tmp_path / "none"))


def test_values_are_part_of_the_key() -> None:
    assert search(0.1, 0.2).key != search(0.1, 0.3).key == search(0.1, 0.3).key


def arm(entry: object) -> Chain:
    file = StudyFile.model_validate({"task": {"train": "x", "metric": "exact"}, "arms": [entry]})
    return read_arms(file)[0].chain


def test_search_in_a_study_file() -> None:
    found = arm({"sft": {"epochs": 2, "search": {"rank": [8, 32], "learning_rate": [0.1, 0.2]}}})
    (step,) = found.steps
    assert isinstance(step, Search)
    assert [trial.settings for trial in step.trials] == [
        f"rank {rank}, learning_rate {rate}" for rank in (8, 32) for rate in (0.1, 0.2)
    ]
    assert {trial.chain.steps[0].model_dump()["epochs"] for trial in step.trials} == {2}
    assert found.stochastic
    both = {"arm": "rag+sft", "trials": 5, "rag": {"search": "lexical"}}
    both["sft"] = {"search": {"rank": [1, 2, 3, 4], "epochs": [1, 2]}}
    rag, step = arm(both).steps
    assert rag.model_dump()["search"] == "lexical", "rag's own setting of that name"
    assert isinstance(step, Search) and len(step.trials) == 5
    whole = arm(
        {"arm": "knn+sft", "knn": {"search": {"k": [1, 2]}}, "sft": {"search": {"rank": [1]}}}
    )
    (step,) = whole.steps
    assert isinstance(step, Search)
    assert [t.settings for t in step.trials] == ["knn.k 1, sft.rank 1", "knn.k 2, sft.rank 1"]
    assert not build_chain("knn", {"knn": {"search": {"k": [1, 2]}}}).stochastic


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"rank": 8}, "nothing to try for 'rank'"),
        ({"rank": []}, "nothing to try for 'rank'"),
        ({"rnak": [1, 2]}, "unknown setting 'rnak'"),
        ({"rank": [8, 0]}, "setting 'rank' of sft"),
    ],
)
def test_wrong_values_are_refused_when_the_file_is_read(settings: object, cause: str) -> None:
    with pytest.raises(InputError, match=cause) as caught:
        arm({"sft": {"search": settings}})
    assert caught.value.remedy and caught.value.place == "arm 'sft'"
