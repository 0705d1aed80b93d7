"""Races on dev: many candidates on a few rows, the better half on more, and so on.

Successive halving (Karnin, Koren and Somekh 2013; Jamieson and Talwalkar 2016), which spends most
requests on the candidates between which it is hard to tell. The first candidate, the one to beat,
runs to the end, so that the winner was compared with it on the same rows.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from whatworks.base.errors import ArmFailure, BudgetExceeded, InputError
from whatworks.data.task import Example
from whatworks.methods.bench.bench import Bench
from whatworks.methods.bench.examiner import Answer, mean
from whatworks.metrics.text_overlap import measure_overlap
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.retrieval.words import split_words

Merit = tuple[float, float, float, float]


@dataclass(frozen=True)
class RaceStanding:
    """A candidate with its answers so far."""

    candidate: Candidate
    answers: tuple[Answer, ...]

    @property
    def score(self) -> float:
        """Mean score of the kind that counts."""
        return mean([answer.score.counted for answer in self.answers])

    @property
    def merit(self) -> Merit:
        """What candidates are ranked by: the strict score, and among equals how near they came.

        That is the lenient score, then how often the form was kept, then the words in common with
        the targets: a weak model may be right nowhere and still be on its way.
        """
        scores = [answer.score for answer in self.answers]
        return (
            self.score,
            mean([score.forgiving for score in scores]),
            -mean([float(score.kind == "malformed") for score in scores]),
            mean([_measure_likeness(a.generation.text, a.example.target) for a in self.answers]),
        )


@dataclass
class Track:
    """Blocks of dev rows to race on; an answer is asked for, and paid, once."""

    bench: Bench
    blocks: tuple[tuple[Example, ...], ...]
    _asked: dict[tuple[str, int], tuple[Answer, ...]] = field(
        default_factory=dict[tuple[str, int], tuple[Answer, ...]]
    )

    def race(self, candidates: Sequence[Candidate], *, what: str = "") -> list[RaceStanding]:
        """The candidates by merit, best first; the earlier among equals.

        Those that ran further stand before those that were left behind. A candidate whose prompts
        do not fit the model, or show what is not there (an embedder), is out.

        Raises:
            ArmFailure, InputError: If not even the first candidate can be asked.
            BudgetExceeded: Before a request that would pass a limit leaves.
        """
        running = [RaceStanding(candidate, ()) for candidate in candidates]
        behind: list[RaceStanding] = []
        for number in range(len(self.blocks)):
            further: list[RaceStanding] = []
            for one in running:
                try:
                    answers = self.answers(one.candidate, number)
                except BudgetExceeded:
                    raise
                except (ArmFailure, InputError):
                    if one.candidate is candidates[0]:
                        raise
                    continue
                further.append(RaceStanding(one.candidate, one.answers + answers))
            running = sorted(further, key=lambda s: s.merit, reverse=True)
            self.bench.report(f"racing {what}".strip(), number + 1, len(self.blocks))
            if number < len(self.blocks) - 1 and len(running) > 2:
                half = (len(running) + 1) // 2
                first = [s for s in running[half:] if s.candidate is candidates[0]]
                behind = [s for s in running[half:] if s not in first] + behind
                running = running[:half] + first
        return running + behind

    def answers(self, candidate: Candidate, block: int) -> tuple[Answer, ...]:
        """A candidate's answers to one block."""
        key = (candidate.key, block)
        if key not in self._asked:
            self._asked[key] = tuple(self.bench.answers(candidate, self.blocks[block]))
        return self._asked[key]

    def cost(self, count: int) -> int:
        """Most answers that a race of ``count`` candidates takes, the first one known already."""
        return compute_race_cost(count, [len(block) for block in self.blocks])


def _measure_likeness(answer: str, wanted: str) -> float:
    return measure_overlap(Counter(split_words(answer)), Counter(split_words(wanted))).f1


def split_blocks(rows: Sequence[Example], rng: random.Random) -> tuple[tuple[Example, ...], ...]:
    """Rows in random order, cut into a quarter, a quarter and a half."""
    order = iter(rng.sample(list(rows), len(rows)))
    return tuple(tuple(islice(order, size)) for size in compute_block_sizes(len(rows)))


def compute_block_sizes(count: int) -> list[int]:
    """Rows in each block of so many."""
    first, second = (count + 3) // 4, (count + 1) // 2
    return [size for size in (first, second - first, count - second) if size]


def compute_race_cost(count: int, sizes: Sequence[int]) -> int:
    """Most answers that a race over blocks of these sizes takes; see ``Track.cost``."""
    total, running = 0, count - 1
    for size in sizes:
        total += running * size
        running = min(running, (running + 2) // 2)
    return total


def split_rows(
    rows: Sequence[Example], share: float, rng: random.Random
) -> tuple[list[Example], list[Example]]:
    """Rows to search on, and rows kept aside to decide on; groups stay together.

    A single group cannot be divided: it is then both.
    """
    groups: dict[str, list[Example]] = {}
    for row in rows:
        groups.setdefault(row.group or f"\0{row.id}", []).append(row)
    names = sorted(groups)
    rng.shuffle(names)
    aside: list[Example] = []
    while names[1:] and len(aside) < share * len(rows):
        aside += groups[names.pop()]
    inside = {row.id for row in aside}
    return [row for row in rows if row.id not in inside], aside or list(rows)
