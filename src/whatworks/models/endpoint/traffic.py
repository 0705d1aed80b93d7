"""What a server makes requests wait for: counted, and told of while it happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from urllib.parse import urlsplit

from whatworks.base.phrasing import format_duration

EVERY = 10.0
"""Seconds between two lines about the same cause."""

_LIMITS = ("requests", "tokens")


class Traffic:
    """Tries that brought nothing, at one address; used by several threads.

    Args:
        url: The address.

    Attributes:
        tell: Told of waits in a line each, not of every one; nobody by default.
        retried: How many requests were tried again, by the cause's first words.
        held: Seconds that the server asked all requests to wait.
    """

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url).netloc
        self._lock = Lock()
        self._told: dict[str, float] = {}
        self._limits = ""
        self.tell: Callable[[str], object] = len
        self.retried = Counter[str]()
        self.held = 0.0

    def note_limits(self, headers: Mapping[str, str]) -> None:
        """Remember what a server says is left (OpenAI's ``x-ratelimit-...`` headers)."""
        left = [
            f"{remaining} of {most} {what}"
            for what in _LIMITS
            if (remaining := headers.get(f"x-ratelimit-remaining-{what}"))
            and (most := headers.get(f"x-ratelimit-limit-{what}"))
        ]
        if left:
            self._limits = ", ".join(left)

    def note(self, cause: str, status: int, wait: float, now: float) -> None:
        """Count a request that is tried again.

        Args:
            cause: What happened.
            status: The server's, 0 for none.
            wait: Seconds that the server asked for.
            now: The time, in seconds.
        """
        name = f"status {status}" if status else cause.partition(" from ")[0].partition(":")[0]
        with self._lock:
            self.retried[name] += 1
            self.held += wait
            count = self.retried[name]
            due = now - self._told.get(name, -EVERY) >= EVERY
            if due:
                self._told[name] = now
            limits = self._limits
        if due:
            parts = [
                f"{self._place}: {cause}",
                f"all requests wait {format_duration(wait)}" if wait else "tried again",
                f"{count} times so far" if count > 1 else "",
                f"left: {limits}" if limits else "",
            ]
            self.tell("; ".join(part for part in parts if part))

    @property
    def summary(self) -> str:
        """What there was in all, in a line; empty where all went well."""
        if not self.retried:
            return ""
        causes = ", ".join(f"{count} for {name}" for name, count in self.retried.most_common())
        waits = f", {format_duration(self.held)} held back by the server" if self.held else ""
        return f"{self._place}: {sum(self.retried.values())} requests tried again ({causes}){waits}"
