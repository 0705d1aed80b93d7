"""Every registered method, and some chains, keep the contracts. A new method is covered by
standing in METHODS; if it needs settings, they go into SETTINGS."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from whatworks.analysis.method_outcomes import Losses
from whatworks.base.errors import ArmFailure, BudgetExceeded
from whatworks.base.store import Store
from whatworks.data.task import Document, Example, MetricSpec, Pair
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.registry import METHODS, Chain, build_chain
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.engine import Answers, Engine, Generation, Habits, ModelFiles, Prompts
from whatworks.models.metering import Budget
from whatworks.models.prices import Price
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.prompts.render import render

THEIRS = Path(tempfile.mkdtemp(prefix="whatworks-given-")) / "theirs.jsonl"
THEIRS.write_text(
    "".join(json.dumps({"id": f"dev{i}", "answer": f"answerdev{i}x"}) + "\n" for i in range(4))
)
SETTINGS: dict[str, dict[str, Any]] = {
    "given": {"predictions": str(THEIRS)},
    "prompt": {"variants": ["Say the town.", "Name the town that is asked for."]},
    "prompt-search": {"rounds": 2, "width": 3},
    "classifier": {"embedder": "lexical"},
    "few-shot": {"k": 3, "draws": 2},
    "knn": {"k": 3, "diversity": 0.3, "embedder": "lexical"},
    "tuned-retriever": {"k": 2, "embedder": "lexical", "epochs": 2},
    "rag": {"k": 2, "embedder": "lexical"},
    "constrained": {"to": {"regex": "[a-z]{1,6}"}},
    "corpus": {"size": 5},
    "distill": {"temperature": 1.0, "samples": 2},
    "refusal": {"samples": 2},
    "known": {"prompts": 2, "samples": 1},
    "sft": {"epochs": 2, "batch_size": 8},
    "sdft": {"epochs": 1, "batch_size": 8},
    "gkd": {"epochs": 1, "batch_size": 8, "instructions": "Answer."},
    "soft-prompt": {"epochs": 1, "batch_size": 8, "tokens": 4},
    "dpo": {"epochs": 1, "learning_rate": 1e-2},
    "rlhf": {"epochs": 1, "reward_epochs": 1},
}
# A reward must differ among the answers of a random model.
METRICS = {
    "rl": MetricSpec(name="instructions", options={"constraints": [{"kind": "lowercase"}]}),
}
LABELLED = ("classifier",)
"""Methods that want the same few targets again and again."""
DATA_STEPS = ("augment+sft", "corpus+sft", "refusal+dpo", "knn+distill+sft")
CHAINS = [
    *(method.name for method in METHODS),
    "rag+sft",
    "tuned-retriever+rag",
    "knn+sft",
    "rag+gkd",
    *DATA_STEPS,
]
CANARY = "zyxcanary"


def build(spec: str) -> Chain:
    return build_chain(spec, {name: SETTINGS.get(name, {}) for name in spec.split("+")})


def marks(spec: str) -> Any:
    trains = any(step.trains for step in build(spec).steps)
    return pytest.param(spec, marks=[pytest.mark.slow] if trains else [])


every_chain = pytest.mark.parametrize("spec", [marks(spec) for spec in CHAINS])


def row(i: int, split: str, **fields: Any) -> Example:
    """A row whose target can be told from all others."""
    return Example(
        id=f"{split}{i}",
        inputs={"text": f"Where does person {i * 37 % 101} of {split} street {i} live?"},
        target=f"answer{split}{i}x",
        evidence=(f"doc{i % 5}",),
        **fields,
    )


TRAIN = (
    *(row(i, "train") for i in range(18)),
    # Mates of one group, and near-duplicates, must never help one another.
    *(row(i, "train", group="mates") for i in range(18, 21)),
    *(
        Example(
            id=f"train{i}",
            inputs={"text": "Which town is the home of the old clock maker" + "?" * (i - 20)},
            target=f"answertrain{i}x",
        )
        for i in range(21, 24)
    ),
)
DEV = tuple(row(i, "dev") for i in range(6))
TEST = tuple(
    Example(id=f"{CANARY}{i}", inputs={"text": f"{CANARY} {i}?"}, target=f"{CANARY} is {i}")
    for i in range(3)
)
DOCUMENTS = tuple(
    Document(id=f"doc{i}", text=f"Person {i} of the valley lives in the town of Place{i}.")
    for i in range(5)
)
PAIRS = tuple(
    Pair(example=example, chosen=example.target, rejected="no idea") for example in TRAIN[:12]
)


@dataclass
class Spy:
    """An engine that remembers what it was asked."""

    engine: Engine
    asked: list[str] = field(default_factory=list)

    @property
    def identity(self) -> str:
        return self.engine.identity

    def generate(self, model: ModelFiles, prompts: Prompts, *args: Any, **more: Any) -> Any:
        self.asked += ["\n".join(m.content for m in prompt) for prompt in prompts]
        got: list[Generation] = self.engine.generate(model, prompts, *args, **more)
        return got

    @property
    def price(self) -> Price | None:
        return self.engine.price

    def logprobs(
        self, model: ModelFiles, prompts: Prompts, answers: Answers
    ) -> list[tuple[float, ...]]:
        self.asked += ["\n".join(m.content for m in prompt) for prompt in prompts]
        return self.engine.logprobs(model, prompts, answers)

    def count_tokens(self, model: ModelFiles, texts: Sequence[str]) -> list[int]:
        return self.engine.count_tokens(model, texts)

    def prompt_tokens(self, model: ModelFiles, prompts: Prompts) -> list[int]:
        return self.engine.prompt_tokens(model, prompts)

    def context_length(self, model: ModelFiles) -> int | None:
        return self.engine.context_length(model)

    def habits(self, model: ModelFiles) -> Habits:
        return self.engine.habits(model)

    def close(self) -> None:
        self.engine.close()


@pytest.fixture(scope="module")
def engine() -> Engine:
    from whatworks.models.local.engine import LocalEngine

    return LocalEngine()


def bench(spec: str, engine: Engine, folder: Path, *, budget: Budget | None = None) -> Bench:
    metric = METRICS.get(spec, MetricSpec(name="exact"))
    train = TRAIN
    if spec in LABELLED:
        train = tuple(e.replace(target=f"label{i % 3}x") for i, e in enumerate(TRAIN))
    return Bench(
        Examiner(Spy(engine), load(metric, TRAIN), Store(folder)),
        train=train,
        dev=DEV,
        documents=DOCUMENTS,
        preferences=PAIRS,
        seed=3,
        budget=budget or Budget(),
    )


@pytest.fixture(scope="module")
def start(tiny_model: Path) -> Candidate:
    return Candidate(
        prompt=Prompt(instructions="Answer the question."),
        weights=Weights(base=str(tiny_model), digest="tiny", template="chatml"),
        decoding=Decoding(max_tokens=5, temperature=0.7, top_p=0.9, seed=11),
    )


@dataclass
class Adapted:
    """One adaptation, shared by the tests that look at it."""

    start: Candidate
    before: str
    made: Candidate
    bench: Bench
    folder: Path


@pytest.fixture(scope="module")
def adapted(engine: Engine, start: Candidate, tmp_path_factory: pytest.TempPathFactory) -> Any:
    kept: dict[str, Adapted] = {}

    def get(spec: str) -> Adapted:
        if spec not in kept:
            folder = tmp_path_factory.mktemp("store")
            before = start.model_dump_json()
            mine = bench(spec, engine, folder)
            kept[spec] = Adapted(start, before, build(spec).adapt(start, mine), mine, folder)
        return kept[spec]

    return get


def leaves(value: Any, path: str = "") -> dict[str, str]:
    """Dotted paths of a candidate's fields, two levels deep."""
    out: dict[str, str] = {}
    for name, inner in value.items():
        if name == "lessons":
            out[name] = json.dumps(inner, sort_keys=True)
            continue
        for deeper, leaf in inner.items():
            out[f"{name}.{deeper}"] = json.dumps(leaf, sort_keys=True)
    return out


