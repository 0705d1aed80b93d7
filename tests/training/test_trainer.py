"""What a training does to the weights, seen from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from training_helpers import Run, Train, job_of, moved, tensors

from whatworks.base.errors import ArmFailure, WhatworksError
from whatworks.training.job import TrainingJob
from whatworks.training.rows import TrainingRow
from whatworks.training.run_folder import AttemptPlan, RunFolder
from whatworks.training.settings import SFTSettings, SoftPromptSettings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

LORA = SFTSettings(epochs=3, batch_size=4, rank=4, learning_rate=3e-2)
FULL = SFTSettings(kind="full", epochs=3, batch_size=4, learning_rate=3e-3)


def mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


@pytest.fixture(scope="module")
def lora(here: Train) -> Run:
    return here(LORA)


@pytest.fixture(scope="module")
def full(here: Train) -> Run:
    return here(FULL)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_loss_falls_and_one_checkpoint_is_kept_per_epoch(
    kind: str, request: pytest.FixtureRequest
) -> None:
    trained, folder = request.getfixturevalue(kind)
    assert len(trained.losses) == 15
    assert mean(trained.losses[-5:]) < 0.8 * mean(trained.losses[:5])
    assert [(c.name, c.epoch, c.step) for c in trained.checkpoints] == [
        ("epoch-1", 1, 5),
        ("epoch-2", 2, 10),
        ("epoch-3", 3, 15),
    ]
    assert all((folder / c.name).is_dir() for c in trained.checkpoints)
    assert not (folder / "state").exists()
    assert trained.seconds > 0
    assert trained.dropped_rows == 0


def test_a_training_that_is_stopped_counts_the_tokens_of_its_epochs(
    lora: Run, rows: list[TrainingRow], lively_model: Path, tmp_path: Path
) -> None:
    from whatworks.training.worker import run

    folder = RunFolder(tmp_path)
    folder.begin(job_of(LORA), rows)
    folder.stop()  # enough was seen: it ends with the epoch that it is in
    plan = AttemptPlan(
        base=lively_model, adapter=None, micro_batch=4, recompute=False, save_seconds=600
    )
    stopped = run(folder, plan, lambda kind, content: None)
    assert len(stopped.checkpoints) == 1
    assert 0 < 3 * stopped.tokens == lora[0].tokens


def test_lora_moves_every_adapter_matrix(lora: Run, lively_model: Path) -> None:
    trained, folder = lora
    last = tensors(folder / "epoch-3")
    up = {name: t for name, t in last.items() if "lora_B" in name}
    assert len(up) == 2 * 7  # layers x (q, k, v, o, gate, up, down)
    assert all(t.abs().max() > 0 for t in up.values())
    assert trained.parameters == sum(t.numel() for t in last.values())
    assert moved(folder / "epoch-1", folder / "epoch-3") == last.keys()


@pytest.mark.parametrize("variant", ["rslora", "dora"])
def test_variants_of_lora_train_what_they_say(
    here: Train, lora: Run, lively_model: Path, variant: str
) -> None:
    import json

    trained, folder = here(LORA.replace(variant=variant))
    assert mean(trained.losses[-5:]) < 0.9 * mean(trained.losses[:5])
    assert moved(folder / "epoch-1", folder / "epoch-3") == tensors(folder / "epoch-3").keys()
    config = json.loads((folder / "epoch-3" / "adapter_config.json").read_text())
    assert (config["use_rslora"], config["use_dora"]) == (variant == "rslora", variant == "dora")
    magnitudes = {name for name in tensors(folder / "epoch-3") if "magnitude" in name}
    assert len(magnitudes) == (14 if variant == "dora" else 0)


@pytest.mark.parametrize("form", ["prompt", "prefix"])
def test_a_soft_prompt_learns_and_is_all_that_moves(
    here: Train, form: Literal["prompt", "prefix"]
) -> None:
    """On the embedded model: an untrained one has nothing that a prompt could call up."""
    from whatworks_lab import find_weights

    lab = find_weights("lab")
    settings = SoftPromptSettings(form=form, tokens=8, epochs=4, batch_size=4)
    trained, folder = here(settings, base=lab)
    assert mean(trained.losses[-5:]) < 0.8 * mean(trained.losses[:5])
    last = tensors(folder / "epoch-4")
    assert moved(folder / "epoch-1", folder / "epoch-4") == last.keys() == {"prompt_embeddings"}
    assert last["prompt_embeddings"].shape[0] == 8
    assert trained.parameters == last["prompt_embeddings"].numel()
    again, other = here(settings, base=lab)
    assert again.losses == trained.losses
    assert not moved(folder / "epoch-4", other / "epoch-4")


def test_full_moves_every_weight(full: Run, lively_model: Path) -> None:
    _, folder = full
    assert moved(lively_model, folder / "epoch-3") == tensors(lively_model).keys()


def test_adapter_loads_in_plain_peft_and_has_learned_to_answer_and_stop(
    here: Train, rows: list[TrainingRow], lively_model: Path
) -> None:
    """In a clean process, without this package."""
    blue = [row.replace(target="blue") for row in rows]
    _, folder = here(LORA.replace(epochs=6, rank=8, learning_rate=1e-2), rows=blue)
    script = f"""
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
folder = {str(folder / "epoch-6")!r}
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained({str(lively_model)!r})
model = PeftModel.from_pretrained(model, folder).eval()
messages = [{{"role": "system", "content": "Name it."}}, {{"role": "user", "content": "colour 2"}}]
text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
with torch.no_grad():
    out = model.generate(input_ids=ids, max_new_tokens=20, do_sample=False)[0, ids.shape[1]:]
