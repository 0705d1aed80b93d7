"""The clock of an endpoint: time-outs, pauses and ``Retry-After`` go by it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Event


@dataclass(frozen=True)
class Clock:
    """Time as the engine takes it, in its seconds.

    Attributes:
        speed: How many of them go by in one real second; more than 1 replays hours in minutes.
    """

    speed: float = 1.0

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic() * self.speed

    def wait(self, stop: Event, seconds: float) -> None:
        """Wait so long, or until ``stop`` is set."""
        stop.wait(self.to_real(seconds))

    def to_real(self, seconds: float) -> float:
        """How many real seconds that takes."""
        return seconds / self.speed


REAL = Clock()
