"""Settings tried by successive halving (Jamieson and Talwalkar 2016), decided on dev.

Written as a list of values under ``search:`` in an arm's settings. Every combination is a trial;
all start on a share of the rows, the better ones go on to three times as many, and those that are
left are adapted on everything. A share is one of dev and, where a trial trains, of the train rows
and pairs: the same rows for all trials, the smaller share within the larger.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from whatworks.base.errors import ArmFailure, BudgetExceeded, InputError, arm_failures
from whatworks.base.frozen import Frozen
from whatworks.methods.bench.bench import Bench
from whatworks.methods.method import Chain, Method
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.training.schedule import RATES, Kind

KEEP_ONE_IN = 3
"""Of so many trials one goes on to so many times the rows (eta; Li et al. 2018 advise 3 or 4)."""
LEAST_ROWS = 50
"""No trial is judged on fewer rows, where there are so many."""
MOST_TRIALS = 16

T = TypeVar("T")
Settings = Mapping[str, Mapping[str, Any]]


class SettingsTrial(Frozen):
    """One combination of settings."""

    settings: str
    chain: Chain


@dataclass
class _Tried:
    """A trial with what came of it at its last share of the rows."""

    trial: SettingsTrial
    share: float = 0.0
    score: float | None = None
    candidate: Candidate | None = None
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    failure: ArmFailure | None = None

    def run(self, start: Candidate, part: Bench, share: float) -> None:
        """Adapt and score on a part of the bench; a failure is kept, a spent budget passes."""
        self.share, self.score = share, None
        try:
            with arm_failures():  # a wrong setting is an InputError
                self.candidate = self.trial.chain.adapt(start, part)
                self.score = part.dev_score(self.candidate)
        except BudgetExceeded:
            raise
        except ArmFailure as failure:
            self.failure = failure
        self.outcomes = part.outcomes

    def __str__(self) -> str:
        if self.failure is not None:
            return f"{self.trial.settings}: {self.failure.in_words}"
        if self.score is None:
            return f"{self.trial.settings}: not tried, the budget did not reach"
        rows = "all rows" if self.share == 1 else f"{100 * self.share:.0f}% of the rows"
        return f"{self.trial.settings}: {100 * self.score:.1f}% on dev, with {rows}"


class Search(Method):
    """Adapt with the trial that does best on dev; what each scored is noted.

    Attributes:
        trials: The combinations of settings.
    """

    name: ClassVar[str] = "search"
    owns: ClassVar[frozenset[str]] = frozenset({"prompt", "weights", "decoding", "lessons"})

    trials: tuple[SettingsTrial, ...]

    @property
    def reads_documents(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether anything tried does."""
        return any(trial.chain.reads_documents for trial in self.trials)

    @property
    def stochastic(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether any trial is."""
        return any(trial.chain.stochastic for trial in self.trials)

    @property
    def flat(self) -> tuple[Method, ...]:
        """The methods of a trial; all have the same."""
        return self.trials[0].chain.flat

    def locate(self, root: Path) -> Search:
        """The search with the files of every trial located."""
        trials = (trial.replace(chain=trial.chain.locate(root)) for trial in self.trials)
        return self.replace(trials=tuple(trials))

    def plan(self, weights: Weights) -> Weights:
        """The lineage of the first trial, when all of them can stand.

        Raises:
            StackingError: If a trial cannot train on top of this lineage.
        """
        for trial in self.trials[1:]:
            trial.chain.lineage(weights)
        return self.trials[0].chain.lineage(weights)

    def adapt(self, start: Candidate, bench: Bench) -> Candidate:
        """The best trial's candidate, adapted on all rows.

        Raises:
            ArmFailure: If every trial failed.
            BudgetExceeded: If the budget does not pay for one trial on all rows.
        """
        everything = [_Tried(trial) for trial in self.trials]
        going = everything
        for share in plan_shares(len(everything)):
            results = self._rung(going, start, bench, share)
            scored = [tried for tried in results if tried.score is not None]
            if not scored:
                first = next(tried.failure for tried in results if tried.failure)
                raise ArmFailure(
                    f"every tried setting failed: {first.in_words}", remedy=first.remedy
                )
            scored.sort(key=lambda tried: -(tried.score or 0.0))  # stable: the earlier of equals
            going = scored[: math.ceil(len(scored) / KEEP_ONE_IN)]
        best = going[0]
        assert best.candidate is not None
        for outcome in best.outcomes:
            bench.tell(outcome)
        bench.note("chosen", best.trial.settings)
        bench.note("tried", [str(tried) for tried in everything])
        return best.candidate

    def _rung(
        self, going: Sequence[_Tried], start: Candidate, bench: Bench, share: float
    ) -> Sequence[_Tried]:
        """Try on a share of the rows; those that were.

        A trial begins only while the budget can pay for it and for one more on all rows.
        """
        part = _take_part(bench, share, train=any(t.trial.chain.trains for t in going))
        here = len(part.dev) / len(bench.dev)
        began = bench.ledger.share(bench.budget)
        for at, tried in enumerate(going):
            spent = bench.ledger.share(bench.budget)
            price = (spent - began) / max(1, at)
            if at and price * (1 if here == 1 else 1 + 1 / here) > 1 - spent:
                return going[:at]
            tried.run(start, replace(part, outcomes=[]), here)
        return going


def plan_shares(trials: int) -> list[float]:
    """Shares of the rows, one per rung, the last one 1: as many as it takes to be left with few."""
    rungs = max(1, math.ceil(math.log(trials, KEEP_ONE_IN) - 1e-9))
    return [KEEP_ONE_IN ** float(i + 1 - rungs) for i in range(rungs)]


def build_search(
    spec: str, make: Callable[[Settings], Chain], settings: Settings, trials: int
) -> Chain | None:
    """The chain whose steps, from the first one searched on, are a search; None without any.

    Args:
        spec: The chain as it is written.
        make: Builds the chain from settings by method.
        settings: Settings by method; a mapping called ``search`` among them has, by setting, a
            list of the values to try; ``auto`` for ``learning_rate`` (``training.schedule.RATES``).
        trials: Most combinations; of more, so many are drawn.

    Raises:
        InputError: If the values are no list, or a setting is unknown or does not fit.
    """
    fixed = {method: dict(own) for method, own in settings.items()}
    searches = {
        method: own.pop("search")
        for method, own in fixed.items()
        if isinstance(own.get("search"), Mapping)
    }
    for method, tried in searches.items():
        searches[method] = _fill_rates(tried, fixed[method], spec)
    over = [(method, setting) for method, tried in searches.items() for setting in tried]
    if not over:
        return None
    for method, setting in over:
        if not isinstance(searches[method][setting], list) or not searches[method][setting]:
            raise InputError(
                f"nothing to try for {setting!r} of {method}",
                place=f"arm {spec!r}",
                remedy=f"give a list of values: {{{method}: {{search: {{{setting}: [...]}}}}}}",
            )
    grid = list(itertools.product(*(searches[method][setting] for method, setting in over)))
    if len(grid) > trials:
        chosen = random.Random("search").sample(range(len(grid)), trials)
        grid = [grid[i] for i in sorted(chosen)]
    combinations: list[SettingsTrial] = []
    steps: tuple[Method, ...] = ()
    for values in grid:
        with_values = {method: dict(own) for method, own in fixed.items()}
        for (method, setting), value in zip(over, values, strict=True):
            with_values[method][setting] = value
        steps = make(with_values).steps
        first = next(i for i, step in enumerate(steps) if step.name in searches)
        label = ", ".join(
            f"{method + '.' if len(searches) > 1 else ''}{setting} {value}"
            for (method, setting), value in zip(over, values, strict=True)
        )
        combinations.append(SettingsTrial(settings=label, chain=Chain(steps=steps[first:])))
        steps = steps[:first]
    return Chain(steps=(*steps, Search(trials=tuple(combinations))))


def _fill_rates(tried: Mapping[str, Any], fixed: Mapping[str, Any], spec: str) -> dict[str, Any]:
    """The tried values, with the learning rates that ``auto`` stands for.

    Raises:
        InputError: If they depend on something that is tried as well.
    """
    if tried.get("learning_rate") != "auto":
        return dict(tried)
    if "kind" in tried:
        raise InputError(
            "`learning_rate: auto` tries other rates for `lora` than for `full`",
            place=f"arm {spec!r}",
            remedy="give each kind an arm of its own: they are then compared on test, too",
        )
    kind: Kind = "full" if fixed.get("kind") == "full" else "lora"
    return {**tried, "learning_rate": list(RATES[kind])}


def _take_part(bench: Bench, share: float, *, train: bool) -> Bench:
    """The bench with a share of its rows; the ledger is the same."""
    if share == 1:
        return bench

    def some(rows: tuple[T, ...]) -> tuple[T, ...]:
        count = max(math.ceil(share * len(rows)), min(len(rows), LEAST_ROWS))
        order = random.Random(f"search {bench.seed}").sample(range(len(rows)), len(rows))
        return tuple(rows[i] for i in sorted(order[:count]))

    part = replace(bench, dev=some(bench.dev))
    if not train:
        return part
    return replace(part, train=some(bench.train), preferences=some(bench.preferences))
