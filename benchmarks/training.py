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

Times depend on the machine; compare only numbers of one run. OMP_NUM_THREADS=1 fixes the threads.
"""

from __future__ import annotations

import argparse
import inspect
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from whatworks.training import process as child

EPOCHS, BATCH, RANK, ALPHA = 2, 16, 16, 32
SAMPLES, LONGEST, PROMPTS, BEGIN = 4, 48, 32, 300
RATE = {"sft": 3e-3, "dpo": 3e-4, "rl": 3e-4}
DATA = Path(__file__).resolve().parents[1] / "examples" / "json" / "messages.jsonl"
INSTRUCTIONS = "Write the message as JSON."


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
    from whatworks.data.task import Example, Message, MetricSpec
    from whatworks.training.job import TrainingJob
    from whatworks.training.launch import train
    from whatworks.training.rows import PairRow, PromptRow, Row, TrainingRow
    from whatworks.training.settings import DPOSettings, RLSettings, SFTSettings

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
        settings = RLSettings(metric=MetricSpec(name="json"), **drawn, **knobs)
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

    steps = -(-case.rows // BATCH) * EPOCHS
    config: dict[str, Any] = {
        "num_train_epochs": EPOCHS,
        "per_device_train_batch_size": BATCH,
        "learning_rate": RATE[case.trainer],
        "lr_scheduler_type": "cosine",
        "save_strategy": "epoch",
        **plain(folder),
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


def plain(folder: Path) -> dict[str, Any]:
    import torch

    return {
        "output_dir": str(folder),
        "use_cpu": not torch.accelerator.is_available(),
        "logging_steps": 1,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _reward(completions: Sequence[Any], wanted: Sequence[str], **_: Any) -> list[float]:
    from whatworks.data.task import Example, MetricSpec
    from whatworks.metrics.registry import load

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

    from whatworks_lab import weights

    ours(Case("sft", BEGIN, str(weights("lab"))), folder / "run")
    base = AutoModelForCausalLM.from_pretrained(weights("lab"))
    tuned: Any = PeftModel.from_pretrained(base, folder / "run" / f"epoch-{EPOCHS}")
    tuned.merge_and_unload().save_pretrained(folder / "tuned")
    AutoTokenizer.from_pretrained(weights("lab")).save_pretrained(folder / "tuned")
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
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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


def on_cpu(trainers: Sequence[str], rows: int, repeat: int) -> None:
    """Print one line a training; where repeated, the run of median length, the two ways in turn."""
    from whatworks_lab import weights

    names = ("", "tokens/s", "seconds", "processor s", "MB", "curve", "end")
    print("{:<9} {:>9} {:>8} {:>12} {:>6} {:>7} {:>7}".format(*names), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for trainer in trainers:
            start = beginner(Path(scratch)) if trainer == "rl" else str(weights("lab"))
            case = Case(trainer, min(rows, PROMPTS) if trainer == "rl" else rows, start)
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
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--only", choices=tuple(RATE), action="append")
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    on_cpu(args.only or tuple(RATE), args.rows, args.repeat)


if __name__ == "__main__":
    main()
