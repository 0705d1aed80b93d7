"""The child process that tunes an encoder: ``python -m whatworks.training.encoder_worker FOLDER``.

It prints ``{"step": [n, of]}`` as it goes on, and ``{"failure": ...}`` when it ends early.
"""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from whatworks.base.store import write_atomic
from whatworks.training.encoder_fit import EncoderJob, FittedEncoder, read_job
from whatworks.training.failure import diagnose
from whatworks.training.worker_channel import claim_stdout, end_with_launcher

_TRAINER_FILES = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json",
                  "training_args.bin")  # fmt: skip


def preload() -> None:
    """Import what every tuning needs."""
    importlib.import_module("sentence_transformers")


def main() -> int:
    """Tune the encoder of the folder named on the command line; the process's exit code."""
    send = claim_stdout()
    folder = Path(sys.argv[1])
    try:
        end_with_launcher()
        fitted = run(read_job(folder), folder, lambda n, of: send("step", [n, of]))
        write_atomic(folder / "result.json", fitted.model_dump_json())
    except Exception as error:
        traceback.print_exc()
        send("failure", diagnose(error).model_dump())
        return 1
    return 0


def run(job: EncoderJob, folder: Path, report: Callable[[int, int], None]) -> FittedEncoder:
    """Tune to the end; the encoder after each epoch is left in a folder of its own."""
    import torch
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.base.sampler import BatchSamplers
    from transformers import PrinterCallback

    began = time.monotonic()
    model = load(job)
    state = folder / "state"
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(state),
        num_train_epochs=job.epochs,
        per_device_train_batch_size=job.batch_size,
        learning_rate=job.learning_rate,
        warmup_steps=0.1,
        seed=job.seed,
        use_cpu=not torch.accelerator.is_available(),
        # A passage that answers two requests of a batch would stand against itself.
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        save_strategy="epoch",
        logging_steps=1,
        report_to="none",
        disable_tqdm=True,
    )
    columns = {"anchor": [a for a, _ in job.pairs], "positive": [b for _, b in job.pairs]}
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns),
        loss=_make_loss(job, model),
        callbacks=[_make_watch(report)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    kept = sorted(state.glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))
    for epoch, saved in enumerate(kept, start=1):
        for name in _TRAINER_FILES:
            (saved / name).unlink(missing_ok=True)
        saved.rename(folder / f"epoch-{epoch}")
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    return FittedEncoder(
        epochs=tuple(f"epoch-{epoch}" for epoch in range(1, len(kept) + 1)),
        losses=tuple(losses),
        seconds=time.monotonic() - began,
    )


def load(job: EncoderJob) -> Any:
    """The encoder with mean pooling, which is how its vectors are made everywhere else here."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules.transformer import Transformer
    from sentence_transformers.sentence_transformer.modules.pooling import Pooling

    own: Any = Transformer(
        job.encoder,
        max_seq_length=job.max_tokens,
        model_kwargs={"local_files_only": True, "trust_remote_code": False},
    )
    return SentenceTransformer(
        modules=[own, Pooling(own.get_embedding_dimension(), "mean")],
        device=None,
    )


def _make_loss(job: EncoderJob, model: Any) -> Any:
    from sentence_transformers.sentence_transformer import losses

    if job.loss == "cached":
        return losses.CachedMultipleNegativesRankingLoss(model)
    if job.loss == "multiple-negatives":
        return losses.MultipleNegativesRankingLoss(model)
    both = ("query_to_doc", "doc_to_query")
    return losses.MultipleNegativesRankingLoss(
        model, directions=both, partition_mode="per_direction"
    )


def _make_watch(report: Callable[[int, int], None]) -> Any:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class Watch(TrainerCallback):
        """Tells of each step."""

        def on_step_end(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
        ) -> None:
            report(state.global_step, state.max_steps)

    return Watch()


if __name__ == "__main__":
    sys.exit(main())
