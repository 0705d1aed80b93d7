"""Forgetting: weights compared with the untouched model's, on prompts beside the task."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from whatworks.budget import Ledger
from whatworks.candidate import Stage, Weights
from whatworks.engines.local import LocalEngine
from whatworks.errors import InputError
from whatworks.forgetting import Forgetting, compare, over_seeds
from whatworks.retention import Retention, read_prompts
from whatworks.store import Store

PROMPTS = [f"Tell me about number {i}, please." for i in range(12)]


def test_figures_by_hand() -> None:
    found = compare([1, 0, 1, 1], [(-1.0, -2.0), (-0.5,)], [(-1.5, -2.0), (-1.5,)])
    assert found == Forgetting(agreement=0.75, kl=0.5, prompts=4)
    assert over_seeds([found, Forgetting(0.25, 1.5, 4)]) == Forgetting(0.5, 1.0, 4)


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
    little, _ = measured(PROMPTS, 0.02)
    much, _ = measured(PROMPTS, 1.0)
    assert 0 < little.kl < much.kl
    assert much.agreement < 1
    before = sorted(tmp_path.rglob("*.json"))
    assert measured(PROMPTS, 1.0)[0] == much
    assert sorted(tmp_path.rglob("*.json")) == before, "nothing is asked twice"