assert out[-1] == tokenizer.eos_token_id, out
assert "whatworks" not in sys.modules
print(tokenizer.decode(out, skip_special_tokens=True).strip())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "blue"


def test_tuned_weights_load_in_transformers(full: Run) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = full[1] / "epoch-3"
    assert AutoTokenizer.from_pretrained(folder).chat_template
    model = AutoModelForCausalLM.from_pretrained(folder)
    state = model.state_dict()
    assert all(state[name].equal(tensor) for name, tensor in tensors(folder).items())


def test_continue_goes_on_from_the_adapter(here: Train, lora: Run) -> None:
    trained, folder = here(
        LORA.replace(epochs=1, learning_rate=1e-3),
        adapter=lora[1] / "epoch-3",
        stacking="continue",
        seed=1,
    )
    assert trained.losses[0] < 0.8 * mean(lora[0].losses[:5])
    assert moved(lora[1] / "epoch-3", folder / "epoch-1") == tensors(folder / "epoch-1").keys()


def test_merge_trains_all_weights_from_base_and_adapter(
    here: Train, lora: Run, lively_model: Path
) -> None:
    trained, folder = here(
        FULL.replace(epochs=1, learning_rate=1e-4),
        adapter=lora[1] / "epoch-3",
        stacking="merge",
    )
    assert mean(trained.losses) < 0.8 * mean(lora[0].losses[:5])
    assert moved(lively_model, folder / "epoch-1") == tensors(lively_model).keys()
    assert not list(folder.glob("epoch-1/adapter*"))


def test_lora_on_tuned_weights(here: Train, full: Run) -> None:
    trained, folder = here(LORA.replace(epochs=1, learning_rate=1e-3), base=full[1] / "epoch-3")
    assert trained.losses[0] < 0.8 * full[0].losses[0]
    assert (folder / "epoch-1" / "adapter_model.safetensors").exists()


def test_same_seed_same_weights_another_seed_others(here: Train, lora: Run) -> None:
    again, folder = here(LORA)
    assert again.losses == lora[0].losses
    assert not moved(lora[1] / "epoch-3", folder / "epoch-3")
    other, _ = here(LORA, seed=1)
    assert other.losses != again.losses


@pytest.fixture(scope="module")
def once(here: Train) -> Run:
    return here(LORA.replace(epochs=1))


