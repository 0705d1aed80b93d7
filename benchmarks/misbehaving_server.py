"""A server of chat completions that misbehaves, and keeps its own count of what it sold.

    python benchmarks/misbehaving_server.py SPEED     # prints its port, then a report a line asked

Each request is told how to behave by a number in its prompt, so that a run is the same every time.
Pauses are divided by SPEED. A line on standard input asks for the count, a JSON line.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys
from collections import Counter
from typing import Any

from whatworks.models.endpoint.replies import estimate_tokens

GOOD = {
    "answer": 70,
    "trickle": 4,  # in pieces, with pauses
    "reasoning field": 3,
    "reasoning in the content": 3,
    "wrong usage": 3,
    "duplicate reply": 2,  # the whole reply once more on the same connection
    "closes after it": 2,
    "length": 2,
}
"""Ways to answer, by their shares in 100: the client has an answer, and pays for it."""
BAD = {
    "429": 2.5,
    "500": 2.5,
    "503 page": 1,
    "reset": 1,
    "closed without a word": 1,
    "half a body": 1,
    "half of the JSON": 1,
    "no choices": 0.5,
    "error inside": 0.45,
    "drips past the time-out": 0.05,
}
"""Ways not to: no answer, which costs nothing, and another try."""
WRONG_USAGE: tuple[Any, ...] = (
    None, {}, {"prompt_tokens": -5, "completion_tokens": 10**9}, {"prompt_tokens": "many"}, []
)  # fmt: skip


class MisbehavingServer:
    """Answers, and counts."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.behaved: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.sold: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request by request."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = next(
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                )
                body = json.loads(await reader.readexactly(size))
                if not await self.answer(body, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        """Answer one request in its way; whether the connection goes on."""
        prompt = body["messages"][-1]["content"]
        self.sold["requests received"] += 1
        number = f"{prompt.split()[-1]} {self.tries[prompt]}"
        rng = random.Random(number)
        self.tries[prompt] += 1
        if self.tries[prompt] > 3:  # a patient client gets what it wants
            how = "answer"
        else:
            shares = {**GOOD, **BAD}
            [how] = rng.choices(list(shares), list(shares.values()))
        self.behaved[how] += 1
        if how in GOOD:
            del self.tries[prompt]
            return await self._sell(how, prompt, rng, writer)
        return await self._fail(how, rng, writer)

    async def _sell(
        self, how: str, prompt: str, rng: random.Random, writer: asyncio.StreamWriter
    ) -> bool:
        text, thoughts = f"answer {rng.randrange(10**6)}", f"so {'and so ' * rng.randrange(9)}on"
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if how == "reasoning field":
            message[rng.choice(["reasoning_content", "reasoning"])] = thoughts
        elif how == "reasoning in the content":
            message["content"] = f"<think>{thoughts}</think>{text}"
        written = thoughts if "reasoning" in how else ""
        read, wrote = len(prompt.split()) + rng.randrange(20), len(f"{written} {text}".split()) + 1
        usage: Any = {"prompt_tokens": read, "completion_tokens": wrote}
        if how == "wrong usage":
            usage = rng.choice(WRONG_USAGE)
            read, wrote = estimate_tokens(prompt), estimate_tokens(message["content"])
            self.sold["estimated"] += 1
        finish = "length" if how == "length" else "stop"
        choice = {"message": message, "finish_reason": finish}
        payload = json.dumps({"choices": [choice], "usage": usage}).encode()
        reply = _frame(200, payload, "close" if how == "closes after it" else "keep-alive")
        if how == "trickle":
            for at in range(0, len(reply), 64):
                writer.write(reply[at : at + 64])
                await writer.drain()
                await asyncio.sleep(1.0 / self.speed)
        else:
            writer.write(reply * (2 if how == "duplicate reply" else 1))
            await writer.drain()
        self.sold["answers"] += 1
        self.sold["prompt tokens"] += read
        self.sold["completion tokens"] += wrote
        return how != "closes after it"

    async def _fail(self, how: str, rng: random.Random, writer: asyncio.StreamWriter) -> bool:
        error = json.dumps({"error": {"message": f"sorry: {how}"}}).encode()
        whole = json.dumps({"choices": [{"message": {"content": "x" * 300}}]}).encode()
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        if how == "closed without a word":
            return False
        if how == "drips past the time-out":
            writer.write(_frame(200, whole)[:-300])
            for _ in range(40):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(10.0 / self.speed)
            return False
        replies = {
            "429": _frame(429, error, more=f"Retry-After: {rng.randrange(1, 4)}\r\n"),
            "500": _frame(500, error),
            "503 page": _frame(503, b"<html><title>Busy</title></html>"),
            "half a body": _frame(200, whole)[:-200],
            "half of the JSON": _frame(200, whole[:-100]),
            "no choices": _frame(200, b'{"choices": []}'),
            "error inside": _frame(200, error),
        }
        writer.write(replies[how])
        await writer.drain()
        return how != "half a body"

    def tell(self) -> str:
        """Its count as a JSON line."""
        return json.dumps({"sold": self.sold, "behaved": self.behaved})


def _frame(status: int, payload: bytes, connection: str = "keep-alive", more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status} Some\r\nContent-Type: application/json\r\nConnection: {connection}\r\n"
        f"{more}Content-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload


async def _run(speed: float) -> None:
    own = MisbehavingServer(speed)
    server = await asyncio.start_server(own.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(own.tell(), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(_run(float(sys.argv[1])))
