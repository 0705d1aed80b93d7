"""The child process that trains: ``python -m whatworks.training.worker FOLDER``.

It reads the frozen job, rows and plan from the folder, takes the trainer that the job names from
``trainers``, and runs it with callbacks. On its standard output it writes one JSON object per
line: ``{"progress": Progress}``, and ``{"failure": Failure}`` when it ends early. Everything else
that is printed goes to standard error.

``accelerate launch`` starts several of it, each of which trains on its share of every step's rows.
The first alone tells progress and writes checkpoints and result; a failure is told by whom it
befalls.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whatworks.base.errors import ArmFailure, get_first_line
from whatworks.models import chat_templates as templates
from whatworks.models import files as models
from whatworks.models.reward_model import RewardModel, load_scorer
from whatworks.training.distillation_settings import GKDSettings, SDFTSettings
from whatworks.training.failure import diagnose
from whatworks.training.job import Checkpoint, Trained, TrainingJob
from whatworks.training.labelled_logits import score_labelled
from whatworks.training.memory import count_rows_in_memory
from whatworks.training.rows import PairRow
from whatworks.training.run_folder import AttemptPlan, RunFolder
from whatworks.training.settings import RLSettings, SFTSettings
from whatworks.training.setup import Setup, Start
from whatworks.training.tokenise import Tokens, tokenise
from whatworks.training.trainers import TRAINERS
from whatworks.training.worker_channel import claim_stdout, end_with_launcher

if TYPE_CHECKING:
    from whatworks.training.kl_leash import Leash

PROCESSES = int(os.environ.get("WORLD_SIZE", "1"))
RANK = int(os.environ.get("RANK", "0"))
"""How many processes train, and which of them this is, as ``accelerate launch`` says."""
WARM_UP = 10
"""One in so many optimiser steps warms up. None of the few steps of a small task does: the first
step of a warm-up has the learning rate 0."""


def preload() -> None:
    """Import what every training needs: several seconds, most of them libraries'."""
    for module in (
        "transformers.models.auto.modeling_auto",
        "peft.tuners.lora",
        *(f"trl.trainer.{kind}_trainer" for kind in ("sft", "dpo", "kto", "reward", "rloo")),
        "whatworks.models.files",
        "whatworks.training.callbacks",
        "whatworks.training.kl_leash",
    ):
        importlib.import_module(module)


def main() -> int:
    """Run the training of the folder named on the command line; the process's exit code."""
    send = claim_stdout()
    folder = RunFolder(Path(sys.argv[1]))
    try:
        plan = folder.plan()
        assert plan is not None
        end_with_launcher()
        with folder.lock() if RANK == 0 else contextlib.nullcontext():
            if folder.result() is None:
                trained = run(folder, plan, send)
                if RANK == 0:
                    folder.finish(trained)
    except Exception as error:
        traceback.print_exc()
        with contextlib.suppress(Exception):
            if RANK == 0:
                folder.resumable()  # what was written in part is removed: others may need the room
        send("failure", diagnose(error).model_dump())
        return 1
    return 0


