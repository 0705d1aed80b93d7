"""self-consistency: several sampled answers, the most frequent one counts (Wang et al. 2022)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.prompts.candidate import Candidate


class SelfConsistency(Method):
    """Draw ``n`` answers and take the one that most of them mean.

    Attributes:
        n: How many are drawn.
        temperature: How freely.
        top_p: Nucleus mass.
    """

    name: ClassVar[str] = "self-consistency"
    owns: ClassVar[frozenset[str]] = frozenset(
        f"decoding.{field}" for field in ("samples", "pick", "temperature", "top_p", "seed")
    )
    stochastic: ClassVar[bool] = True

    n: int = Field(default=5, ge=2)
    temperature: float = Field(default=0.7, gt=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start, with several samples for each answer."""
        return start.with_decoding(
            samples=self.n,
            pick="majority",
            temperature=self.temperature,
            top_p=self.top_p,
            seed=bench.seed,
        )
