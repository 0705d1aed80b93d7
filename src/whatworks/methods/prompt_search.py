"""prompt-search: instructions changed by the patterns of their errors, raced on dev."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from whatworks.bench import Bench
from whatworks.candidate import Candidate
from whatworks.errors import ArmFailure
from whatworks.methods.base import Method
from whatworks.patterns import grouped, mistake
from whatworks.prompting.edits import Editor
from whatworks.prompting.racing import Standing, Track, blocks_of, held_out


class PromptSearch(Method):
    """Search for a better prompt on one part of dev, decide on the part held out.

    Without a helper model, rounds of edits that the current prompt's error patterns suggest, each
    round a race by successive halving. With one, reflective evolutionary search (GEPA, Agrawal et
    al. 2025). The found prompt is returned even where it ends below its seed; the notes say so.

    Attributes:
        rounds: Most rounds of edits; the search ends early when none helps.
        width: Edits per round.
        calls: Most requests for the search, within the study's budget.
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
        """The start with the prompt that does best on the held-out dev rows."""
        rng = random.Random(f"prompt-search {bench.seed}")
        rows, kept = held_out(bench.dev, self.holdout, rng)
        if self.helper and bench.helper is not None:
            from whatworks.prompting.reflection import reflect

            before = bench.ledger.requests
            limit = self._limit(bench, before)
            found = reflect(start, bench, bench.helper, rows, limit)
            bench.note("requests", bench.ledger.requests - before)
        else:
            found = self._by_edits(start, Track(bench, blocks_of(rows, rng)), rng)
        if not found:
            raise ArmFailure(
                "no edit changes this prompt in a way that the model can be asked",
                remedy="write variants by hand (`prompt`), or shorten the instructions",
            )
        return _decide(start, found, Track(bench, (tuple(kept),)))

    def _by_edits(self, start: Candidate, track: Track, rng: random.Random) -> list[Candidate]:
        """The best prompt of each round, each an edit of the one before."""
        bench = track.bench
        metric = bench.examiner.metric.name
        editor = Editor(metric, bench.train, self.examples)
        before = bench.ledger.requests
        current = track.race([start], what="the seed")[0]
        trail: list[Candidate] = []
        history: list[dict[str, Any]] = [{"edit": "seed", "score": round(current.score, 4)}]
        for number in range(1, self.rounds + 1):
            wrong = [
                mistake(metric, a.example, a.generation.text, a.score) for a in current.answers
            ]
            patterns = grouped(one for one in wrong if one is not None)
            if trail and not patterns:
                break  # nothing is wrong any more
            edits = editor.edits(current.candidate.prompt, patterns, most=self.width, rng=rng)
            spent = bench.ledger.requests - before
            if trail and spent + track.cost(len(edits) + 1) > self._limit(bench, before):
                bench.note("stopped", f"after {spent} requests: another round would pass the limit")
                break
            tried = [current.candidate.replace(prompt=edit.prompt) for edit in edits]
            ranked = track.race([current.candidate, *tried], what=f"round {number}")
            incumbent = next(s for s in ranked if s.candidate is current.candidate)
            best = next((s for s in ranked if s.candidate is not current.candidate), None)
            helped = best is not None and best.merit > incumbent.merit
            if best is not None and (helped or not trail):
                edit = edits[tried.index(best.candidate)].name
                history.append({"edit": edit, "score": round(best.score, 4)})
                trail.append(best.candidate)
                current = best
            if not helped:
                break
        bench.note("trail", history)
        bench.note("requests", bench.ledger.requests - before)
        return trail

    def _limit(self, bench: Bench, before: int) -> int:
        """Requests for the search: its own limit, or what the study's budget leaves."""
        budget = bench.budget.requests
        return self.calls if budget is None else min(self.calls, budget - before)


def _decide(start: Candidate, found: Sequence[Candidate], track: Track) -> Candidate:
    """The found candidate that does best on the rows held out; noted beside the seed's score."""
    bench = track.bench
    seed = Standing(start, track.answers(start, 0))
    ranked = sorted(
        (Standing(one, track.answers(one, 0)) for one in found),
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