def run(folder: RunFolder, plan: AttemptPlan, send: Callable[[str, Any], None]) -> Trained:
    """Train to the end, from the beginning or the last resumable state.

    Raises:
        InputError: If the base cannot be loaded.
        ArmFailure: If no row fits, or the loss diverges.
    """
    import torch
    from transformers import PrinterCallback, TrainerCallback

    from whatworks.training.callbacks import Keep, SeedEpochs, SeedSteps, Watch
    from whatworks.training.kl_leash import Leash, read_trace
    from whatworks.training.row_order import RowOrder

    job = folder.job()
    with _let_first_process_first():
        saved, earlier, checkpoints = folder.resumable()
    start = load(job, plan)
    limits = [n for n in (job.settings.max_length, start.context) if n is not None]
    tokens = tokenise(folder.rows(), start.tokenizer, min(limits, default=None), job.settings.room)
    rate = job.settings.learning_rate_for(start.width)
    watch = Watch(lambda p: send("progress", p.model_dump()) if RANK == 0 else None, earlier)
    steps = job.settings.steps(len(tokens.rows))
    common = _build_common(
        folder, job, plan, rate, steps, _count_most_rows(job, start, max(tokens.lengths))
    )
    setup = _set_up(job, plan, start, tokens, common)
    scorer = setup.scorer
    trainer = TRAINERS[job.trainer](setup)
    if job.settings.shuffled:
        trainer.train_dataset = RowOrder(
            trainer.train_dataset,
            tokens.lengths,
            seed=job.seed,
            step=job.settings.batch_size,
            part=trainer.args.per_device_train_batch_size * PROCESSES,
        )
    if scorer is not None:
        scorer.to(trainer.args.device)
    if not torch.accelerator.is_available() and job.kind != "soft-prompt":
        for model in (trainer.model, getattr(trainer, "ref_model", None)):
            if model is not None:
                score_labelled(model)
    trainer.remove_callback(PrinterCallback)
    own: list[TrainerCallback] = [SeedEpochs(), watch]
    leash = Leash(job.settings.leash, saved) if isinstance(job.settings, RLSettings) else None
    if leash is not None:
        own.append(leash)
    if isinstance(job.settings, RLSettings | SDFTSettings | GKDSettings):  # they draw answers
        own.insert(0, SeedSteps())
    for callback in (*own, Keep(folder, checkpoints, watch, plan.save_seconds)):
        trainer.add_callback(callback)
    trainer.train(resume_from_checkpoint=str(saved) if saved else None)
    stopped = _keep_within(leash, trainer, folder, checkpoints) if leash and leash.broken else ""
    return Trained(
        checkpoints=tuple(checkpoints),
        losses=tuple(log["loss"] for log in trainer.state.log_history if "loss" in log),
        seconds=watch.seconds,
        # Reinforcement counts the answers that it drew.
        tokens=int(trainer.state.num_input_tokens_seen)
        if isinstance(job.settings, RLSettings)
        else round(sum(tokens.lengths) * (trainer.state.epoch or 0.0)),
        dropped_rows=tokens.dropped,
        parameters=sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        learning_rate=rate,
        trace=read_trace(trainer.state),
        stopped=stopped,
    )


def _set_up(
    job: TrainingJob, plan: AttemptPlan, start: Start, tokens: Tokens, common: dict[str, Any]
) -> Setup:
    """What the trainer is built from, with the second model where the job names one."""
    packing = plan.packing and job.trainer == "sft"
    if plan.second is None:
        return Setup(job, start, tokens, common, packing=packing)
    if isinstance(job.settings, GKDSettings):
        folder = models.resolve(plan.second.base)
        model = models.load_model(folder, dtype=start.model.dtype, device="cpu")
        return Setup(job, start, tokens, common, teacher=(model, models.load_tokenizer(folder)))
    return Setup(job, start, tokens, common, RewardModel(plan.second))


