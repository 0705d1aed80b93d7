"""The leash of reinforcement: what is kept was measured within it. Imported by the worker only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from whatworks.analysis.method_outcomes import ReinforcementStep
from whatworks.base.errors import ArmFailure
from whatworks.training.callbacks import find_just_saved, list_trained

PATIENCE = 20
"""Steps of reinforcement that may pass without any difference in reward."""


class Leash(TrainerCallback):
    """Stops reinforcement that has left the model it started from, or that learns nothing.

    A step measures the weights that it begins with, by the answers that it draws, and changes them.
    So two sets of weights are held in main memory: those that the current step measures, and the
    last ones that were found within the leash, to which ``restore`` goes back.

    Args:
        longest: KL in nats per answer at which training stops.
        resumed: The trainer checkpoint that training goes on from, if any.

    Attributes:
        longest: As given.
        broken: The step that found the weights out of reach, None while none has.
    """

    def __init__(self, longest: float, resumed: Path | None) -> None:
        self.broken: ReinforcementStep | None = None
        self.longest = longest
        self._resumed = resumed
        self._begun: tuple[int, list[torch.Tensor]] | None = None
        self._within: tuple[int, list[torch.Tensor]] | None = None

    def restore(self, model: torch.nn.Module) -> int:
        """Give the model its last weights within the leash; how many steps they have taken."""
        assert self._within is not None
        step, weights = self._within
        with torch.no_grad():
            for parameter, value in zip(list_trained(model), weights, strict=True):
                parameter.copy_(value)
        return step

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take up the weights that an interrupted attempt held."""
        if self._resumed is not None:
            self._within = torch.load(_name_file(self._resumed, args), weights_only=True)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Hold the weights that this step will measure."""
        weights = [p.detach().to("cpu", copy=True) for p in list_trained(kwargs["model"])]
        self._begun = (state.global_step, weights)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Look at the step just taken.

        Raises:
            ArmFailure: If the first step left the leash, or if the rewards of the first
                ``PATIENCE`` steps were all the same.
        """
        points = read_trace(state)
        if logs is None or "loss" not in logs or not points:
            return
        if points[-1].kl <= self.longest:
            self._within = self._begun
        elif self._within is None or self._within[0] <= (args.warmup_steps > 0):
            raise ArmFailure(  # the first step of a warm-up moves nothing
                f"the first step left the leash: a KL of {points[-1].kl:.3g} nats per answer "
                f"from the start, over {self.longest:g}",
                remedy="lower the learning rate, or lengthen the leash",
            )
        else:
            self.broken = points[-1]
            control.should_training_stop, control.should_save = True, False
        tried = min(PATIENCE, state.max_steps)
        if state.global_step == tried and not any(point.spread > 0 for point in points):
            raise ArmFailure(
                f"in {tried} steps, all answers to one prompt had the same reward: there is "
                "nothing to learn from",
                remedy="tune first (`sft+rl`), so that some answers are right, or use a metric "
                "that gives partial credit",
            )

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Weights out of reach are not saved: who resumes finds the leash broken again."""
        control.should_save &= self.broken is None

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Keep the held weights beside the state to resume from."""
        torch.save(self._within, _name_file(find_just_saved(args, state), args))


def read_trace(state: TrainerState) -> tuple[ReinforcementStep, ...]:
    """What each step of reinforcement saw, by the trainer's own log."""
    return tuple(
        ReinforcementStep(
            step=int(log["step"]),
            kl=log["kl"] * log["completions/mean_length"],
            reward=log["rewards/reward/mean"],
            gold=log["rewards/gold/mean"],
            spread=log["spread"],
        )
        for log in state.log_history
        if "rewards/gold/mean" in log  # other trainers log a divergence of their own
    )


def _name_file(saved: Path, args: TrainingArguments) -> Path:
    """Each process holds its own."""
    return saved / f"leash-{args.process_index}.pt"
