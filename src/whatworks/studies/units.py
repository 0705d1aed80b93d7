"""Units: the parts of a study that can be made ahead, by other processes or machines.

A unit fills the study's store (weights, answers, what a step made) and writes nothing else. Whoever
runs the study then does what it does without any help, finds there what was made ahead, and alone
writes rows, decisions and times. So the rows do not depend on who made what, in which order, or on
who died meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

from whatworks.base.frozen import Frozen, hash_content
from whatworks.base.progress import Watcher
from whatworks.models.metering import Budget, Ledger
from whatworks.prompts.candidate import Candidate
from whatworks.studies.arm_entries import Arm

Asked = Literal["", "dev", "test"]
End = int | Literal["dev", "test"]
"""Where a unit ends: after so many steps, or with the rows that are asked after all of them."""


class Unit(Frozen):
    """The first steps of an arm's chain, and for the last unit of an arm the rows asked of it.

    Attributes:
        makes: Content key of what it makes: arms that begin alike share their first units.
        arm: The arm, or the first of those that share the unit.
        seed: Its seed.
        steps: How many steps of the chain are taken.
        asked: The rows that are asked then, if any.
        after: What must be made before; "" where nothing must.
        spent: What the arm had spent before test.
    """

    makes: str
    arm: str
    seed: int
    steps: int
    asked: Asked = ""
    after: str = ""
    spent: Ledger | None = None


class Divided(Protocol):
    """What is asked of a study to name its units."""

    @property
    def arms(self) -> Sequence[Arm]:
        """What is compared."""
        ...

    @property
    def budget(self) -> Budget:
        """Limits for each run."""
        ...

    def seeds_of(self, arm: Arm) -> range:
        """The seeds that an arm is run with."""
        ...

    def start_of(self, name: str) -> Candidate:
        """What an arm's chain begins with."""
        ...


def list_units(study: Divided) -> list[Unit]:
    """What can be made before the decisions, in the study's own order.

    Nothing where there is a limit in seconds: arms that run beside each other take longer.
    """
    if study.budget.seconds is not None:
        return []
    return [
        name_unit(study, arm.name, seed, end)
        for arm in study.arms
        for seed in study.seeds_of(arm)
        for end in _list_ends(arm)
    ]


def _list_ends(arm: Arm) -> Iterator[End]:
    yield from range(1, len(arm.chain.steps) + 1)
    yield "dev"


def name_unit(study: Divided, arm: str, seed: int, end: End) -> Unit:
    """A unit of an arm and seed.

    Args:
        study: Whose it is.
        arm: The arm's name.
        seed: The seed.
        end: Where it ends.
    """
    one = next(each for each in study.arms if each.name == arm)
    steps, asked = (end, "") if isinstance(end, int) else (len(one.chain.steps), end)
    drawn = (one.rows, seed) if one.rows is not None else None  # which train rows it is given
    start = study.start_of(arm).key

    def name(count: int, asked: str = "") -> str:
        taken = [(s.name, s.key, s.stochastic and seed) for s in one.chain.steps[:count]]
        return hash_content([start, drawn, taken, asked])

    before = steps if asked else steps - 1
    return Unit(
        makes=name(steps, asked),
        arm=arm,
        seed=seed,
        steps=steps,
        asked=asked,
        after=name(before) if before else "",
    )


class Ahead(Protocol):
    """Whoever makes units ahead of the study."""

    def offer(self, units: Sequence[Unit]) -> None:
        """Begin to make these, in any order that keeps each behind what it comes after."""
        ...

    def turn(self, unit: Unit, watcher: Watcher) -> AbstractContextManager[None]:
        """The study's own turn to make a unit: waits where another is making it.

        In the block nobody else begins it; it is done when the block ends well.
        """
        ...


class Alone:
    """Nobody makes anything ahead: the study does all of it, in its own order."""

    def offer(self, units: Sequence[Unit]) -> None:
        """Nobody is there."""

    def turn(self, unit: Unit, watcher: Watcher) -> AbstractContextManager[None]:
        """At once."""
        return nullcontext()
