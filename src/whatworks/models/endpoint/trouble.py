"""Why a request brought no answer."""

from __future__ import annotations


class Trouble(Exception):
    """A request that brought no answer.

    Args:
        cause: What happened, with the server's own words.
        remedy: What the user can do.
        again: Whether another try may help.
        wait: Seconds that the server asked to wait.
        status: The HTTP status, 0 when there was none.
        prompt: Whether it may lie in the prompt; else any request would have met it.
    """

    def __init__(
        self,
        cause: str,
        remedy: str = "",
        *,
        again: bool = False,
        wait: float = 0.0,
        status: int = 0,
        prompt: bool = True,
    ) -> None:
        super().__init__(cause)
        self.prompt = prompt
        self.cause = cause
        self.remedy = remedy
        self.again = again
        self.wait = wait
        self.status = status


class Stopped(Exception):
    """The request was given up because another one failed for good."""
