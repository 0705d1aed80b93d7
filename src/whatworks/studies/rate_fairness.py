"""Whether ways of training were compared at learning rates that suit each of them.

The best rate of LoRA, of its variants and of full training differs, and much of what is reported
between them goes when each has its own searched ("Learning Rate Matters: Vanilla LoRA May Suffice
for LLM Fine-tuning", arXiv 2602.04998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from whatworks.base.phrasing import join_names
from whatworks.methods.method import Method
from whatworks.methods.settings_search import Search, SettingsTrial
from whatworks.studies.arm_entries import Arm

SHAPES = ("kind", "variant", "rank", "modules")
"""Settings that make another way of training of the same method."""


@dataclass(frozen=True)
class _Trained:
    """How an arm trains.

    Attributes:
        arm: Its name.
        shape: Values of ``SHAPES``, of each step that trains.
        searched: Whether dev chose the learning rate of the last step that trains.
    """

    arm: str
    shape: tuple[tuple[object, ...], ...]
    searched: bool


def describe_unsearched(arms: Sequence[Arm]) -> list[str]:
    """A sentence for each group of arms that differ in how they train, and whose learning rates
    were not all searched; none where they were."""
    groups: dict[tuple[object, ...], list[_Trained]] = {}
    for arm in arms:
        if any(step.trains for step in arm.chain.flat):
            names = tuple(step.name for step in arm.chain.flat)
            groups.setdefault((names, arm.model, arm.rows), []).append(_read(arm))
    lines: list[str] = []
    for group in groups.values():
        if len({one.shape for one in group}) < 2:
            continue
        if left := [one.arm for one in group if not one.searched]:
            differing = [name for at, name in enumerate(SHAPES) if _differs(group, at)]
            lines.append(
                f"{join_names([one.arm for one in group])} differ in {join_names(differing)}, and "
                f"the learning rate of {join_names(left)} was not searched: part of their "
                "difference may be the rate alone (arXiv 2602.04998). "
                "`search: {learning_rate: auto}` in each makes them comparable."
            )
    return lines


def _read(arm: Arm) -> _Trained:
    steps = [step for step in arm.chain.flat if step.trains]
    shape = tuple(tuple(getattr(step, name, None) for name in SHAPES) for step in steps)
    rates = {_read_rate(trial.chain.flat) for trial in _list_trials(arm)}
    return _Trained(arm.name, shape, len(rates) > 1)


def _list_trials(arm: Arm) -> list[SettingsTrial]:
    return [one for step in arm.chain.steps if isinstance(step, Search) for one in step.trials]


def _read_rate(steps: Sequence[Method]) -> object:
    rates = [getattr(step, "learning_rate", None) for step in steps if step.trains]
    return rates[-1] if rates else None


def _differs(group: Sequence[_Trained], at: int) -> bool:
    return len({tuple(step[at] for step in one.shape) for one in group}) > 1
