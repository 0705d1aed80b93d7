"""prompt-search: instructions changed by the patterns of their errors, raced on dev."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from whatworks.analysis.method_outcomes import SearchStep, SearchTrail
from whatworks.analysis.mistakes import find_mistake, group_mistakes
from whatworks.base.errors import ArmFailure, BudgetExceeded
from whatworks.data.task import Example
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Method
from whatworks.methods.prompt_edits.allowance import Allowance
from whatworks.methods.prompt_edits.edits import Editor
from whatworks.methods.prompt_edits.racing import (
    RaceStanding,
    Track,
    compute_block_sizes,
    compute_race_cost,
    split_blocks,
    split_rows,
)
from whatworks.methods.prompt_edits.reflection import FINALISTS, HELPED, count_least, reflect
from whatworks.prompts.candidate import Candidate

LEAST_ROWS = 16
"""Rounds become narrower before a race is run on fewer rows."""


class PromptSearch(Method):
    """Search for a better prompt on one part of dev, decide on the part held out.

    Without a helper model, rounds of edits that the current prompt's error patterns suggest, each
    round a race by successive halving. With one, reflective evolutionary search (GEPA, Agrawal et
    al. 2025). The found prompt is returned even where it ends below its seed; the notes say so.

    Attributes:
        rounds: Most rounds of edits; the search ends early when none helps.
        width: Edits per round.
        calls: Most requests for the search, and as many again for deciding, within the study's
            budget; where dev is too large for a first round, samples of it are used.
        holdout: Share of dev that the search does not see.
        examples: Most counter-examples added to the prompt; 0 changes instructions only.
        helper: Use the study's helper model where there is one.
    """

    name: ClassVar[str] = "prompt-search"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt.instructions", "prompt.demos"})
    stochastic: ClassVar[bool] = True

    rounds: int = Field(default=4, ge=1)
    width: int = Field(default=8, ge=1)
    calls: int = Field(default=800, ge=1)
    holdout: float = Field(default=0.4, gt=0.0, lt=1.0)
    examples: int = Field(default=2, ge=0)
    helper: bool = True

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The start with the prompt that does best on the held-out dev rows.

        Raises:
            ArmFailure: If no edit can be asked.
            BudgetExceeded: If not even one edit of the prompt can be tried and decided on.
        """
        rng = random.Random(f"prompt-search {bench.seed}")
        rows, aside = split_rows(bench.dev, self.holdout, rng)
        helper = bench.helper if self.helper else None
        samples = start.decoding.samples
        allowed = Allowance(bench, self.calls, samples, helped=HELPED if helper else 0)
        rows, aside, width = self._afford(allowed, rows, aside, rng)
        if helper is not None:
            most = allowed.most((FINALISTS + 1) * len(aside))
            candidates = reflect(start, bench, helper, rows, most)
        else:
            track = Track(bench, split_blocks(rows, rng))
            candidates = self._by_edits(start, track, allowed, width, len(aside), rng)
        bench.note("requests", allowed.spent)
        if not candidates:
            raise ArmFailure(
                "no edit changes this prompt in a way that the model can be asked",
                remedy="write variants by hand (`prompt`), or shorten the instructions",
            )
        return _decide(start, candidates, Track(bench, (tuple(aside),)))

    def _afford(
        self,
        allowed: Allowance,
        rows: Sequence[Example],
        kept: Sequence[Example],
        rng: random.Random,
    ) -> tuple[Sequence[Example], Sequence[Example], int]:
        """Rows to search and to decide on, and edits a round, that a first round is paid for with.

        All of them where that is so; else both parts become samples, and then rounds narrower.
        """
        few = min(len(rows), LEAST_ROWS)
        options = [(count, self.width) for count in range(len(rows), few - 1, -1)]
        options += [(few, width) for width in range(self.width - 1, 0, -1)]
        for count, width in options:
            aside = math.ceil(count * len(kept) / len(rows))
            if allowed.helped:
                first, prompts = count_least(count), FINALISTS + 1
            else:
                first, prompts = count + compute_race_cost(width + 1, compute_block_sizes(count)), 2
            if allowed.pays(first, prompts * aside):
                break
        else:
            raise BudgetExceeded(
                f"not one edit can be tried on {few} dev rows within {self.calls} calls and what "
                "the budget leaves",
                remedy="raise `budget: {requests: ...}` or `calls`",
            )
        if (count, width) == (len(rows), self.width):
            return rows, kept, width
        bench = allowed.bench
        bench.note("sampled", f"{count} of {len(rows)} rows to search and {aside} of {len(kept)} "
                              f"to decide on, {width} edits a round, for the limit")  # fmt: skip
        return rng.sample(rows, count), rng.sample(kept, aside), width

    def _by_edits(
        self,
        start: Candidate,
        track: Track,
        allowed: Allowance,
        width: int,
        deciding: int,
        rng: random.Random,
    ) -> list[Candidate]:
        """The best prompt of each round, each an edit of the one before.

        Another round begins only while it is paid for, and ``deciding`` rows for each prompt.
        """
        bench = track.bench
        metric = bench.examiner.metric.name
        editor = Editor(metric, bench.train, self.examples)
        current = track.race([start], what="the seed")[0]
        trail: list[Candidate] = []
        history = [SearchStep(edit="seed", score=round(current.score, 4))]
        for number in range(1, self.rounds + 1):
            wrong = [
                find_mistake(metric, a.example, a.generation.text, a.score) for a in current.answers
            ]
            patterns = group_mistakes(one for one in wrong if one is not None)
            if trail and not patterns:
                break  # nothing is wrong any more
            edits = editor.edits(current.candidate.prompt, patterns, most=width, rng=rng)
            decision = (len(trail) + 2) * deciding
            if trail and not allowed.pays(track.cost(len(edits) + 1), decision):
                reason = f"after {allowed.spent} requests: another round would pass the limit"
                bench.note("stopped", reason)
                break
            tried = [current.candidate.replace(prompt=edit.prompt) for edit in edits]
            ranked = track.race([current.candidate, *tried], what=f"round {number}")
            incumbent = next(s for s in ranked if s.candidate is current.candidate)
            best = next((s for s in ranked if s.candidate is not current.candidate), None)
            helped = best is not None and best.merit > incumbent.merit
            if best is not None and (helped or not trail):
                edit = edits[tried.index(best.candidate)].name
                history.append(SearchStep(edit=edit, score=round(best.score, 4)))
                trail.append(best.candidate)
                current = best
            if not helped:
                break
        bench.tell(SearchTrail(name="trail", steps=tuple(history)))
        return trail


def _decide(start: Candidate, candidates: Sequence[Candidate], track: Track) -> Candidate:
    """The found candidate that does best on the rows held out; noted beside the seed's score."""
    bench = track.bench
    seed = RaceStanding(start, track.answers(start, 0))
    ranked = sorted(
        (RaceStanding(one, track.answers(one, 0)) for one in candidates),
        key=lambda standing: standing.merit,
        reverse=True,
    )
    best = ranked[0]
    bench.note("held_out", {"seed": round(seed.score, 4), "found": round(best.score, 4)})
    bench.note("held_out_rows", len(seed.answers))
    if best.merit < seed.merit:
        bench.note(
            "below_seed",
            f"the search ended below its seed on held-out dev rows: {best.score:.3f} against "
            f"{seed.score:.3f}",
        )
    bench.note("instructions", best.candidate.prompt.instructions)
    return best.candidate
