"""Many clients at one server: is anything lost, are greedy answers those of each request alone, and
how long does a short request wait behind a long one?

``python benchmarks/serve_load.py lab --requests 500`` starts ``whatworks serve MODEL`` on this
machine and asks it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2

TOWNS = ("Porto", "Lima", "Oslo", "Cairo", "Quito")
LONG = "Tell the whole story of the town of Porto, of its river, its bridges and its wine."
SHORT = "Where is Lima?"


@dataclass
class Load:
    """What came of the requests.

    Attributes:
        answers: Of each request that was not given up.
        lost: Requests that got none.
        given_up: Requests that were left on purpose.
        first: Seconds to a first token, of each.
        seconds: Wall time of all.
    """

    answers: dict[int, str] = field(default_factory=dict[int, str])
    lost: list[str] = field(default_factory=list[str])
    given_up: int = 0
    first: list[float] = field(default_factory=list[float])
    seconds: float = 0.0


class Server:
    """``whatworks serve`` in a process of its own."""

    def __init__(self, model: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        words = [sys.executable, "-m", "whatworks", "serve", model, "--port", str(self._port)]
        self._process = subprocess.Popen([*words, "--name", "it"], stderr=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{self._port}/v1"

    async def wait(self, client: httpx2.AsyncClient) -> None:
        """Until it answers."""
        for _ in range(600):
            try:
                await ask(client, self.url, SHORT, 1)
                return
            except httpx2.HTTPError:
                await asyncio.sleep(0.2)
        raise RuntimeError("the server does not answer")

    def close(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.communicate()


def make_body(text: str, tokens: int, *, stream: bool = False) -> dict[str, Any]:
    """A greedy request."""
    messages = [{"role": "user", "content": text}]
    return {"model": "it", "messages": messages, "max_tokens": tokens, "temperature": 0,
            "stream": stream}  # fmt: skip


async def ask(client: httpx2.AsyncClient, url: str, text: str, tokens: int) -> str:
    """A whole answer."""
    reply = await client.post(f"{url}/chat/completions", json=make_body(text, tokens))
    reply.raise_for_status()
    return str(reply.json()["choices"][0]["message"]["content"])


async def stream(
    client: httpx2.AsyncClient, url: str, text: str, tokens: int, leave: int | None = None
) -> tuple[str | None, float]:
    """An answer in pieces and the seconds to its first; None where the client left after some."""
    began, first, said, pieces = time.perf_counter(), 0.0, "", 0
    body = make_body(text, tokens, stream=True)
    async with client.stream("POST", f"{url}/chat/completions", json=body) as reply:
        reply.raise_for_status()
        async for line in reply.aiter_lines():
            if not line.startswith("data: {"):
                continue
            piece = json.loads(line.removeprefix("data: "))["choices"][0]["delta"].get("content")
            if piece:
                first = first or time.perf_counter() - began
                said, pieces = said + piece, pieces + 1
            if leave is not None and pieces >= leave:
                return None, first
    return said, first


def make_requests(count: int) -> list[tuple[str, int]]:
    """Texts and lengths of different kinds; the same for the same count."""
    rng = random.Random(7)
    kinds = [
        lambda at: (f"Where does person {at} of {rng.choice(TOWNS)} live?", rng.randrange(4, 20)),
        lambda at: (f"{' '.join(rng.choice(TOWNS) for _ in range(60))}: which is {at}?", 12),
        lambda at: (f"Write about {rng.choice(TOWNS)} and the number {at}.", 40),
    ]
    return [kinds[at % 3](at) for at in range(count)]


async def load(url: str, requests: list[tuple[str, int]], at_once: int) -> Load:
    """All requests, so many at a time; each tenth is given up, half of them while they wait."""
    result, places = Load(), asyncio.Semaphore(at_once)

    async def one(client: httpx2.AsyncClient, at: int) -> None:
        text, tokens = requests[at]
        async with places:
            try:
                if at % 20 == 0:
                    await stream(client, url, text, tokens, leave=1)
                    result.given_up += 1
                elif at % 20 == 10:
                    asked = asyncio.ensure_future(ask(client, url, text, tokens))
                    await asyncio.sleep(0.01)
                    asked.cancel()
                    result.given_up += 1
                elif at % 2:
                    said, first = await stream(client, url, text, tokens)
                    result.answers[at] = str(said)
                    result.first.append(first)
                else:
                    result.answers[at] = await ask(client, url, text, tokens)
            except httpx2.HTTPError as error:
                result.lost.append(f"{at}: {type(error).__name__} {error}")

    began = time.perf_counter()
    limits = httpx2.Limits(max_connections=at_once + 8)
    async with httpx2.AsyncClient(timeout=600, limits=limits) as client:
        await asyncio.gather(*(one(client, at) for at in range(len(requests))))
    result.seconds = time.perf_counter() - began
    return result


async def measure_wait(url: str, times: int) -> tuple[list[float], list[float]]:
    """Seconds to the first token of a short request, alone and behind a long one under way."""
    alone, behind = list[float](), list[float]()
    async with httpx2.AsyncClient(timeout=600) as client:
        for _ in range(times):
            alone.append((await stream(client, url, SHORT, 3))[1])
            long = asyncio.ensure_future(stream(client, url, LONG, 150))
            await asyncio.sleep(3 * alone[-1])
            behind.append((await stream(client, url, SHORT, 3))[1])
            long.cancel()
            await asyncio.gather(long, return_exceptions=True)
    return alone, behind


async def count_differences(
    url: str, requests: list[tuple[str, int]], result: Load, compared: int
) -> int:
    """Answers that are others than those of the requests alone, among so many of them."""
    chosen = random.Random(3).sample(sorted(result.answers), min(compared, len(result.answers)))
    async with httpx2.AsyncClient(timeout=600) as client:
        return sum([await ask(client, url, *requests[at]) != result.answers[at] for at in chosen])


async def run(
    model: str, count: int, at_once: int, *, compared: int = 10**9, waits: int = 7
) -> dict[str, Any]:
    """Everything, as figures.

    Args:
        model: What is served.
        count: Requests in all.
        at_once: Requests under way at a time.
        compared: Answers that are asked again alone; all of them by default.
        waits: How often the first token is timed.
    """
    server, requests = Server(model), make_requests(count)
    try:
        async with httpx2.AsyncClient(timeout=600) as client:
            await server.wait(client)
        alone, behind = await measure_wait(server.url, waits)
        result = await load(server.url, requests, at_once)
        different = await count_differences(server.url, requests, result, compared)
    finally:
        server.close()
    return {
        "answered": len(result.answers),
        "given up": result.given_up,
        "lost": result.lost,
        "others than alone": different,
        "seconds": round(result.seconds, 2),
        "first token, median of all": round(statistics.median(result.first), 3),
        "first token of a short request alone": round(statistics.median(alone), 4),
        "behind a long one": round(statistics.median(behind), 4),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--compared", type=int, default=10**9)
    parser.add_argument("--waits", type=int, default=7)
    asked = parser.parse_args()
    figures = run(asked.model, asked.requests, asked.at_once,
                  compared=asked.compared, waits=asked.waits)  # fmt: skip
    for name, value in asyncio.run(figures).items():
        print(f"{name}: {value}", flush=True)


if __name__ == "__main__":
    main()
