"""What methods say that they ask for is what they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from whatworks.base.store import Store
from whatworks.data.task import Example, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.demand import Demand, Sizes
from whatworks.methods.method import Method
from whatworks.methods.registry import build_chain
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

TRAIN = tuple(
    Example(id=f"t{i}", inputs={"text": f"Sentence {i} of train"}, target=f"label{i % 4}")
    for i in range(32)
)
DEV = tuple(
    Example(id=f"d{i}", inputs={"text": f"Question {i} of dev"}, target="yes") for i in range(12)
)
SIZES = Sizes(train=32, dev=12)


def build_step(method: str, **settings: Any) -> Method:
    [step] = build_chain(method, {method: settings}).steps
    return step


def adapt(folder: Path, step: Method) -> tuple[Candidate, int]:
    """What the method makes, and how many requests that took."""
    engine = FakeEngine(lambda messages: "yes" if len(messages[-1].content) % 2 else "no")
    bench = Bench(
        Examiner(engine, load(MetricSpec(name="exact"), TRAIN), Store(folder)), train=TRAIN, dev=DEV
    )
    start = Candidate(
        prompt=Prompt(), weights=Weights(base="fake:"), decoding=Decoding(max_tokens=5)
    )
    return step.adapt(start, bench), len(engine.seen)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("zero-shot", {}),
        ("prompt", {"variants": ["Do."]}),
        ("prompt", {"variants": ["Do.", "Go.", "Say."]}),
        ("few-shot", {"k": 3}),
        ("few-shot", {"k": 2, "draws": 4}),
        ("knn", {"k": 5, "embedder": "lexical"}),
    ],
)
def test_what_is_asked_is_what_was_declared(
    method: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    step = build_step(method, **settings)
    candidate, requests = adapt(tmp_path, step)
    demand = step.demand(SIZES)
    shown = candidate.prompt.demos.k if candidate.prompt.demos else 0
    assert (demand.requests, demand.examples) == (requests, shown)
    assert (demand.passages, demand.learned) == (0, 0.0)


def test_a_search_asks_no_more_than_it_declares(tmp_path: Path) -> None:
    step = build_step("few-shot", k=2, choose="searched")
    _, requests = adapt(tmp_path, step)
    assert 0 < requests <= step.demand(SIZES).requests


def test_trainers_learn_more_with_more_of_everything() -> None:
    """Rows, epochs, drawn answers; pairs in place of rows where the study has some."""
    sft = build_step("sft", epochs=2).demand(SIZES)
    assert (sft.learned, sft.requests) == (2 * 32, 2 * 12)
    assert build_step("dpo", epochs=2).demand(Sizes(32, 12, pairs=10)).learned == 3.0 * 2 * 10
    few, many = (build_step("rl", samples=n).demand(SIZES).learned for n in (2, 8))
    assert many == 4 * few > 4 * build_step("sft").demand(SIZES).learned
    assert build_step("rlhf").demand(SIZES).learned > build_step("rl").demand(SIZES).learned


def test_every_trainer_that_learns_says_so_and_a_new_method_need_not() -> None:
    for name in ("sft", "soft-prompt", "dpo", "rl", "rlhf"):
        assert build_step(name).demand(SIZES).learned > 0, name

    class Own(Method):
        name: ClassVar[str] = "own"

    assert Own().demand(SIZES) == Demand()
