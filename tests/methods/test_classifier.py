"""classifier: the loss falls, dev chooses the penalty, and no model is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whatworks.analysis.method_outcomes import Losses
from whatworks.base.errors import ArmFailure, StackingError
from whatworks.base.store import Store
from whatworks.data.task import Example, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.classifier import fit_logistic
from whatworks.methods.registry import build_chain
from whatworks.metrics.registry import load
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.answerers import measure_log_chances
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.lessons import Lessons
from whatworks.prompts.prompt import Prompt

WORDS = {
    "late": ("parcel", "delivery", "waiting", "courier"),
    "broken": ("cracked", "torn", "snapped", "damaged"),
    "billing": ("invoice", "charged", "refund", "payment"),
}
START = Candidate(prompt=Prompt(instructions="Sort it."), weights=Weights(base="fake:"))


def ask(label: str, at: int, split: str) -> Example:
    words = WORDS[label]
    text = f"Message {at} of {split}: it is about the {words[at % 3]} and {words[(at + 1) % 4]}"
    return Example(id=f"{split}-{label}-{at}", inputs={"q": text}, target=label)


TRAIN = tuple(ask(label, at, "t") for label in WORDS for at in range(12))
DEV = tuple(ask(label, at, "d") for label in WORDS for at in range(4))


def make_bench(folder: Path, **more: Any) -> Bench:
    engine = FakeEngine(lambda m: pytest.fail("the model was asked"))
    metric = load(MetricSpec(name="category"), TRAIN)
    fields: dict[str, Any] = {"train": TRAIN, "dev": DEV, "seed": 1}
    return Bench(Examiner(engine, metric, Store(folder)), **{**fields, **more})


def adapt(bench: Bench, start: Candidate = START, **settings: Any) -> Candidate:
    chain = build_chain("classifier", {"classifier": {"embedder": "lexical", **settings}})
    return chain.adapt(start, bench)


def test_it_learns_the_labels_and_asks_no_model(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    made = adapt(bench)
    assert bench.dev_score(made) == 1.0
    (losses,) = [one.values for one in bench.outcomes if isinstance(one, Losses)]
    assert losses[-1] < losses[0] == pytest.approx(np.log(3))
    assert made.weights == START.weights and made.fitted and bench.ledger.requests == 0
    assert bench.notes["labels"] == 3 and bench.notes["penalty"] in (1.0, 10.0, 100.0)


def test_dev_chooses_the_penalty(tmp_path: Path) -> None:
    """With the strongest penalty the most frequent label is always said."""
    bench = make_bench(tmp_path, train=(*TRAIN[:12], *TRAIN[12:16], *TRAIN[24:28]))
    adapt(bench, penalties=(1e-9, 10.0))
    assert bench.notes["penalty"] == 10.0
    alone = make_bench(tmp_path / "b", train=bench.train)
    assert alone.dev_score(adapt(alone, penalties=(1e-9,))) == pytest.approx(1 / 3)


def test_chances_are_those_of_scikit_learn_for_two_labels_and_more() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 5)).astype(np.float32)
    for labels in (2, 3):
        wanted = np.arange(60) % labels
        weights, bias = fit_logistic(vectors, wanted, 1.0, balance=False)
        kind: Any = LogisticRegression
        theirs = kind(C=1.0, max_iter=2000).fit(vectors, wanted).predict_log_proba(vectors)
        assert np.allclose(measure_log_chances(vectors, weights, bias), theirs, atol=1e-4)


def test_it_learns_rows_that_a_data_step_made(tmp_path: Path) -> None:
    swapped = tuple(row.replace(target="late") for row in TRAIN[:18]) + TRAIN[18:]
    taught = START.replace(lessons=Lessons(rows=swapped))
    made = adapt(make_bench(tmp_path), taught)
    assert made.lessons is None and made.answerer != adapt(make_bench(tmp_path / "b")).answerer


def test_what_is_no_category_is_refused(tmp_path: Path) -> None:
    own = tuple(row.replace(target=row.id) for row in TRAIN)
    with pytest.raises(ArmFailure, match="36 different targets in 36 train rows"):
        adapt(make_bench(tmp_path, train=own))
    one = tuple(row.replace(target="late") for row in TRAIN)
    with pytest.raises(ArmFailure, match="one target in 36"):
        adapt(make_bench(tmp_path, train=one))


def test_a_prompt_before_it_would_change_nothing() -> None:
    with pytest.raises(StackingError, match="few-shot before classifier"):
        build_chain("few-shot+classifier").plan(Weights(base="lab"))
    build_chain("augment+classifier").plan(Weights(base="lab"))