@every_chain
def test_input_is_not_mutated(spec: str, adapted: Any) -> None:
    got: Adapted = adapted(spec)
    assert got.start.model_dump_json() == got.before


@every_chain
def test_only_owned_fields_change(spec: str, adapted: Any) -> None:
    got: Adapted = adapted(spec)
    before, after = (leaves(c.model_dump(mode="json")) for c in (got.start, got.made))
    changed = {name for name in {**before, **after} if before.get(name) != after.get(name)}
    owned = build(spec).owns
    assert all(name in owned or name.split(".")[0] in owned for name in changed), changed
    if owned:
        assert changed, "a method that owns something should change something here"


@every_chain
def test_no_test_row_is_ever_seen(spec: str, adapted: Any) -> None:
    got: Adapted = adapted(spec)
    spy = got.bench.examiner.engine
    assert isinstance(spy, Spy)
    seen = [*spy.asked, got.made.model_dump_json()]
    for path in got.folder.rglob("*"):
        if path.is_file() and path.suffix in {".json", ".jsonl", ".txt"}:
            seen.append(path.read_text(encoding="utf-8", errors="replace"))
    assert not any(CANARY in text for text in seen)
    reachable = json.dumps([e.model_dump(mode="json") for e in (*got.bench.train, *got.bench.dev)])
    assert CANARY not in reachable
    # The spy can see: the study's own look at the test rows would be noticed.
    got.bench.examiner.ask(got.made, TEST)
    assert any(CANARY in text for text in spy.asked) == (got.made.answerer is None)


