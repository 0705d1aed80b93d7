"""Tokens per second of full tuning on a GPU, and the share of the bfloat16 peak that it reaches.

A Llama-shaped model of 0.5B random weights, one pass over texts of half to all of 1,024 tokens:
through the job, with TRL's defaults, and with TRL packed and the fused kernels that are
installed. The peak is that of large matrix products on the same GPU.

    python benchmarks/training_gpu.py

Times depend on the machine; compare only numbers of one run.
"""

from __future__ import annotations

import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

from training import BATCH, Case, Run, apart, asked_apart, plain, texts

SHAPE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
ROWS, LENGTH, VOCABULARY = 512, 1024, 32_000


def random_model(folder: Path) -> str:
    """A Llama-shaped model of SHAPE with random weights, and the tokenizer of ``lab``."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from whatworks_lab import find_weights

    torch.manual_seed(0)
    shape: dict[str, Any] = {"vocab_size": VOCABULARY, "num_attention_heads": 16, **SHAPE}
    config = LlamaConfig(**shape, max_position_embeddings=2 * LENGTH)
    model: Any = LlamaForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(find_weights("lab")).save_pretrained(folder)
    return str(folder)


def long_texts(tokenizer: Any, count: int) -> list[str]:
    """Texts of half to all of LENGTH tokens, from the messages."""
    words = " ".join(f"{text['asked']} {text['chosen']}" for text in texts(Case("sft", 400, "")))
    ids = tokenizer(words, add_special_tokens=False)["input_ids"]
    lengths = [LENGTH // 2 + at * LENGTH // 2 // count for at in range(count)]
    starts = [at * 97 % (len(ids) - LENGTH) for at in range(count)]
    # Decoding and encoding again may add a token or two.
    return [tokenizer.decode(ids[s : s + n - 16]) for s, n in zip(starts, lengths, strict=True)]


def full_ours(case: Case, folder: Path) -> Run:
    """Full tuning on plain texts, through the job."""
    from transformers import AutoTokenizer

    from whatworks.training.job import TrainingJob
    from whatworks.training.launch import train
    from whatworks.training.rows import TrainingRow
    from whatworks.training.settings import SFTSettings

    tokenizer = AutoTokenizer.from_pretrained(case.model)
    rows = [
        TrainingRow(id=str(at), messages=(), target=text)
        for at, text in enumerate(long_texts(tokenizer, case.rows))
    ]
    settings = SFTSettings(kind="full", epochs=1, batch_size=BATCH, learning_rate=1e-4)
    job = TrainingJob(settings=settings)
    made = train(job, rows, base=Path(case.model), adapter=None, folder=folder)
    return Run(list(made.losses), made.seconds, made.tokens)


def full_trl(case: Case, folder: Path, packed: bool = False) -> Run:
    """Full tuning with TRL's defaults, or packed and with the fused kernels that are installed."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(case.model)
    rows = long_texts(tokenizer, case.rows)
    config: dict[str, Any] = {
        "num_train_epochs": 1,
        "per_device_train_batch_size": BATCH,
        "learning_rate": 1e-4,
        "lr_scheduler_type": "cosine",
        "save_strategy": "epoch",
        **plain(folder),
    }
    if packed:
        flash = {"attn_implementation": "flash_attention_2"} if find_spec("flash_attn") else {}
        config |= {"packing": True, "model_init_kwargs": {"dtype": "bfloat16", **flash}}
        config["use_liger_kernel"] = find_spec("liger_kernel") is not None
    trainer = SFTTrainer(
        model=case.model,
        train_dataset=Dataset.from_dict({"text": rows}),
        args=SFTConfig(**config),
    )
    seconds = trainer.train().metrics["train_runtime"]
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    return Run(losses, seconds, 0)


def full_trl_packed(case: Case, folder: Path) -> Run:
    """``full_trl``, packed."""
    return full_trl(case, folder, packed=True)


WAYS = (full_ours, full_trl, full_trl_packed)


def on_gpu(rows: int) -> None:
    """Print tokens per second and the share of the peak: 6 N operations a token."""
    import torch

    with tempfile.TemporaryDirectory() as scratch:
        case = Case("full", rows, random_model(Path(scratch)))
        weights = Path(scratch) / "model.safetensors"
        parameters = weights.stat().st_size / 2  # two bytes each
        peak = peak_of_products()
        print(f"{torch.cuda.get_device_name()}: products of 8192 run at {peak / 1e12:.0f} TFLOP/s")
        tokens = 0
        for way in WAYS:
            run = apart(way, case).run
            tokens = tokens or run.tokens
            pace = tokens / run.seconds
            share = 6 * parameters * pace / peak
            print(
                f"{way.__name__:<16} {pace:>9.0f} tokens/s, {share:>4.0%} of the peak, "
                f"loss {fmean(run.curve):.3f}"
            )


def peak_of_products(size: int = 8192, times: int = 50) -> float:
    """Floating-point operations a second of large bfloat16 products, measured."""
    import torch

    left, right = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for _ in range(5):
        torch.mm(left, right)
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(times):
        torch.mm(left, right)
    torch.cuda.synchronize()
    return 2 * size**3 * times / (time.perf_counter() - start)


def main() -> None:
    import torch

    if asked_apart(WAYS):
        return
    if not torch.cuda.is_available():
        print("this needs an NVIDIA GPU, and torch sees none here", file=sys.stderr)
        sys.exit(2)
    on_gpu(ROWS)


if __name__ == "__main__":
    main()
