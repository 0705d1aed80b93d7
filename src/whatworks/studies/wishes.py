"""What a person asks of a study that runs: ``wishes.json`` in its folder.

The run looks at the file between answers, training steps and steps of a chain. A stop makes the
arm fail, with the person as its cause; it holds until a run has ended, so that a run that is killed
goes on with it. A budget is only ever raised; it holds for the folder from the next step on, since
what was made under it is kept under it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from whatworks.base.errors import ArmFailure, InputError
from whatworks.base.store import write_atomic
from whatworks.models.metering import Budget

Limit = Literal["requests", "tokens", "seconds", "usd"]
LIMITS: tuple[Limit, ...] = ("requests", "tokens", "seconds", "usd")


@dataclass(frozen=True)
class Wish:
    """What is asked.

    Attributes:
        stopped: Arms to stop.
        limits: Limits of the budget to raise to, by name.
    """

    stopped: tuple[str, ...] = ()
    limits: dict[Limit, float] = field(default_factory=dict[Limit, float])


class Wishes:
    """The file.

    Args:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._wish = Wish()

    def read(self) -> Wish:
        """What is asked now; a file that is none of ours asks nothing."""
        try:
            stat = self._path.stat()
            seen = stat.st_mtime_ns, stat.st_ino
            if seen != self._seen:
                self._wish = _parse(json.loads(self._path.read_text("utf-8")))
                self._seen = seen
        except (OSError, ValueError):
            self._seen, self._wish = None, Wish()
        return self._wish

    def stop(self, arm: str) -> None:
        """Ask for an arm to stop."""
        wish = self.read()
        self._write(Wish((*(one for one in wish.stopped if one != arm), arm), wish.limits))

    def raise_limit(self, budget: Budget, name: Limit, limit: float) -> None:
        """Ask for a higher limit of a budget.

        Args:
            budget: That of the study file.
            name: Which limit.
            limit: The new one, in its unit.

        Raises:
            InputError: If there is no such limit, or it is not higher than the one that holds.
        """
        now = getattr(self.over(budget), name)
        if now is None:
            raise InputError(f"this study has no limit on {name}", remedy="there is none to raise")
        if not limit > now:
            raise InputError(
                f"{limit:g} {name} is not more than the {now:g} that hold",
                remedy="a budget can only be raised while the study runs",
            )
        wish = self.read()
        self._write(Wish(wish.stopped, {**wish.limits, name: limit}))

    def over(self, budget: Budget) -> Budget:
        """A study file's budget, with its limits raised where that is asked."""
        raised: dict[str, float | int] = {}
        for name, limit in self.read().limits.items():
            now = getattr(budget, name)
            if now is not None and limit > now:
                raised[name] = type(now)(limit)
        return budget.replace(**raised) if raised else budget

    def heed(self, arm: str) -> None:
        """Go on, unless the arm is to stop.

        Raises:
            ArmFailure: If it is.
        """
        if arm in self.read().stopped:
            raise ArmFailure(
                "stopped by hand", remedy="run the study again: it goes on from where it was"
            )

    def end(self) -> None:
        """Forget the stops: the run they were meant for has ended."""
        wish = self.read()
        if wish.stopped:
            self._write(Wish(limits=wish.limits))

    def _write(self, wish: Wish) -> None:
        record = {"stopped": list(wish.stopped), "limits": wish.limits}
        write_atomic(self._path, json.dumps(record, indent=1))
        self._seen = None


def _parse(record: Any) -> Wish:
    content = cast("dict[str, Any]", record if isinstance(record, dict) else {})
    stopped, limits = content.get("stopped", []), content.get("limits", {})
    return Wish(
        tuple(one for one in stopped if isinstance(one, str)),
        {name: float(limits[name]) for name in LIMITS if isinstance(limits.get(name), int | float)},
    )
