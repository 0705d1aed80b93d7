"""The pool: hands the units of a study to makers, and tells the study when its turn has come.

Its threads only wait for makers; everything that is written about a study is written by the thread
that runs it, in ``turn``. A unit that a maker lost is made again by another one, and what cannot be
made ahead is left to the study, which meets the cause itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from whatworks.base.progress import Phase, Watcher
from whatworks.studies.units import Unit

TRIES = 2
"""How many makers a unit may lose before it is left to the study."""
MOST_LOSSES = 3
"""Losses in a row after which a maker is given nothing more."""
LOOK_SECONDS = 0.5
"""How often the study looks how far a unit is that it waits for."""


class Unmade(Exception):
    """A unit that cannot be made ahead; whoever tried can go on."""


class Lost(Exception):
    """Whoever was making a unit is gone; the text says how."""


class Unable(Exception):
    """A maker that can make nothing; the text says why."""


@dataclass(frozen=True)
class News:
    """How far a unit is: what is being done, and units of that done and in all."""

    note: str
    done: int
    total: int


class Maker(Protocol):
    """Makes one unit at a time."""

    def make(self, unit: Unit, tell: Callable[[News], None]) -> None:
        """Make a unit; ``tell`` is called as it proceeds.

        Raises:
            Unmade, Lost, Unable: Where it is not made.
        """
        ...

    def interrupt(self) -> None:
        """Have it give up, from another thread, what it is making."""
        ...

    def close(self) -> None:
        """Free what it holds; it makes nothing more."""
        ...


@dataclass
class _Entry:
    """A unit and what has become of it: ``left`` is left to the study, which has begun ``own``."""

    unit: Unit
    state: Literal["waiting", "running", "own", "left", "done"] = "waiting"
    losses: int = 0
    seconds: float = 0.0
    news: News | None = None


class Pool:
    """Makes units ahead of a study.

    Args:
        makers: Who makes them, each in a thread of its own.
        record: Takes down what an arm has taken: its name and seconds.
        helps: Whether the study itself makes units too, from the first on; the makers then begin
            with the last. Otherwise it waits for them.
    """

    def __init__(
        self, makers: Sequence[Maker], record: Callable[[str, float], None], *, helps: bool
    ) -> None:
        self._makers, self._record, self._helps = makers, record, helps
        self._entries: dict[str, _Entry] = {}
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._working = 0
        self._own = ("", -1)  # the arm and seed that the study is at
        self._said: list[str] = []
        self._closed = False

    def offer(self, units: Sequence[Unit]) -> None:
        """Begin to make these, each behind what it comes after."""
        with self._changed:
            for unit in units:
                self._entries.setdefault(unit.makes, _Entry(unit))
            if units and not self._threads:
                self._working = len(self._makers)
                self._threads = [
                    threading.Thread(target=self._serve, args=(maker,), daemon=True)
                    for maker in self._makers
                ]
                for thread in self._threads:
                    thread.start()
            self._changed.notify_all()

    @contextmanager
    def turn(self, unit: Unit, watcher: Watcher) -> Generator[None]:
        """The study's turn to make a unit; see ``units.Ahead``."""
        entry = self._entries.get(unit.makes)
        if entry is None:
            yield
            return
        self._wait(entry, unit, watcher)
        try:
            yield
        except BaseException:
            self._put(entry, "left")
            raise
        self._put(entry, "done")

    def close(self) -> None:
        """End the makers."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for maker in self._makers:
            maker.interrupt()
        for thread in self._threads:
            thread.join()

    def _wait(self, entry: _Entry, unit: Unit, watcher: Watcher) -> None:
        """Wait while others make a unit, and show how far they are."""
        phase, shown = None, None
        while True:
            with self._changed:
                self._own = (unit.arm, unit.seed)
                if not self._is_coming(entry):
                    if entry.state == "waiting":
                        entry.state = "own"
                    break
                self._changed.wait(LOOK_SECONDS)
                news = entry.news
            if news is not None and news != shown:
                if phase is None or phase.note != news.note or news.done < phase.done:
                    phase = Phase(watcher, unit.arm, news.note, news.total)
                phase.to(news.done)
                shown = news
        said, self._said = self._said, []
        for line in said:
            watcher.say(line)
        if entry.seconds:
            self._record(entry.unit.arm, entry.seconds)
            entry.seconds = 0.0

    def _is_coming(self, entry: _Entry) -> bool:
        """Whether somebody else makes a unit, or will."""
        if entry.state == "waiting":
            return not self._helps and self._working > 0 and self._is_ready(entry)
        return entry.state == "running"

    def _is_ready(self, entry: _Entry) -> bool:
        before = self._entries.get(entry.unit.after)
        return before is None or before.state == "done"

    def _serve(self, maker: Maker) -> None:
        """Give a maker units until there is nothing more to come."""
        try:
            self._give(maker)
        finally:
            maker.close()
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def _give(self, maker: Maker) -> None:
        losses = 0
        while losses < MOST_LOSSES and (entry := self._choose()) is not None:
            began = time.monotonic()
            try:
                maker.make(entry.unit, lambda news, entry=entry: _hear(entry, news))
            except Unmade:
                self._put(entry, "left")
            except Unable as error:
                self._put(entry, "waiting", f"a worker cannot work: {error}")
                break
            except Lost as error:
                losses += 1
                entry.losses += 1
                again = entry.losses < TRIES
                ending = "it is made again" if again else "the study makes it itself"
                what = f"{entry.unit.arm}, seed {entry.unit.seed}"
                self._put(entry, "waiting" if again else "left", f"{what}: {error}; {ending}")
            else:
                losses = 0
                entry.seconds = time.monotonic() - began
                self._put(entry, "done")

    def _choose(self) -> _Entry | None:
        """The next unit for a maker, when there is one; None at the end."""
        with self._changed:
            while not self._closed:
                ready = [
                    entry
                    for entry in self._entries.values()
                    if entry.state == "waiting" and self._is_ready(entry)
                    # What the study comes to next is in its hands already.
                    and not (self._helps and (entry.unit.arm, entry.unit.seed) == self._own)
                ]  # fmt: skip
                if ready:
                    chosen = ready[-1 if self._helps else 0]
                    chosen.state = "running"
                    return chosen
                self._changed.wait()
            return None

    def _put(
        self, entry: _Entry, state: Literal["waiting", "left", "done"], said: str = ""
    ) -> None:
        with self._changed:
            entry.state = state
            if said and not self._closed:
                self._said.append(said)
            self._changed.notify_all()


def _hear(entry: _Entry, news: News) -> None:
    entry.news = news
