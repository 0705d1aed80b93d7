"""Forgetting: weights compared with the untouched model's, on prompts beside the task."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import pytest

from whatworks.analysis.forgetting import Forgetting, average_seeds, compare
from whatworks.base.errors import InputError
from whatworks.base.store import Store
from whatworks.data.task import Example, MetricSpec
from whatworks.methods.bench.examiner import Examiner
from whatworks.metrics.registry import load
from whatworks.models.local.engine import LocalEngine
from whatworks.models.metering import Ledger
from whatworks.models.weights import Stage, Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt
from whatworks.studies import retention as retention_set
from whatworks.studies.retention import Retention, TaskDraws, read_prompts

PROMPTS = [f"Tell me about number {i}, please." for i in range(12)]


def test_figures_by_hand() -> None:
    found = compare([1, 0, 1, 1], [-3.0, -0.5], [(-1.5, -2.0), (-1.5,)])
    assert found == Forgetting(agreement=0.75, kl=0.5, prompts=4)
    assert average_seeds([found, Forgetting(0.25, 1.5, 4)]) == Forgetting(0.5, 1.0, 4)
    seeds = [Forgetting(1.0, 0.0, 4, 0.25), Forgetting(1.0, 0.0, 4, 0.75), found]
    assert average_seeds(seeds).task == 0.5


def test_prompts_are_given_shipped_or_none(tmp_path: Path) -> None:
    shipped = read_prompts(None, tmp_path)
    assert len(shipped) == len(set(shipped)) >= 30
    assert all(prompt == prompt.strip() != "" for prompt in shipped)
    assert read_prompts("none", tmp_path) == ()
    (tmp_path / "own.txt").write_text("One?\n\n Two?\n")
    assert read_prompts("own.txt", tmp_path) == ("One?", "Two?")
    (tmp_path / "own.jsonl").write_text(json.dumps({"input": "Three?", "target": "3"}))
    assert read_prompts("own.jsonl", tmp_path) == ("Three?",)
    (tmp_path / "empty.txt").write_text("\n")
    for name in ("empty.txt", "absent.txt"):
        with pytest.raises(InputError, match="retention prompt") as caught:
            read_prompts(name, tmp_path)
        assert caught.value.remedy


def tuned(base: Path, store: Store, name: str, scale: float) -> Stage:
    """An adapter as training would leave it, that far from the base."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=4, target_modules="all-linear", task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for key, tensor in model.named_parameters():
        if "lora_B" in key:
            torch.nn.init.normal_(tensor, std=scale)
    model.save_pretrained(store.artifact(name))
    return Stage(kind="lora", method="sft", artifact=name)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_more_change_forgets_more_and_is_charged(tiny_model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    untouched = Weights(base=str(tiny_model), digest="tiny", template="chatml")

    def measured(prompts: Sequence[str], scale: float) -> tuple[Forgetting, Ledger]:
        ledger = Ledger()
        weights = untouched.then(tuned(tiny_model, store, f"by {scale}", scale))
        engine = LocalEngine(dtype="float32", device="cpu", threads=1)
        return Retention(prompts, untouched, engine, store).measure(weights, ledger), ledger

    same, ledger = measured(PROMPTS, 0.0)
    assert (same.agreement, same.prompts) == (1.0, len(PROMPTS))
    assert same.kl == pytest.approx(0.0, abs=1e-5)
    assert ledger.requests == 2 * len(PROMPTS), "the greedy answers, and the sampled ones read"
    assert ledger.completion_tokens > 0
    little, _ = measured(PROMPTS, 0.2)
    much, _ = measured(PROMPTS, 1.0)
    assert 0 < little.kl < much.kl
    assert much.agreement < 1
    before = sorted(tmp_path.rglob("*.json"))
    assert measured(PROMPTS, 1.0)[0] == much
    assert sorted(tmp_path.rglob("*.json")) == before, "nothing is asked twice"


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_on_the_task_the_weights_alone_are_compared(tiny_model: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    start = Weights(base=str(tiny_model), digest="tiny", template="chatml")
    engine = LocalEngine(dtype="float32", device="cpu", threads=1)
    examiner = Examiner(engine, load(MetricSpec(name="exact"), ()), store)
    rows = [Example(id=str(i), inputs={"q": f"Number {i}?"}, target="a") for i in range(30)]
    prompt = Prompt(instructions="Say a number.")
    task, far = TaskDraws(rows), []
    for scale in (0.0, 0.2, 1.0):
        weights = start.then(tuned(tiny_model, store, f"by {scale}", scale))
        ledger = Ledger()
        far.append(
            task.estimate_kl(examiner, Candidate(prompt=prompt, weights=weights), start, ledger)
        )
        assert ledger.requests == 20
    assert far[0] == pytest.approx(0.0, abs=1e-5)
    assert 0 < far[1] < far[2]


def bigram_model(base: Path, folder: Path, after: Callable[[str], dict[str, float]]) -> Path:
    """A model whose next token depends on the last one alone, so that its KL can be worked out.

    Its layers add nothing, its embeddings are the unit vectors: the output layer is the table.

    Args:
        base: Gives the tokenizer.
        folder: Where it is written.
        after: Probabilities of the characters after a character; any other token is next to
            impossible.
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(base)
    size = len(tokenizer)
    config = LlamaConfig(
        vocab_size=size, hidden_size=size, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=4, max_position_embeddings=128, tie_word_embeddings=False,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    table = torch.full((size, size), -20.0)
    for at in range(size):
        for character, chance in after(tokenizer.decode([at])).items():
            table[tokenizer(character, add_special_tokens=False).input_ids[0], at] = log(chance)
    with torch.no_grad():
        layer: Any = model.model.layers[0]
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(size))
        model.lm_head.weight.copy_(table / size**0.5)  # the last norm makes a 1 the root of size
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_what_a_stop_text_ended_counts_as_it_was_drawn(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under ``plain`` a base model goes on with a turn of its own, and no end token is drawn.

    Both models say some `a` and then "\\nInput:"; the tuned one goes on with `a` more often.
    """

    def says(more: float) -> Callable[[str], dict[str, float]]:
        header = dict(pairwise("\nInput:"))

        def after(last: str) -> dict[str, float]:
            return {"a": more, "\n": 1 - more} if last == "a" else {header.get(last, "a"): 1.0}

        return after

    monkeypatch.setattr(retention_set, "LONGEST", 32)  # none is cut
    store, engine = Store(tmp_path), LocalEngine(dtype="float32", device="cpu", threads=1)
    base = bigram_model(tiny_model, tmp_path / "base", says(0.5))
    bigram_model(tiny_model, store.artifact("tuned"), says(0.9))
    untouched = Weights(base=str(base), digest="bigrams", template="plain")
    weights = untouched.then(Stage(kind="full", method="sft", artifact="tuned"))
    prompts = [f"Number {i}." for i in range(200)]
    retention = Retention(prompts, untouched, engine, store)
    found = retention.measure(weights, Ledger())
    # Each `a` decides between two, and half of them end it: two on average, and seven more tokens.
    one = 0.5 * log(0.5 / 0.9) + 0.5 * log(0.5 / 0.1)
    assert found.kl == pytest.approx(2 * one / (2 + len("\nInput:")), rel=0.25)
    said = [len(sample.text) for sample in retention.draws.sampled]
    drawn = sum((n - 1) * log(0.5 / 0.9) + log(0.5 / 0.1) for n in said)
    assert found.kl == pytest.approx(drawn / sum(n + len("\nInput:") for n in said), abs=1e-4)
