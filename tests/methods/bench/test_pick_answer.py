"""Which of several samples counts, that everything sees it, and that all samples are paid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from whatworks.base.errors import BudgetExceeded, InputError
from whatworks.base.store import Store
from whatworks.data.task import Example, MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.bench.pick_answer import pick
from whatworks.methods.registry import build_chain
from whatworks.metrics.registry import NAMES, load
from whatworks.metrics.score import Metric
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Generation, ModelFiles
from whatworks.models.fake import FakeEngine
from whatworks.models.local.engine import LocalEngine
from whatworks.models.metering import Budget
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render

ROWS = [Example(id=x, inputs={"q": x}, target=x) for x in ("a", "b", "c")]
CATEGORY = load(MetricSpec(name="category"), ROWS)


def samples(*texts: str, logprobs: Sequence[float] = ()) -> list[Generation]:
    values = logprobs or [-1.0] * len(texts)
    return [Generation(t, 5, 2, 0.0, "stop", v) for t, v in zip(texts, values, strict=True)]


def chosen(texts: list[Generation], how: str, metric: Metric = CATEGORY, **more: Any) -> str:
    decoding = Decoding(samples=len(texts), pick=how, **more)  # type: ignore[arg-type]
    return texts[pick(texts, decoding, ROWS[0], metric)].text


def test_the_majority_of_meanings_counts() -> None:
    assert chosen(samples("a", "b", " b", "a", "b\n"), "majority") == "b"
    # No category is no vote, however often it is said.
    assert chosen(samples("no idea", "no idea", "no idea", "c"), "majority") == "c"
    assert chosen(samples("x", "y"), "majority") == "x"


def test_ties_go_to_the_likelier() -> None:
    assert chosen(samples("a", "b", logprobs=[-3, -1]), "majority") == "b"
    assert chosen(samples("a", "b", "b", logprobs=[-1, -9, -8]), "majority") == "b"


def test_the_likeliest_is_so_per_token() -> None:
    short, long = Generation("a", 5, 1, 0, "stop", -2.0), Generation("b", 5, 10, 0, "stop", -5.0)
    assert chosen([short, long], "likeliest") == "b"
    unknown = Generation("c", 5, 1, 0.0)
    assert chosen([unknown, short], "likeliest") == "a"


def test_a_reward_chooses_and_sees_no_target() -> None:
    schema = {"type": "object", "required": ["a"]}
    reward = MetricSpec(name="json", options={"schema": schema})
    texts = samples('{"b": 1}', "no", '{"a": 1}', '{"a": 2}', logprobs=[-1, -1, -5, -4])
    assert chosen(texts, "reward", reward=reward) == '{"a": 2}'


@pytest.mark.parametrize(
    "reward", ["facts", "exact", "json", "instructions", "judge", "chat", "style", "mr", "sql"]
)
def test_a_reward_that_needs_a_target_is_refused_when_the_arm_is_planned(reward: str) -> None:
    needed: dict[str, dict[str, Any]] = {
        "judge": {"model": "fake:"},
        "style": {"wanted": ["x"], "others": ["y"]},
        "instructions": {"from_target": True, "constraints": [{"kind": "words", "at_most": 3}]},
    }
    spec = {"name": reward, **needed.get(reward, {})}
    with pytest.raises(InputError, match=f"the metric {reward} compares with a target") as caught:
        build_chain("best-of-n", {"best-of-n": {"reward": spec}}).plan(Weights(base="fake:"))
    assert caught.value.remedy


def test_a_reward_sees_nothing_that_only_a_row_has() -> None:
    """A row's constraints are its metric's business: a server is not told of them."""
    row = ROWS[0].replace(meta={"constraints": [{"kind": "words", "at_most": 1}]})
    options = {"constraints": [{"kind": "words", "at_least": 2}]}
    reward = MetricSpec(name="instructions", options=options)
    build_chain("best-of-n", {"best-of-n": {"reward": {"name": "instructions", **options}}}).plan(
        Weights(base="fake:")
    )
    decoding = Decoding(samples=2, pick="reward", reward=reward)
    assert pick(samples("one", "two words"), decoding, row, CATEGORY) == 1


LABELS: dict[str, tuple[list[Example], list[str], list[str]]] = {
    "category": (ROWS, ["a", " a "], ["b", ""]),
    "json": ([], ['{"a": 1, "b": [2]}', '{"b":[2],"a":1}'], ['{"a": 2}', "{"]),
    "mr": ([], ["f(a[1, 2], b[3])", "f(b[3], a[2, 1])"], ["f(a[1])", "f(a[1"]),
    "sql": ([], ["select A from t", "SELECT a  FROM t;"], ["SELECT b FROM t", "SELECT"]),
    "numeric": ([], ["so 1,200", "1200.0"], ["1201", "none"]),
    "normalised": ([], ["The Sky!", "sky"], ["sea", ""]),
    "exact": ([], ["Sky", " Sky\n"], ["sky", ""]),
}


@pytest.mark.parametrize("name", LABELS)
def test_answers_that_mean_the_same_have_one_label(name: str) -> None:
    assert name in NAMES
    train, same, others = LABELS[name]
    metric = load(MetricSpec(name=name), train)
    labels = {metric.label(text) for text in same}
    assert len(labels) == 1 and "" not in labels
    assert metric.label(others[0]) not in labels and metric.label(others[1]) == ""


def test_evaluation_sees_it_and_every_sample_is_charged(tmp_path: Path) -> None:
    fake = FakeEngine(lambda messages: messages[-1].content)
    rows = tuple(ROWS)
    bench = Bench(Examiner(fake, CATEGORY, Store(tmp_path)), train=rows, dev=rows)
    start = Candidate(prompt=Prompt(), weights=Weights(base="fake:"))
    made = build_chain("self-consistency", {"self-consistency": {"n": 4}}).adapt(start, bench)
    answers = bench.answers(made, rows)
    assert [a.generation.text for a in answers] == ["a", "b", "c"]
    assert answers[0].generation.samples == 4 and answers[0].generation.prompt_tokens == 4
    ledger = bench.ledger
    assert (ledger.requests, ledger.prompt_tokens, ledger.completion_tokens) == (12, 12, 12)
    bench.budget = Budget(requests=20)
    with pytest.raises(BudgetExceeded):
        bench.answers(made.with_decoding(seed=9), rows)
    assert len(fake.seen) == 12


def test_samples_of_a_real_model_differ_and_the_majority_is_one_of_them(
    tiny_model: Path, tmp_path: Path
) -> None:
    engine = LocalEngine(dtype="float32", device="cpu", threads=1)
    weights = Weights(base=str(tiny_model), digest="tiny", template="chatml")
    decoding = Decoding(max_tokens=2, temperature=3.0, samples=6)
    candidate = Candidate(prompt=Prompt(), weights=weights, decoding=decoding)
    metric = load(MetricSpec(name="exact"))
    examiner = Examiner(engine, metric, Store(tmp_path))
    got = examiner.ask(candidate, ROWS)
    single = decoding.replace(samples=1)
    files = ModelFiles(str(tiny_model), template="chatml")
    for row, answer in zip(ROWS, got, strict=True):
        prompt = [render(candidate.prompt, row, exclude=[row]).messages]
        keys = [f"{row.id}#{i}" for i in range(6)]
        drawn = engine.generate(files, prompt * 6, single, keys=keys)
        assert len({g.text for g in drawn}) > 1
        wanted = drawn[pick(drawn, decoding, row, metric)]
        assert answer.generation.text == wanted.text
        assert answer.generation.completion_tokens == sum(g.completion_tokens for g in drawn)
