"""What a rehearsal foresees is what a method then asks for, and learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from whatworks.base.store import Store
from whatworks.data.task import Example, MetricSpec, Pair
from whatworks.methods.bench.bench import Bench, Fitting
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.bench.rehearsal import Rehearsal, TrainingPace
from whatworks.methods.method import Method
from whatworks.methods.registry import build_chain
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Stage, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

TRAIN = tuple(
    Example(id=f"t{i}", inputs={"text": f"Sentence {i} of train"}, target=f"label{i % 4}")
    for i in range(32)
)
DEV = tuple(
    Example(id=f"d{i}", inputs={"text": f"Question {i} of dev"}, target="yes") for i in range(12)
)


def build_step(method: str, **settings: Any) -> Method:
    [step] = build_chain(method, {method: settings}).steps
    return step


def make_examiner(folder: Path) -> tuple[FakeEngine, Examiner]:
    engine = FakeEngine(lambda messages: "yes" if len(messages[-1].content) % 2 else "no")
    return engine, Examiner(engine, load(MetricSpec(name="exact"), TRAIN), Store(folder))


START = Candidate(prompt=Prompt(), weights=Weights(base="fake:"), decoding=Decoding(max_tokens=5))


def adapt(folder: Path, step: Method) -> tuple[Candidate, int]:
    """What the method makes, and how many requests that took."""
    engine, examiner = make_examiner(folder)
    return step.adapt(START, Bench(examiner, train=TRAIN, dev=DEV)), len(engine.seen)


def rehearse(folder: Path, step: Method) -> tuple[Candidate, Rehearsal]:
    """The same, rehearsed."""
    _, examiner = make_examiner(folder)
    bench = Rehearsal(examiner, train=TRAIN, dev=DEV)
    return step.adapt(START, bench), bench


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
def test_what_is_asked_is_what_was_foreseen(
    method: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    step = build_step(method, **settings)
    candidate, requests = adapt(tmp_path / "run", step)
    foreseen, bench = rehearse(tmp_path / "rehearsal", step)
    shown = candidate.prompt.demos.k if candidate.prompt.demos else 0
    assert foreseen.prompt.demos is None or foreseen.prompt.demos.k == shown
    assert (bench.ledger.requests, bench.ledger.training_tokens) == (requests, 0)


def test_a_search_asks_about_what_was_foreseen(tmp_path: Path) -> None:
    step = build_step("few-shot", k=2, choose="searched")
    _, requests = adapt(tmp_path / "run", step)
    _, bench = rehearse(tmp_path / "rehearsal", step)
    assert 0 < requests <= bench.ledger.requests


class Timed(Rehearsal):
    """A training takes a second a step, and reads ten tokens a row; nothing is trained."""

    def _measure(self, asked: Fitting, batches: int) -> TrainingPace:
        stage = Stage(kind="lora", method="sft", artifact="rehearsed")
        return TrainingPace(3.0, 1.0, 1.0, 1.0, 0.5, 10.0, asked.start.weights.then(stage))


def train(folder: Path, method: str, pairs: int = 0, **settings: Any) -> Timed:
    _, examiner = make_examiner(folder)
    given = tuple(
        Pair(example=row, chosen=row.target, rejected=f"not {row.target}") for row in TRAIN[:pairs]
    )
    bench = Timed(examiner, train=TRAIN, dev=DEV, preferences=given)
    build_step(method, **settings).adapt(START, bench)
    return bench


def test_trainers_learn_more_with_more_of_everything(tmp_path: Path) -> None:
    """Rows, epochs, drawn answers; pairs in place of rows where the study has some."""
    sft = train(tmp_path / "sft", "sft", epochs=2, batch_size=16)
    assert (sft.ledger.training_tokens, sft.ledger.requests) == (10 * 2 * 32, 2 * 12)
    assert sft.foreseen == pytest.approx(3.0 + 2 * 2 * 1.0 + 2 * 0.5, abs=0.1)  # of 16 rows
    small = train(tmp_path / "small", "sft", epochs=2)  # by their number: steps of 4 rows
    assert small.foreseen == pytest.approx(3.0 + 2 * 8 * 1.0 + 2 * 0.5, abs=0.1)
    dpo = train(tmp_path / "dpo", "dpo", pairs=10, epochs=2)
    assert dpo.ledger.training_tokens == 10 * 2 * 10
    few, many = (train(tmp_path / f"rl{n}", "rl", samples=n, batch_size=8) for n in (2, 8))
    seconds = [bench.ledger.training_seconds for bench in (few, many, sft)]
    assert seconds[1] > 2 * seconds[0] > seconds[2]


def test_a_training_measured_once_serves_rows_of_like_lengths(tmp_path: Path) -> None:
    """Whatever prompt rendered them; longer rows are measured anew."""
    _, examiner = make_examiner(tmp_path)
    paces: dict[Any, TrainingPace] = {}
    for words in (1, 1, 80):
        start = START.with_prompt(instructions="Answer. " * words + str(len(paces)))
        build_step("sft").adapt(start, Timed(examiner, train=TRAIN, dev=DEV, paces=paces))
    assert len(paces) == 2


def test_every_trainer_that_learns_says_so_and_a_new_method_need_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # No reward model was trained whose margins could be measured.
    monkeypatch.setattr("whatworks.methods.rlhf.measure_margins", lambda *_: [1.0])
    for name in ("sft", "soft-prompt", "dpo", "rl", "rlhf"):
        assert train(tmp_path / name, name, pairs=10).ledger.training_tokens > 0, name

    class Own(Method):
        name: ClassVar[str] = "own"

        def adapt(self, start: Candidate, bench: Bench) -> Candidate:
            return start

    _, bench = rehearse(tmp_path / "own", Own())
    assert (bench.ledger.requests, bench.ledger.training_tokens, bench.foreseen) == (0, 0, 0.0)
