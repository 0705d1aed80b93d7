"""few-shot: the same demonstrations for every request (Brown et al. 2020)."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from whatworks.bench import Bench
from whatworks.candidate import Candidate
from whatworks.methods.base import Method
from whatworks.prompt import Demos
from whatworks.task import Example


class FewShot(Method):
    """Show ``k`` training examples as earlier turns.

    Attributes:
        k: How many; fewer when the model's context is too short for them.
        choose: ``random`` draws, ``balanced`` draws from the targets in turn.
        draws: How many sets are drawn; dev decides among them.
    """

    name: ClassVar[str] = "few-shot"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt.demos"})
    stochastic: ClassVar[bool] = True

    k: int = Field(default=4, ge=1)
    choose: Literal["random", "balanced"] = "random"
    draws: int = Field(default=1, ge=1)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the drawn demonstrations, in random order."""
        rng = random.Random(f"few-shot {bench.seed}")
        tried: list[Candidate] = []
        for _ in range(self.draws):
            drawn = _draw(bench.train, self.k, self.choose, rng)

            def build(k: int, drawn: tuple[Example, ...] = drawn) -> Candidate:
                return start.with_prompt(demos=Demos(pool=drawn, k=k))

            tried.append(bench.largest_fit(build, min(self.k, len(drawn)), "demonstrations"))
        best, scores = bench.best(tried)
        if scores:
            bench.note("draws", scores)
        return best


def _draw(rows: Sequence[Example], k: int, choose: str, rng: random.Random) -> tuple[Example, ...]:
    if choose == "random":
        return tuple(rng.sample(list(rows), min(k, len(rows))))
    by_target: defaultdict[str, list[Example]] = defaultdict(list)
    for row in rng.sample(list(rows), len(rows)):
        by_target[row.target].append(row)
    drawn: list[Example] = []
    depth = 0
    while len(drawn) < min(k, len(rows)):
        drawn += [group[depth] for group in by_target.values() if depth < len(group)]
        depth += 1
    drawn = drawn[:k]
    rng.shuffle(drawn)
    return tuple(drawn)
