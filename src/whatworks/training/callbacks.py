"""Trainer callbacks: order of the rows, progress, checkpoints. Imported by the worker only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from whatworks.base.errors import ArmFailure
from whatworks.training.job import Checkpoint, TrainingProgress
from whatworks.training.row_order import APART
from whatworks.training.run_folder import RunFolder

PROGRESS_SECONDS = 0.1


class SeedEpochs(TrainerCallback):
    """What an epoch draws from torch's global generator depends on the seed and the epoch alone."""

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Seed by the number of finished epochs."""
        torch.manual_seed(args.seed * APART + math.floor((state.epoch or 0.0) + 1e-6))

    on_epoch_end = on_epoch_begin


class SeedSteps(TrainerCallback):
    """What a step draws depends on the seed and the step alone, also after resuming."""

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Seed by the number of finished steps, every process differently."""
        torch.manual_seed(args.seed * APART + state.global_step + args.process_index * 10**12)


class Watch(TrainerCallback):
    """Reports progress and refuses a loss that is not a number.

    Args:
        report: Takes the progress, at most every ``PROGRESS_SECONDS``.
        earlier: Seconds that interrupted attempts have spent on the steps already taken.
    """

    def __init__(self, report: Callable[[TrainingProgress], None], earlier: float) -> None:
        self._report = report
        self._earlier = earlier
        self._reported = -math.inf
        self._start = 0.0
        self._first = 0

    @property
    def seconds(self) -> float:
        """Seconds spent so far, earlier attempts included."""
        return self._earlier + time.monotonic() - self._start

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock."""
        self._start = time.monotonic()
        self._first = state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Check the loss of the step just taken, and report it.

        Raises:
            ArmFailure: If loss or gradient are not finite.
        """
        if logs is None or "loss" not in logs:
            return
        if not all(math.isfinite(logs.get(name, 0.0)) for name in ("loss", "grad_norm")):
            raise make_divergence_failure(state, args.learning_rate)
        now = time.monotonic()
        if now - self._reported < PROGRESS_SECONDS and state.global_step < state.max_steps:
            return
        self._reported = now
        pace = (now - self._start) / max(1, state.global_step - self._first)
        self._report(
            TrainingProgress(
                step=state.global_step,
                steps=state.max_steps,
                loss=logs["loss"],
                seconds=self.seconds,
                seconds_left=pace * (state.max_steps - state.global_step),
            )
        )


class Keep(TrainerCallback):
    """Publishes the checkpoint of each epoch and keeps one state to resume from.

    Args:
        folder: The run's files.
        kept: Checkpoints that earlier attempts published; new ones are added.
        watch: The clock.
        every: Save resumable state within an epoch, too, after so many seconds.
    """

    def __init__(
        self, folder: RunFolder, kept: list[Checkpoint], watch: Watch, every: float
    ) -> None:
        self._folder = folder
        self._kept = kept
        self._watch = watch
        self._every = every
        self._saved = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Ask for a save when the last one is long ago; the end of an epoch saves anyway."""
        if find_finished_epoch(state) is not None:
            control.should_training_stop |= _ask_first(args, self._folder.stopped)
        else:
            late = time.monotonic() - self._saved >= self._every
            control.should_save |= _ask_first(args, late)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Publish what the trainer has just written.

        Raises:
            ArmFailure: If a weight is not finite.
        """
        model: torch.nn.Module = kwargs["model"]
        if not all(bool(p.isfinite().all()) for p in list_trained(model)):
            raise make_divergence_failure(state, args.learning_rate)
        saved = find_just_saved(args, state)
        epoch = find_finished_epoch(state)
        if args.distributed_state is not None:
            args.distributed_state.wait_for_everyone()  # each process writes files of its own
        first = state.is_world_process_zero
        if epoch is not None and all(c.step != state.global_step for c in self._kept):
            if first:
                self._folder.keep(saved, epoch)
            self._kept.append(
                Checkpoint(name=f"epoch-{epoch}", epoch=epoch, step=state.global_step)
            )
        if first:
            self._folder.mark_done(saved, self._watch.seconds, self._kept)
        self._saved = time.monotonic()


def find_just_saved(args: TrainingArguments, state: TrainerState) -> Path:
    """The folder that the trainer has just written."""
    return Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"


def _ask_first(args: TrainingArguments, mine: bool) -> bool:
    """What the first process decides: all save and stop at the same step."""
    if args.world_size == 1:
        return mine
    decision = torch.tensor(int(mine), device=args.device)
    torch.distributed.broadcast(decision, src=0)
    return bool(decision)


def list_trained(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """The parameters that learn."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def find_finished_epoch(state: TrainerState) -> int | None:
    """The epoch whose last step was just taken, None in the middle of one."""
    epoch = round(state.epoch or 0.0)
    return epoch if abs((state.epoch or 0.0) - epoch) < 1e-6 else None


def make_divergence_failure(state: TrainerState, rate: float) -> ArmFailure:
    """The failure of a training whose numbers left the finite."""
    return ArmFailure(
        f"the loss diverged (not a number) at step {state.global_step} of {state.max_steps}",
        remedy=f"lower the learning rate, now {rate:.3g}",
    )