@pytest.mark.parametrize("how", [{"micro_batch": 1}, {"recompute": True}])
def test_less_memory_same_training(
    here: Train, monkeypatch: pytest.MonkeyPatch, how: dict[str, object]
) -> None:
    """In 32 bits: 16 bits round sums in another order by a thousandth."""

    def no(job: TrainingJob) -> bool:
        return False

    monkeypatch.setattr("whatworks.training.worker._can_use_bfloat16", no)
    whole, _ = here(LORA.replace(epochs=1))
    trained, _ = here(LORA.replace(epochs=1), **how)
    assert trained.losses == pytest.approx(whole.losses, rel=1e-5)


def test_packed_rows_see_only_themselves(here: Train, once: Run) -> None:
    packed, _ = here(LORA.replace(epochs=1), packing=True)
    assert packed.losses == pytest.approx(once[0].losses, rel=1e-3)


def test_longest_row_comes_first(here: Train, rows: list[TrainingRow]) -> None:
    still = LORA.replace(epochs=1, batch_size=1, learning_rate=1e-12)
    long = rows[0].replace(id="long", target="blue " * 30)
    alone, _ = here(still, rows=[long])
    among, _ = here(still, rows=[*rows, long])
    assert among.losses[0] == pytest.approx(alone.losses[0], rel=1e-4)
    assert among.losses[1:] != pytest.approx([alone.losses[0]] * len(rows), rel=1e-4)


def test_all_other_rows_stay_mixed(here: Train, rows: list[TrainingRow]) -> None:
    """Batches of one length are of one kind, and teach less."""
    still = LORA.replace(epochs=1, learning_rate=1e-12)

    def all_of(target: str) -> list[TrainingRow]:
        return [rows[0].replace(id=f"{target} {i}", target=target) for i in range(40)]

    short, long = "no", "blue red " * 6
    (low,), (high,) = ({round(n, 3) for n in here(still, rows=all_of(t))[0].losses}
                       for t in (short, long))  # fmt: skip
    both, _ = here(still, rows=[*all_of(short), *all_of(long)])
    of_one = [n for n in both.losses if any(abs(n - alone) < 2e-3 for alone in (low, high))]
    assert len(of_one) < len(both.losses) / 2


def test_no_two_seeds_share_an_epoch() -> None:
    import torch
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from whatworks.training.callbacks import SeedEpochs

    seen: list[int] = []
    for seed in range(5):
        for epoch in range(10):
            args = TrainingArguments(seed=seed)
            SeedEpochs().on_epoch_begin(args, TrainerState(epoch=epoch), TrainerControl())
            seen.append(torch.initial_seed())
    assert len(set(seen)) == 50


def test_one_row_is_enough(here: Train, rows: list[TrainingRow]) -> None:
    trained, _ = here(LORA.replace(epochs=4), rows=rows[:1])
    assert len(trained.losses) == 4
    assert trained.losses[-1] < trained.losses[0]


def test_diverging_loss_is_a_failure_with_a_remedy(here: Train) -> None:
    for settings in (LORA, FULL):
        with pytest.raises(ArmFailure, match="diverged") as failure:
            here(settings.replace(learning_rate=1e30))
        assert "learning rate" in failure.value.remedy


def test_base_without_weights_is_a_failure(here: Train, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(WhatworksError, match="cannot be loaded"):
        here(LORA, base=tmp_path)
    with pytest.raises(ArmFailure, match="adapter cannot be loaded"):
        here(LORA, adapter=tmp_path, stacking="continue")


@pytest.mark.parametrize("modules", ["attention", "mlp"])
def test_an_adapter_on_some_layers_moves_these_alone(
    here: Train, modules: Literal["attention", "mlp"]
) -> None:
    trained, folder = here(LORA.replace(epochs=1, modules=modules))
    assert trained.losses[-1] < trained.losses[0]
    names = tensors(folder / "epoch-1")
    assert names and all(("attn" in name) == (modules == "attention") for name in names)
    up = [tensor for name, tensor in names.items() if "lora_B" in name]
    assert up and all(tensor.abs().max() > 0 for tensor in up)
