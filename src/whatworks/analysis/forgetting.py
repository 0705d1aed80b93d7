"""Forgetting: what tuning changed that it was not asked to change. Pure.

Each trained arm is asked a retention set of prompts that have nothing to do with the task
(``retention.py``); its weights are compared with the untouched model's, which is the reference
whether its answers are good or not.

- **agreement**: share of the prompts to which both give the same greedy answer.
- **KL**: divergence of the tuned model from the untouched one in nats per token,
  ``mean of log p_untouched - log p_tuned`` over the tokens of answers that the untouched model
  samples at temperature 1: the Monte-Carlo estimate of KL(untouched || tuned).
- **KL on the task**: the same on the task's own rows, under the arm's own prompt. How much an arm
  forgets goes with it across ways of training (Shenfeld et al. 2025, "RL's Razor", arXiv
  2509.04259).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Forgetting:
    """How far a tuned model is from the untouched one.

    Attributes:
        agreement: Share of the prompts with the same greedy answer, in [0, 1].
        kl: KL(untouched || tuned) in nats per token.
        prompts: How many were asked.
        task: KL on rows of the task, in nats per token; None where it was not measured.
    """

    agreement: float
    kl: float
    prompts: int
    task: float | None = None


def compare(
    same: Sequence[float],
    untouched: Sequence[float],
    tuned: Sequence[Sequence[float]],
) -> Forgetting:
    """Agreement and divergence, from what was asked. Pure.

    Args:
        same: For each prompt, 1 where both models give the same greedy answer, else 0.
        untouched: For each sampled answer of the untouched model, its log-probability by that
            model, in nats.
        tuned: The log-probability of each of its tokens by the tuned model.
    """
    return Forgetting(_mean(same), estimate_kl(untouched, tuned), len(same))


def estimate_kl(untouched: Sequence[float], tuned: Sequence[Sequence[float]]) -> float:
    """KL(untouched || tuned) in nats per token, of answers as ``compare`` takes them. Pure."""
    tokens = sum(map(len, tuned))
    apart = sum(own - sum(other) for own, other in zip(untouched, tuned, strict=True))
    return apart / tokens if tokens else 0.0


def average_seeds(seeds: Sequence[Forgetting]) -> Forgetting:
    """The mean over the runs of an arm, one at least."""
    tasks = [one.task for one in seeds if one.task is not None]
    return Forgetting(
        _mean([one.agreement for one in seeds]),
        _mean([one.kl for one in seeds]),
        seeds[0].prompts,
        _mean(tasks) if tasks else None,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
