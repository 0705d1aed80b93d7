"""few-shot and knn: searched sets, a token budget, balance over targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import ArmFailure
from whatworks.base.store import Store
from whatworks.data.task import Example, Message, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.registry import build_chain
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Demos, Prompt
from whatworks.prompts.render import render

TRAIN = tuple(
    Example(
        id=f"t{i}",
        inputs={"text": f"Sentence {i * 7919 % 997} about the {'river' if i % 8 else 'key'}"},
        target=f"label{i % 4}",
    )
    for i in range(32)
)
DEV = tuple(
    Example(id=f"d{i}", inputs={"text": f"Question {i * 31 % 57}, {i}?"}, target="yes")
    for i in range(16)
)
START = Candidate(prompt=Prompt(), weights=Weights(base="fake:"), decoding=Decoding(max_tokens=5))


def keys_help(messages: Sequence[Message]) -> str:
    """Right on more rows the more demonstrations about a key it sees, most when one stands last."""
    shown = [m.content for m in messages[:-1] if m.role == "user"]
    level = sum("key" in text for text in shown) + 2 * bool(shown and "key" in shown[-1])
    return "yes" if int(messages[-1].content.split()[1].strip(",")) % 6 < level else "no"


def adapt(folder: Path, method: str, **settings: Any) -> tuple[Candidate, Bench]:
    metric = load(MetricSpec(name="exact"), TRAIN)
    bench = Bench(Examiner(FakeEngine(keys_help), metric, Store(folder)), train=TRAIN, dev=DEV)
    return build_chain(method, {method: settings}).adapt(START, bench), bench


def test_a_search_finds_better_demonstrations_and_their_order(tmp_path: Path) -> None:
    drawn, bench = adapt(tmp_path / "a", "few-shot", k=2)
    found, searched = adapt(tmp_path / "b", "few-shot", k=2, choose="searched")
    assert searched.dev_score(found) > bench.dev_score(drawn)
    scores = searched.notes["searched"]
    assert scores == sorted(scores) and len(scores) == 3
    assert found.prompt.demos is not None and "key" in found.prompt.demos.pool[1].text
    assert found.key == adapt(tmp_path / "c", "few-shot", k=2, choose="searched")[0].key


def test_k_is_chosen_within_a_token_budget(tmp_path: Path) -> None:
    """A demonstration takes six words here: five of the input, one of the answer."""
    made, bench = adapt(tmp_path, "few-shot", k=10, tokens=20)
    assert made.prompt.demos is not None and made.prompt.demos.k == 3
    assert "3 demonstrations instead of 10" in bench.notes["tokens"]
    with pytest.raises(ArmFailure, match="more than the 5 allowed") as caught:
        adapt(tmp_path, "few-shot", tokens=5)
    assert caught.value.remedy


def test_neighbours_are_balanced_over_targets() -> None:
    pool = tuple(
        Example(id=f"p{i}", inputs={"text": f"the lost card {word}"}, target=target)
        for i, (word, target) in enumerate(
            [("a", "x"), ("a b", "x"), ("a b c", "x"), ("far off matters", "y"), ("z q w", "z")]
        )
    )
    query = Example(id="q", inputs={"text": "the lost card a b c d"})
    plain = Demos(pool=pool, k=3, select="nearest", embedder="lexical")
    shown = render(Prompt(demos=plain), query, exclude=()).demonstrations
    assert [e.target for e in shown] == ["x", "x", "x"]
    balanced = render(Prompt(demos=plain.replace(balance=True)), query, exclude=()).demonstrations
    assert sorted(e.target for e in balanced) == ["x", "y", "z"]
    assert balanced[-1].id == shown[-1].id  # the nearest of all is still the last
