"""Tokens per second and peak memory of training against TRL's trainers with their defaults.

Supervised tuning, preference tuning and reinforcement (REINFORCE, leave one out) of the embedded
model, LoRA, on the messages of the example study ``json``; reinforcement begins where a short
supervised tuning ends. ``--model`` takes another model, tuned on the sentences of ViGGO where
``$WHATWORKS_DATA`` (``../shared/data`` by default) holds them. Rows, adapter, learning rate,
schedule, rows per step and, of
reinforcement, answers per prompt and their longest are the same both ways. The rest is left to
each: threads, number type, attention, recomputing, order of the rows. Each training has a
process of its own; seconds are those of its steps and checkpoints, processor seconds and memory
those of the whole process that trains, its start-up included. The mean loss (of reinforcement:
the mean reward) over all steps and over the last quarter stands beside them and should agree
within noise.

    python benchmarks/training.py              # 300 rows
    python benchmarks/training.py --rows 100
    python benchmarks/training.py --only sft --repeat 3
    python benchmarks/training.py --model FOLDER --rows 64 --epochs 1 --only sft
    python benchmarks/training.py --model FOLDER --rows 64 --epochs 1 --only sft --float32

``--float32`` is what a processor without 16-bit instructions does: torch keeps to AVX2, and both
ways to 32-bit numbers, which TRL has to be told.

Times depend on the machine; compare only numbers of one run. OMP_NUM_THREADS=1 fixes the threads.
"""

from __future__ import annotations

import argparse
import csv
import inspect
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

from whatworks.models.files import resolve
from whatworks.training import process as child

EPOCHS, BATCH, RANK, ALPHA = 2, 16, 16, 32
LAB = "lab"
SAMPLES, LONGEST, PROMPTS, BEGIN = 4, 48, 32, 300
RATE = {"sft": 3e-3, "dpo": 3e-4, "rl": 3e-4}
"""Peak learning rates for the embedded model; a wider one takes a third of them."""
ROOT = Path(__file__).resolve().parents[1]
MESSAGES = ROOT / "examples" / "json" / "messages.jsonl"
SENTENCES = Path(os.environ.get("WHATWORKS_DATA", ROOT.parent / "shared/data")) / "viggo/train.csv"
INSTRUCTIONS = {
    "json": "Write the message as JSON.",
    "viggo": "Write what the sentence says about a video game as a function with its slots.",
}
WITHOUT_16_BITS = {"ATEN_CPU_CAPABILITY": "avx2"}
"""Environment in which torch takes this processor for one that has no AVX-512."""


@dataclass(frozen=True)
class Run:
    """What a training took: its curve by step, seconds in steps, tokens read."""

    curve: list[float]
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Case:
    """What to train: the trainer, how many rows, the folder of the model it begins with, whether
    the rows are ViGGO's, passes over them, and whether in 32 bits."""

    trainer: str
    rows: int
    model: str
    sentences: bool = False
    epochs: int = EPOCHS
    float32: bool = False

    @property
    def rate(self) -> float:
        """Peak learning rate."""
        return RATE[self.trainer] / (3 if self.sentences else 1)

    @property
    def metric(self) -> str:
        """Name of the rows' metric."""
        return "mr" if self.sentences else "json"