def _keep_within(leash: Leash, trainer: Any, folder: RunFolder, kept: list[Checkpoint]) -> str:
    """Keep the last weights within the leash, and none beyond it; what is to be said of it."""
    assert leash.broken is not None
    step, steps = leash.restore(trainer.model), trainer.state.max_steps
    for checkpoint in [c for c in kept if c.step > step]:
        kept.remove(checkpoint)
        if RANK == 0:
            folder.withdraw(checkpoint)
    if all(c.step != step for c in kept):
        draft = folder.state / "within"
        trainer.save_model(str(draft))
        epoch = -(-step // (steps // int(trainer.args.num_train_epochs)))
        if RANK == 0:
            folder.keep(draft, epoch)
        kept.append(Checkpoint(name=f"epoch-{epoch}", epoch=epoch, step=step))
    return (
        f"at step {leash.broken.step} of {steps}: the KL was {leash.broken.kl:.3g}, over the leash "
        f"of {leash.longest:g}, so the weights after step {step} are kept"
    )


def load(job: TrainingJob, plan: AttemptPlan) -> Start:
    """The model as the job stacks it.

    Raises:
        InputError: If the base cannot be loaded.
        ArmFailure: If the adapter cannot.
    """
    import torch

    # Trained weights are kept in float32; frozen ones below an adapter may be coarser.
    coarse = job.kind != "full" and _can_use_bfloat16(job)
    dtype = torch.bfloat16 if coarse else torch.float32
    if job.trainer == "reward":
        model = load_scorer(plan.base, seed=job.seed)
    elif isinstance(job.settings, SFTSettings) and job.settings.variant == "qlora":
        model = _load_in_four_bits(plan.base)
    else:
        model = models.load_model(plan.base, dtype=dtype, device="cpu")
    on_gpu = torch.cuda.is_available()
    if on_gpu and plan.packing and job.trainer == "sft" and _can_use_bfloat16(job):
        model.set_attn_implementation("flash_attention_2")
    elif coarse and not on_gpu:
        # Measured: for short rows, torch's fused attention spends on its backward pass in bfloat16
        # on a CPU what all else saves.
        model.set_attn_implementation("eager")
    tokenizer = templates.use(models.load_tokenizer(plan.base), job.template)
    config = model.config.get_text_config()
    if plan.adapter is not None:
        model = _add_adapter(model, plan.adapter, merge=job.stacking == "merge")
    return Start(model, tokenizer, models.read_context_length(config), config.hidden_size)


def _load_in_four_bits(base: Path) -> Any:
    """The model as QLoRA has it: normal floats of 4 bits, their scales quantised too."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return AutoModelForCausalLM.from_pretrained(
        base,
        quantization_config=config,
        device_map={"": 0},
        local_files_only=True,
        trust_remote_code=False,
    )


def _add_adapter(model: Any, adapter: Path, *, merge: bool) -> Any:
    from peft import PeftModel

    try:
        both: Any = PeftModel.from_pretrained(model, adapter, is_trainable=not merge)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if diagnose(error).kind == "memory":
            raise
        raise ArmFailure(
            f"the adapter cannot be loaded: {get_first_line(error)}",
            place=str(adapter),
            remedy="give the folder of a PEFT adapter that was trained on this base model",
        ) from error
    # PEFT freezes the base when it puts an adapter on, and leaves it so when it takes it off.
    return both.merge_and_unload().requires_grad_(True) if merge else both


def _build_common(
    folder: RunFolder, job: TrainingJob, plan: AttemptPlan, rate: float, steps: int, most: int
) -> dict[str, Any]:
    """Arguments that every trainer takes; ``most`` rows are in memory at once.

    Raises:
        ArmFailure: If the rows of a step cannot be shared out among the processes.
    """
    import torch

    share, rest = divmod(job.settings.batch_size, PROCESSES)
    if rest:
        raise ArmFailure(
            f"{PROCESSES} processes cannot share {job.settings.batch_size} rows a step evenly",
            remedy=f"take a batch_size that {PROCESSES} divides, or another number of processes",
        )
    least = job.settings.least
    if share < least:
        raise ArmFailure(
            f"{job.trainer} takes {least} rows in each process at once, {PROCESSES} processes have "
            f"{share} of {job.settings.batch_size}",
            remedy=f"take a batch_size of {least * PROCESSES} or more, or fewer processes",
        )
    fitting = range(least, max(least, min(plan.micro_batch, share, most)) + 1)
    micro = max((n for n in fitting if share % n == 0), default=share)
    return {
        "output_dir": str(folder.state),
        "num_train_epochs": job.settings.epochs,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": share // micro,
        "gradient_checkpointing": plan.recompute,
        "train_sampling_strategy": "sequential",
        "learning_rate": rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": steps // WARM_UP,
        "seed": job.seed,
        "use_cpu": not torch.accelerator.is_available(),
        "bf16": _can_use_bfloat16(job),
        "dataloader_pin_memory": torch.accelerator.is_available(),
        "save_strategy": "epoch",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "report_to": "none",
    }


def _count_most_rows(job: TrainingJob, start: Start, longest: int) -> int:
    """Most rows in memory at once; the others of a step follow.

    On a GPU, and where the rows of a step are compared with each other, all of them.
    """
    import torch

    if torch.accelerator.is_available() or not job.settings.shuffled:
        return job.settings.batch_size
    sides = 2 if job.settings.row is PairRow else 1
    config = start.model.config.get_text_config()
    return max(
        1, count_rows_in_memory(config, longest, 16 if _can_use_bfloat16(job) else 32) // sides
    )


def _can_use_bfloat16(job: TrainingJob) -> bool:
    """Whether the hardware multiplies numbers of 16 bits faster, and the job gains by it.

    On a CPU that has the instructions, an adapter that learns given answers does; adapter and
    optimiser stay in float32. Other trainings were not measured there and keep float32.
    """
    import torch

    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    if job.kind != "lora" or job.trainer not in ("sft", "dpo", "kto"):
        return False
    can: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # torch >= 2.10
    # torch can be told to do without what the processor has: ``ATEN_CPU_CAPABILITY``.
    taken = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return taken and bool(can.get("avx512_bf16"))


def _let_first_process_first() -> contextlib.AbstractContextManager[Any]:
    """The other processes enter when the first has left."""
    if PROCESSES == 1:
        return contextlib.nullcontext()
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.accelerator.is_available()).main_process_first()


if __name__ == "__main__":
    sys.exit(main())
