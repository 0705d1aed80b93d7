"""Progress of long work: the seam between a study and whatever shows its bars."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Shows progress; one bar per name."""

    def start(self, name: str, total: int) -> None:
        """Begin, or begin anew, a bar of ``total`` units."""

    def advance(self, name: str, n: int = 1, note: str = "") -> None:
        """Move a bar by ``n`` units."""

    def done(self, name: str, note: str = "") -> None:
        """Finish a bar."""

    def say(self, text: str) -> None:
        """Print a line."""


class Silent:
    """Shows nothing."""

    def start(self, name: str, total: int) -> None: ...  # noqa: D102
    def advance(self, name: str, n: int = 1, note: str = "") -> None: ...  # noqa: D102
    def done(self, name: str, note: str = "") -> None: ...  # noqa: D102
    def say(self, text: str) -> None: ...  # noqa: D102


class Phase:
    """One phase of a bar: callable with the number of units just done."""

    def __init__(self, watcher: Watcher, bar: str, note: str, total: int) -> None:
        self.watcher, self.bar, self.note, self.done = watcher, bar, note, 0
        watcher.start(bar, total)
        watcher.advance(bar, 0, note)

    def __call__(self, n: int) -> None:
        """Move on by ``n`` units."""
        self.done += n
        self.watcher.advance(self.bar, n, self.note)

    def to(self, done: int) -> None:
        """Move to an absolute position."""
        self(done - self.done)
