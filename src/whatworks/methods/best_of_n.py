"""best-of-n: several sampled answers, the likeliest or the best rewarded one counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from whatworks.data.task import MetricSpec
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.pick_answer import load_reward
from whatworks.methods.method import Method
from whatworks.metrics.registry import resolve_metric
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate


class BestOfN(Method):
    """Draw ``n`` answers and take the one with the highest mean log-probability of a token.

    Attributes:
        n: How many are drawn.
        temperature: How freely.
        top_p: Nucleus mass.
        reward: A metric that needs no target, by name and options, to choose by instead; the
            likeliest among equals. It sees inputs and messages, as when the arm is served.
    """

    name: ClassVar[str] = "best-of-n"
    owns: ClassVar[frozenset[str]] = frozenset(
        f"decoding.{field}"
        for field in ("samples", "pick", "reward", "temperature", "top_p", "seed")
    )
    stochastic: ClassVar[bool] = True

    n: int = Field(default=5, ge=2)
    temperature: float = Field(default=0.7, gt=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    reward: MetricSpec | None = None

    @field_validator("reward", mode="before")
    @classmethod
    def _as_written(cls, reward: Any) -> Any:
        return MetricSpec.read(reward) if isinstance(reward, Mapping | str) else reward

    def locate(self, root: Path) -> BestOfN:
        """The method with the reward's files located."""
        return (
            self if self.reward is None else self.replace(reward=resolve_metric(self.reward, root))
        )

    def plan(self, weights: Weights) -> Weights:
        """The lineage as it is.

        Raises:
            InputError: If the reward is none.
        """
        if self.reward is not None:
            load_reward(self.reward)
        return super().plan(weights)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start, with several samples for each answer."""
        return start.with_decoding(
            samples=self.n,
            pick="likeliest" if self.reward is None else "reward",
            reward=self.reward,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=bench.seed,
        )
