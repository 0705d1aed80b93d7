"""few-shot: the same demonstrations for every request (Brown et al. 2020)."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from whatworks.data.task import Example
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.methods.prompt_edits.racing import Track, split_blocks
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Demos

SEARCHED = 8
"""Sets that a search starts from at least."""
ROUNDS = 2
"""Times that a search changes the best set."""


class FewShot(Method):
    """Show ``k`` training examples as earlier turns.

    Attributes:
        k: How many; fewer when the model's context or ``tokens`` is too small for them.
        choose: ``random`` draws, ``balanced`` draws from the targets in turn, ``searched`` races
            several draws of both kinds on dev, then changes and reorders the best of them.
        draws: How many sets are drawn; dev decides among them. A search draws 8 at least.
        tokens: Most prompt tokens that the demonstrations may take.
    """

    name: ClassVar[str] = "few-shot"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt.demos"})
    stochastic: ClassVar[bool] = True

    k: int = Field(default=4, ge=1)
    choose: Literal["random", "balanced", "searched"] = "random"
    draws: int = Field(default=1, ge=1)
    tokens: int | None = Field(default=None, ge=1)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the chosen demonstrations, in the chosen order.

        Raises:
            ArmFailure: If not even one fits.
        """
        rng = random.Random(f"few-shot {bench.seed}")
        if self.choose == "searched":
            return self._search(start, bench, rng)
        tried = [
            self._fit_pool(start, bench, _draw(bench.train, self.k, self.choose, rng))
            for _ in range(self.draws)
        ]
        best, scores = bench.best(tried)
        if scores:
            bench.note("draws", scores)
        return best

    def _fit_pool(self, start: Candidate, bench: Bench, drawn: tuple[Example, ...]) -> Candidate:
        def build(k: int) -> Candidate:
            return start.with_prompt(demos=Demos(pool=drawn, k=k))

        k = min(self.k, len(drawn))
        if self.tokens is not None:
            k = bench.within(build, k, self.tokens, "demonstrations")
        return bench.largest_fit(build, k, "demonstrations")

    def _search(self, start: Candidate, bench: Bench, rng: random.Random) -> Candidate:
        """Races of sets: first of draws, then of the best one's neighbours."""
        count = max(self.draws, SEARCHED)
        kinds = ["balanced" if i % 2 else "random" for i in range(count)]
        sets = [_draw(bench.train, self.k, kind, rng) for kind in kinds]
        track = Track(bench, split_blocks(bench.dev, rng))
        best = track.race([self._fit_pool(start, bench, one) for one in sets], what="draws")[0]
        scores = [round(best.score, 4)]
        for _ in range(ROUNDS):
            demos = best.candidate.prompt.demos
            assert demos is not None
            shown = demos.pool[: demos.k]
            near = [_choose_neighbour(shown, bench.train, rng) for _ in range(count)]
            tried = [self._fit_pool(start, bench, one) for one in near]
            best = track.race([best.candidate, *tried], what="neighbours")[0]
            scores.append(round(best.score, 4))
        bench.note("searched", scores)
        return best.candidate


def _choose_neighbour(
    shown: tuple[Example, ...], train: Sequence[Example], rng: random.Random
) -> tuple[Example, ...]:
    """The set in another order, or with one row exchanged for one with another input."""
    rows = list(shown)
    others = [row for row in train if row not in shown]
    if others and (len(rows) == 1 or rng.random() < 0.5):
        rows[rng.randrange(len(rows))] = rng.choice(others)
    else:
        rng.shuffle(rows)
    return tuple(rows)


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
