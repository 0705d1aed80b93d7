"""What the server did, as Prometheus reads it: its text format, version 0.0.4.

Counters begin at 0 with the process. Paths that are not served count as ``other``, so that a client
cannot make up series.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any

from whatworks.models.engine import Generation

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds up to which requests are counted together."""
OTHER, NAME = "other", "whatworks"


class ServerMetrics:
    """Counts of requests, seconds and tokens.

    Args:
        paths: What is served.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._lock = threading.Lock()
        self._requests = Counter[tuple[str, int]]()
        self._buckets = Counter[tuple[str, float]]()
        self._seconds: dict[str, float] = defaultdict(float)
        self._counts = Counter[str]()
        self._running = self._waiting = 0
        self._read = self._written = 0

    def watch(self, answers: Iterable[Future[Generation]]) -> None:
        """Count answers as waited for until they are there, and then their tokens."""
        for answer in answers:
            with self._lock:
                self._waiting += 1
            answer.add_done_callback(self._finish)

    def _finish(self, answer: Future[Generation]) -> None:
        done = None if answer.cancelled() or answer.exception() else answer.result()
        with self._lock:
            self._waiting -= 1
            if done is not None:
                self._read += done.prompt_tokens
                self._written += done.completion_tokens

    def wrap(self, app: Any) -> Any:
        """An application whose requests are counted, with their time to the end of the reply."""

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            begun, status = time.monotonic(), 500

            async def note(message: Any) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            with self._lock:
                self._running += 1
            try:
                await app(scope, receive, note)
            finally:
                path = scope["path"] if scope["path"] in self._paths else OTHER
                with self._lock:
                    self._running -= 1
                    self._requests[path, status] += 1
                    self._observe(path, time.monotonic() - begun)

        return counted

    def write(self) -> str:
        """All counts, in the text format."""
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _observe(self, path: str, seconds: float) -> None:
        self._counts[path] += 1
        self._seconds[path] += seconds
        self._buckets.update((path, most) for most in BUCKETS if seconds <= most)

    def _lines(self) -> Iterator[str]:
        yield from _begin("requests_total", "counter", "Requests answered.")
        for (path, status), count in sorted(self._requests.items()):
            yield f'{NAME}_requests_total{{path="{path}",status="{status}"}} {count}'
        yield from _begin("request_seconds", "histogram", "Seconds to the end of a reply.")
        for path in sorted(self._counts):
            total = self._counts[path]
            for most in BUCKETS:
                count = self._buckets[path, most]
                yield f'{NAME}_request_seconds_bucket{{path="{path}",le="{most:g}"}} {count}'
            yield f'{NAME}_request_seconds_bucket{{path="{path}",le="+Inf"}} {total}'
            yield f'{NAME}_request_seconds_sum{{path="{path}"}} {self._seconds[path]:.6f}'
            yield f'{NAME}_request_seconds_count{{path="{path}"}} {total}'
        plain = (
            ("requests_running", "gauge", "Requests that are being answered.", self._running),
            ("answers_waiting", "gauge", "Answers that are not there yet.", self._waiting),
            ("prompt_tokens_total", "counter", "Tokens read.", self._read),
            ("generation_tokens_total", "counter", "Tokens written.", self._written),
        )
        for name, kind, says, value in plain:
            yield from _begin(name, kind, says)
            yield f"{NAME}_{name} {value}"


def _begin(name: str, kind: str, says: str) -> Iterator[str]:
    yield f"# HELP {NAME}_{name} {says}"
    yield f"# TYPE {NAME}_{name} {kind}"