@every_chain
def test_a_row_never_helps_itself(spec: str, adapted: Any) -> None:
    got: Adapted = adapted(spec)
    for example in (*TRAIN, *DEV):
        shown = "\n".join(
            m.content for m in render(got.made.prompt, example, exclude=[example]).messages
        )
        assert example.target not in shown
        if example.group == "mates":
            assert not any(mate.target in shown for mate in TRAIN[18:21])
        if example in TRAIN[21:24]:
            assert not any(twin.target in shown for twin in TRAIN[21:24])


@every_chain
def test_budget_is_respected(spec: str, engine: Engine, start: Candidate, tmp_path: Path) -> None:
    mine = bench(spec, engine, tmp_path, budget=Budget(requests=3, seconds=0.0))
    try:
        build(spec).adapt(start, mine)
    except BudgetExceeded as error:
        assert "budget" in error.cause
        assert error.remedy
    except ArmFailure as error:  # pragma: no cover - tells what else went wrong
        pytest.fail(str(error))
    spy = mine.examiner.engine
    assert isinstance(spy, Spy)
    assert len(spy.asked) <= 3
    assert mine.ledger.training_seconds == 0.0


@every_chain
def test_same_seed_same_key_and_weights(
    spec: str, engine: Engine, start: Candidate, adapted: Any, tmp_path: Path
) -> None:
    got: Adapted = adapted(spec)
    again = build(spec).adapt(start, bench(spec, engine, tmp_path))
    assert again.key == got.made.key
    for stage in again.weights.stages:
        first, second = (
            {p.name: p.read_bytes() for p in folder.glob("*.safetensors")}
            for folder in (
                got.bench.examiner.store.artifact(stage.artifact),
                Store(tmp_path).artifact(stage.artifact),
            )
        )
        assert first and first == second


@every_chain
def test_saved_and_loaded_gives_the_same_outputs(
    spec: str, adapted: Any, engine: Engine, tmp_path: Path
) -> None:
    got: Adapted = adapted(spec)
    loaded = Candidate.model_validate_json(got.made.model_dump_json())
    assert loaded.key == got.made.key
    texts: list[list[str | None]] = []
    for candidate in (got.made, loaded):
        if candidate.answerer is not None:
            requests = [render(candidate.prompt, e, exclude=[e]) for e in DEV]
            texts.append([reply.text for reply in candidate.answerer.reply(requests)])
            continue
        model = got.bench.examiner.files(candidate.weights)
        prompts = [render(candidate.prompt, e, exclude=[e]).messages for e in DEV]
        keys = [e.id for e in DEV]
        answers = engine.generate(model, prompts, candidate.decoding, keys=keys)
        texts.append([answer.text for answer in answers])
    assert texts[0] == texts[1]


@pytest.mark.slow
def test_the_losses_of_a_reward_model_and_of_its_policy_are_both_kept(adapted: Any) -> None:
    told = adapted("rlhf").bench.outcomes
    losses = {one.name: one.values for one in told if isinstance(one, Losses)}
    assert losses[""] and losses["reward"] and losses[""] != losses["reward"]


def test_names_are_unique_and_every_method_is_documented() -> None:
    names = [method.name for method in METHODS]
    assert len(set(names)) == len(names)
    docs = Path(__file__).parents[2] / "docs" / "methods"
    assert [name for name in names if not (docs / f"{name}.md").is_file()] == []