def texts(case: Case) -> list[dict[str, str]]:
    """Messages with the wanted answer, and one that ends too early."""
    if case.sentences:
        with SENTENCES.open(encoding="utf-8", newline="") as file:
            rows = [(row["ref"], row["mr"]) for row in csv.DictReader(file)]
    else:
        lines = [json.loads(line) for line in MESSAGES.read_text("utf-8").splitlines()]
        rows = [(line["input"], line["target"]) for line in lines]
    instructions = INSTRUCTIONS["viggo" if case.sentences else "json"]
    return [
        {
            "instructions": instructions,
            "asked": asked,
            "chosen": wanted,
            "rejected": wanted[: len(wanted) // 2],
        }
        for asked, wanted in rows[: case.rows]
    ]


def ours(case: Case, folder: Path) -> Run:
    """Through the job and its child process."""
    from whatworks.data.task import Example, Message, MetricSpec
    from whatworks.training.job import TrainingJob
    from whatworks.training.launch import train
    from whatworks.training.rows import PairRow, PromptRow, RenderedRow, TrainingRow
    from whatworks.training.settings import DPOSettings, RLSettings, SFTSettings

    rows: list[RenderedRow] = []
    for at, text in enumerate(texts(case)):
        asked = tuple(Message.model_validate(message) for message in _messages(text))
        shared: dict[str, Any] = {"id": str(at), "messages": asked}
        match case.trainer:
            case "sft":
                rows.append(TrainingRow(**shared, target=text["chosen"]))
            case "dpo":
                rows.append(PairRow(**shared, chosen=text["chosen"], rejected=text["rejected"]))
            case _:
                example = Example(id=str(at), target=text["chosen"])
                rows.append(PromptRow(**shared, example=example))
    knobs: dict[str, Any] = {"epochs": case.epochs, "batch_size": BATCH, "rank": RANK}
    knobs["learning_rate"] = case.rate
    if case.trainer == "rl":
        drawn = {"samples": SAMPLES, "max_tokens": LONGEST, "leash": 1e6}
        settings = RLSettings(metric=MetricSpec(name=case.metric), **drawn, **knobs)
    else:
        settings = {"sft": SFTSettings, "dpo": DPOSettings}[case.trainer](**knobs)
    made = train(
        TrainingJob(settings=settings), rows, base=Path(case.model), adapter=None, folder=folder
    )
    curve = [point.reward for point in made.trace] or list(made.losses)
    return Run(curve, made.seconds, made.tokens)


def trl(case: Case, folder: Path) -> Run:
    """As TRL's documentation shows it: its defaults, but for what makes the runs equal."""
    import trl
    from datasets import Dataset
    from peft import LoraConfig

    steps = -(-case.rows // BATCH) * case.epochs
    config: dict[str, Any] = {
        "num_train_epochs": case.epochs,
        "per_device_train_batch_size": BATCH,
        "learning_rate": case.rate,
        "lr_scheduler_type": "cosine",
        "save_strategy": "epoch",
        **plain(folder),
        **({"bf16": False} if case.float32 else {}),
    }
    answers: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
        "sft": lambda text: {"completion": _said(text["chosen"])},
        "dpo": lambda text: {side: _said(text[side]) for side in ("chosen", "rejected")},
        "rl": lambda text: {"wanted": text["chosen"]},
    }
    rows = [{"prompt": _messages(text), **answers[case.trainer](text)} for text in texts(case)]
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
        given["reward_funcs"] = partial(_reward, case.metric)
    name = {"sft": "SFT", "dpo": "DPO", "rl": "RLOO"}[case.trainer]
    args = getattr(trl, f"{name}Config")(**config, warmup_steps=steps // 10)
    made = getattr(trl, f"{name}Trainer")(**given, args=args)
    seconds = made.train().metrics["train_runtime"]
    key = "reward" if case.trainer == "rl" else "loss"
    curve = [log[key] for log in made.state.log_history if key in log]
    return Run(curve, seconds, int(made.state.num_input_tokens_seen))


def plain(folder: Path) -> dict[str, Any]:
    import torch

    return {
        "output_dir": str(folder),
        "use_cpu": not torch.accelerator.is_available(),
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _reward(name: str, completions: Sequence[Any], wanted: Sequence[str], **_: Any) -> list[float]:
    from whatworks.data.task import Example, MetricSpec
    from whatworks.metrics.registry import load

    metric = load(MetricSpec(name=name))
    return [
        metric(Example(id="", target=target), said[0]["content"]).value
        for said, target in zip(completions, wanted, strict=True)
    ]


def _messages(text: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": text["instructions"]},
        {"role": "user", "content": text["asked"]},
    ]


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def beginner(case: Case, folder: Path) -> str:
    """A model that writes some of the answers, for reinforcement to begin with."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ours(replace(case, trainer="sft", rows=BEGIN), folder / "run")
    base = AutoModelForCausalLM.from_pretrained(case.model)
    tuned: Any = PeftModel.from_pretrained(base, folder / "run" / f"epoch-{case.epochs}")
    tuned.merge_and_unload().save_pretrained(folder / "tuned")
    AutoTokenizer.from_pretrained(case.model).save_pretrained(folder / "tuned")
    return str(folder / "tuned")


Way = Callable[[Case, Path], Run]


@dataclass(frozen=True)
class Measured:
    """A run with the processor seconds and the peak memory (MB) of the process that trained."""

    run: Run
    processor: float
    peak: float


def measured(way: Way, case: Case) -> Measured:
    """A run in this process, and what it, or the child that trains for it, has used."""
    with tempfile.TemporaryDirectory() as scratch:
        run = way(case, Path(scratch))
    child.close()
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    used = max(both, key=lambda usage: usage.ru_utime)
    return Measured(run, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def apart(way: Way, case: Case) -> Measured:
    """``measured`` in a process of its own, by the script that ``way`` stands in."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run.json"
        script, asked = inspect.getfile(way), json.dumps(asdict(case))
        words = [sys.executable, script, "--one", way.__name__, asked, str(out)]
        environment = {**os.environ, **(WITHOUT_16_BITS if case.float32 else {})}
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(words, check=True, env=environment, **silent)
        found: dict[str, Any] = json.loads(out.read_text())
        return Measured(Run(**found.pop("run")), **found)


def asked_apart(ways: Sequence[Way]) -> bool:
    """Whether this process is one that ``apart`` started, which then does what it is for."""
    if sys.argv[1:2] != ["--one"]:
        return False
    name, case, out = sys.argv[2:]
    way = next(way for way in ways if way.__name__ == name)
    Path(out).write_text(json.dumps(asdict(measured(way, Case(**json.loads(case))))))
    return True


def on_cpu(base: Case, trainers: Sequence[str], repeat: int) -> None:
    """Print one line a training; where repeated, the run of median length, the two ways in turn."""
    names = ("", "tokens/s", "seconds", "processor s", "MB", "curve", "end")
    print("{:<9} {:>9} {:>8} {:>12} {:>6} {:>7} {:>7}".format(*names), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for trainer in trainers:
            case = replace(base, trainer=trainer)
            if trainer == "rl":
                start = beginner(base, Path(scratch))
                case = replace(case, rows=min(base.rows, PROMPTS), model=start)
            all_runs = [
                {way.__name__: apart(way, case) for way in (trl, ours)} for _ in range(repeat)
            ]
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


def main() -> None:
    if asked_apart((ours, trl)):
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default=LAB, help="a model by its name or folder")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--float32", action="store_true", help="as without 16-bit instructions")
    parser.add_argument("--only", choices=tuple(RATE), action="append")
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    real = args.model != LAB
    if real and not SENTENCES.is_file():
        print(f"{SENTENCES} is not here: tuned on the messages of examples/json")
    base = Case(
        trainer="",
        rows=args.rows,
        model=str(resolve(args.model)),
        sentences=real and SENTENCES.is_file(),
        epochs=args.epochs,
        float32=args.float32,
    )
    on_cpu(base, args.only or tuple(RATE), args.repeat)


if __name__ == "__main__":
    main()
