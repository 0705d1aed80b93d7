"""The output layer on labelled positions: the same loss, entropies and gradients for less work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
from trl.trainer.utils import add_fused_lm_head

from whatworks.training.labelled_logits import score_labelled

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
IGNORED = -100
FIELDS = ("log_probs", "entropy", "is_top1", "label_mask")


def asked(model: Any, labels: torch.Tensor) -> Any:
    """TRL's answer for rows of ids 3, 4, 5, ... with these labels."""
    ids = torch.arange(labels.numel()).reshape(labels.shape) % 50 + 3
    return model(input_ids=ids, labels=labels, fused_lm_head=True)


def gradients(model: Any, loss: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in model.parameters() if p.requires_grad and p.grad is not None]


@pytest.fixture(params=["full", "lora"])
def model(request: pytest.FixtureRequest, tiny_model: Path) -> Any:
    torch.manual_seed(0)
    made: Any = AutoModelForCausalLM.from_pretrained(tiny_model)
    add_fused_lm_head(made, outputs=("log_probs", "entropy", "is_top1"))
    if request.param == "lora":
        made = get_peft_model(made, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM"))
        for name, weight in made.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.1)
    return made


@pytest.fixture
def labels() -> torch.Tensor:
    """Three rows: an answer after a prompt, a longer one with padding after it, all learned."""
    made = torch.full((3, 9), IGNORED)
    made[0, 6:], made[1, 2:7], made[2] = 7, 8, 9
    return made


def test_scores_loss_and_gradients_are_those_of_all_positions(
    model: Any, labels: torch.Tensor
) -> None:
    before = asked(model, labels)
    grown = gradients(model, before.loss)
    score_labelled(model)
    after = asked(model, labels)
    for name in FIELDS:
        assert after[name].shape == (3, 8)
        torch.testing.assert_close(after[name], before[name])
    torch.testing.assert_close(after.loss, before.loss)
    assert len(grown) > 0
    for one, other in zip(gradients(model, after.loss), grown, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_only_labelled_positions_reach_the_output_layer(model: Any, labels: torch.Tensor) -> None:
    score_labelled(model)
    seen: list[torch.Size] = []
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    base.base_model.register_forward_hook(lambda *call: seen.append(call[2][0].shape))
    asked(model, labels)
    assert seen[0][:2] == (1, 3 + 5 + 8)  # nothing stands before the first token of the last row


def test_rows_without_a_label_have_no_loss_and_can_be_learned_from(model: Any) -> None:
    score_labelled(model)
    found = asked(model, torch.full((2, 5), IGNORED))
    assert found.log_probs.tolist() == [[0.0] * 4] * 2
    assert all(not grown.any() for grown in gradients(model, found.log_probs.sum()))


def test_other_calls_are_left_alone(model: Any, labels: torch.Tensor) -> None:
    ids = torch.full((2, 4), 5)
    before = model(input_ids=ids).logits
    score_labelled(model)
    asked(model, labels)
    torch.testing.assert_close(model(input_ids=ids).logits, before)
    assert model(input_ids=ids, labels=ids).logits.shape == before.shape
