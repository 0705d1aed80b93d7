"""Tokens per second and peak memory of training against TRL's trainers with their defaults.

Supervised tuning, preference tuning and reinforcement (REINFORCE, leave one out) of the embedded
model, LoRA, on the messages of the example study ``json``; reinforcement begins where a short
supervised tuning ends. Rows, adapter, learning rate, schedule, rows per step and, of
reinforcement, answers per prompt and their longest are the same both ways. The rest is left to
each: threads, number type, attention, recomputing, order of the rows. Each training has a
process of its own; seconds are those of its steps and checkpoints, processor seconds and memory
those of the whole process that trains, its start-up included. The mean loss (of reinforcement:
the mean reward) over all steps and over the last quarter stands beside them and should agree
within noise.

    python benchmarks/training.py              # 300 rows
    python benchmarks/training.py --rows 100
    python benchmarks/training.py --only sft --repeat 3
    python benchmarks/training.py --gpu        # 0.5B parameters, full tuning, share of the peak

Times depend on the machine; compare only numbers of one run. OMP_NUM_THREADS=1 fixes the threads.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median
from typing import Any

from whatworks.training import child

EPOCHS, BATCH, RANK, ALPHA = 2, 16, 16, 32
SAMPLES, LONGEST, PROMPTS, BEGIN = 4, 48, 32, 300
RATE = {"sft": 3e-3, "dpo": 3e-4, "rl": 3e-4}
DATA = Path(__file__).resolve().parents[1] / "examples" / "json" / "messages.jsonl"
INSTRUCTIONS = "Write the message as JSON."
GPU_SHAPE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
GPU_ROWS, GPU_LENGTH, GPU_VOCABULARY = 512, 1024, 32_000


@dataclass(frozen=True)
class Run:
    """What a training took: its curve by step, seconds in steps, tokens read."""

    curve: list[float]
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Case:
    """What to train: the trainer, how many rows, and the folder of the model it begins with."""

    trainer: str
    rows: int
    model: str


def texts(count: int) -> list[dict[str, str]]:
    """Messages with the wanted answer, and one that ends too early."""
    rows = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()[:count]]
    return [
        {
            "asked": r["input"],
            "chosen": r["target"],
            "rejected": r["target"][: len(r["target"]) // 2],
        }
        for r in rows
    ]


def ours(case: Case, folder: Path) -> Run:
    """Through the job and its child process."""
    from whatworks.task import Example, Message, MetricSpec
    from whatworks.training import job
    from whatworks.training.launch import train
    from whatworks.training.rows import PairRow, PromptRow, Row, TrainingRow

    rows: list[Row] = []
    for at, text in enumerate(texts(case.rows)):
        asked = tuple(Message.model_validate(message) for message in _messages(text["asked"]))
        shared: dict[str, Any] = {"id": str(at), "messages": asked}
        match case.trainer:
            case "sft":
                rows.append(TrainingRow(**shared, target=text["chosen"]))
            case "dpo":
                rows.append(PairRow(**shared, chosen=text["chosen"], rejected=text["rejected"]))
            case _:
                example = Example(id=str(at), target=text["chosen"])
                rows.append(PromptRow(**shared, example=example))
    knobs: dict[str, Any] = {"epochs": EPOCHS, "batch_size": BATCH, "rank": RANK}
    knobs["learning_rate"] = RATE[case.trainer]
    if case.trainer == "rl":
        drawn = {"samples": SAMPLES, "max_tokens": LONGEST, "leash": 1e6}
        settings = job.RLSettings(metric=MetricSpec(name="json"), **drawn, **knobs)
    else:
        settings = {"sft": job.SFTSettings, "dpo": job.DPOSettings}[case.trainer](**knobs)
    made = train(
        job.TrainingJob(settings=settings), rows, base=Path(case.model), adapter=None, folder=folder
    )
    curve = [point.reward for point in made.trace] or list(made.losses)
    return Run(curve, made.seconds, made.tokens)


def trl(case: Case, folder: Path) -> Run:
    """As TRL's documentation shows it: its defaults, but for what makes the runs equal."""
    import trl
    from datasets import Dataset
    from peft import LoraConfig

    steps = -(-case.rows // BATCH) * EPOCHS
    config: dict[str, Any] = {
        "num_train_epochs": EPOCHS,
        "per_device_train_batch_size": BATCH,
        "learning_rate": RATE[case.trainer],
        "lr_scheduler_type": "cosine",
        "save_strategy": "epoch",
        **_plain(folder),
    }
    answers: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
        "sft": lambda text: {"completion": _said(text["chosen"])},
        "dpo": lambda text: {side: _said(text[side]) for side in ("chosen", "rejected")},
        "rl": lambda text: {"wanted": text["chosen"]},
    }
    rows = [
        {"prompt": _messages(text["asked"]), **answers[case.trainer](text)}
        for text in texts(case.rows)
    ]
    given: dict[str, Any] = {
        "model": case.model,
        "train_dataset": Dataset.from_list(rows),
        "peft_config": LoraConfig(
            r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    }
    if case.trainer == "rl":
        steps *= SAMPLES
        config |= {"num_generations": SAMPLES, "max_completion_length": LONGEST}
        given["reward_funcs"] = _reward
    name = {"sft": "SFT", "dpo": "DPO", "rl": "RLOO"}[case.trainer]
    args = getattr(trl, f"{name}Config")(**config, warmup_steps=steps // 10)
    made = getattr(trl, f"{name}Trainer")(**given, args=args)
    seconds = made.train().metrics["train_runtime"]
    key = "reward" if case.trainer == "rl" else "loss"
    curve = [log[key] for log in made.state.log_history if key in log]
    return Run(curve, seconds, int(made.state.num_input_tokens_seen))


def _plain(folder: Path) -> dict[str, Any]:
    import torch

    return {
        "output_dir": str(folder),
        "use_cpu": not torch.accelerator.is_available(),
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _reward(completions: Sequence[Any], wanted: Sequence[str], **_: Any) -> list[float]:
    from whatworks.metrics import load
    from whatworks.task import Example, MetricSpec

    metric = load(MetricSpec(name="json"))
    return [
        metric(Example(id="", target=target), said[0]["content"]).value
        for said, target in zip(completions, wanted, strict=True)
    ]


def _messages(asked: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": asked}]


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def beginner(folder: Path) -> str:
    """A model that writes some of the answers, for reinforcement to begin with."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from whatworks.lab import weights

    ours(Case("sft", BEGIN, str(weights("lab"))), folder / "run")
    base = AutoModelForCausalLM.from_pretrained(weights("lab"))
    tuned: Any = PeftModel.from_pretrained(base, folder / "run" / f"epoch-{EPOCHS}")
    tuned.merge_and_unload().save_pretrained(folder / "tuned")
    AutoTokenizer.from_pretrained(weights("lab")).save_pretrained(folder / "tuned")
    return str(folder / "tuned")


def random_model(folder: Path) -> str:
    """A Llama-shaped model of GPU_SHAPE with random weights, and the tokenizer of ``lab``."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from whatworks.lab import weights

    torch.manual_seed(0)
    shape: dict[str, Any] = {"vocab_size": GPU_VOCABULARY, "num_attention_heads": 16, **GPU_SHAPE}
    config = LlamaConfig(**shape, max_position_embeddings=2 * GPU_LENGTH)
    model: Any = LlamaForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(weights("lab")).save_pretrained(folder)
    return str(folder)


def long_texts(tokenizer: Any, count: int) -> list[str]:
    """Texts of half to all of GPU_LENGTH tokens, from the messages."""
    words = " ".join(f"{text['asked']} {text['chosen']}" for text in texts(400))
    ids = tokenizer(words, add_special_tokens=False)["input_ids"]
    lengths = [GPU_LENGTH // 2 + at * GPU_LENGTH // 2 // count for at in range(count)]
    starts = [at * 97 % (len(ids) - GPU_LENGTH) for at in range(count)]
    # Decoding and encoding again may add a token or two.
    return [tokenizer.decode(ids[s : s + n - 16]) for s, n in zip(starts, lengths, strict=True)]


def full_ours(case: Case, folder: Path) -> Run:
    """Full tuning on plain texts, through the job."""
    from transformers import AutoTokenizer

    from whatworks.training.job import SFTSettings, TrainingJob
    from whatworks.training.launch import train
    from whatworks.training.rows import TrainingRow

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
        **_plain(folder),
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


WAYS: dict[str, Callable[[Case, Path], Run]] = {
    way.__name__: way for way in (ours, trl, full_ours, full_trl, full_trl_packed)
}


@dataclass(frozen=True)
class Measured:
    """A run with the processor seconds and the peak memory (MB) of the process that trained."""

    run: Run
    processor: float
    peak: float


def measured(way: str, case: Case) -> Measured:
    """A run in this process, and what it, or the child that trains for it, has used."""
    with tempfile.TemporaryDirectory() as scratch:
        run = WAYS[way](case, Path(scratch))
    child.close()
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    used = max(both, key=lambda usage: usage.ru_utime)
    return Measured(run, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def apart(way: str, case: Case) -> Measured:
    """``measured`` in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run.json"
        words = [sys.executable, __file__, "--one", way, json.dumps(asdict(case)), str(out)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(out.read_text())
        return Measured(Run(**found.pop("run")), **found)


def on_cpu(trainers: Sequence[str], rows: int, repeat: int) -> None:
    """Print one line a training; where repeated, the run of median length, the two ways in turn."""
    from whatworks.lab import weights

    names = ("", "tokens/s", "seconds", "processor s", "MB", "curve", "end")
    print("{:<9} {:>9} {:>8} {:>12} {:>6} {:>7} {:>7}".format(*names), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for trainer in trainers:
            start = beginner(Path(scratch)) if trainer == "rl" else str(weights("lab"))
            case = Case(trainer, min(rows, PROMPTS) if trainer == "rl" else rows, start)
            all_runs = [{way: apart(way, case) for way in ("trl", "ours")} for _ in range(repeat)]
            found: dict[str, Measured] = {}
            for way in ("ours", "trl"):
                ordered = sorted((runs[way] for runs in all_runs), key=lambda m: m.run.seconds)
                found[way] = middle = ordered[len(ordered) // 2]
                run, last = middle.run, middle.run.curve[-max(1, len(middle.run.curve) // 4) :]
                # The rows are the same; only reinforcement draws its own.
                tokens = run.tokens if trainer == "rl" else found["ours"].run.tokens
                print(
                    f"{trainer + ' ' + way:<9} {tokens / run.seconds:>9.0f} {run.seconds:>8.1f} "
                    f"{middle.processor:>12.1f} {middle.peak:>6.0f} "
                    f"{fmean(run.curve):>7.3f} {fmean(last):>7.3f}"
                )
            ratio = [r["trl"].run.seconds / r["ours"].run.seconds for r in all_runs]
            work = [r["trl"].processor / r["ours"].processor for r in all_runs]
            print(
                f"{trainer}: {median(ratio):.2f}x as fast ({min(ratio):.2f} to {max(ratio):.2f}), "
                f"{median(work):.2f}x in processor time, "
                f"memory {found['ours'].peak / found['trl'].peak:.2f}x",
                flush=True,
            )


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
        for way in ("full_ours", "full_trl", "full_trl_packed"):
            run = apart(way, case).run
            tokens = tokens or run.tokens
            pace = tokens / run.seconds
            print(
                f"{way:<16} {pace:>9.0f} tokens/s, {6 * parameters * pace / peak:>4.0%} of the "
                f"peak, loss {fmean(run.curve):.3f}"
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--only", choices=tuple(RATE), action="append")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        way, case, out = args.one
        Path(out).write_text(json.dumps(asdict(measured(way, Case(**json.loads(case))))))
    elif args.gpu:
        import torch

        if not torch.cuda.is_available():
            print("--gpu needs an NVIDIA GPU, and torch sees none here", file=sys.stderr)
            sys.exit(2)
        on_gpu(GPU_ROWS)
    else:
        on_cpu(args.only or tuple(RATE), args.rows, args.repeat)


if __name__ == "__main__":
    main()
