"""A real HTTP server that speaks the protocol, and misbehaves where a test wants it to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def answer(text: str, **fields: Any) -> bytes:
    message = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    return json.dumps({"choices": [message], "usage": usage, **fields}).encode()


def error(message: str, code: str = "") -> bytes:
    return json.dumps({"error": {"message": message, "code": code}}).encode()


class Server(ThreadingHTTPServer):
    """Answers with the last word of the prompt; ``misbehave`` may do something else instead.

    It gets the handler, the prompt, and how often that prompt was asked before; it returns
    whether it has dealt with the request.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.misbehave: Callable[[Handler, str, int], bool] = lambda *_: False
        self.asked: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        self.latency = 0.0
        self.times: list[float] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self.reply(200, json.dumps({"data": [{"id": "tiny-chat"}, {"id": "big"}]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith("/chat/completions"):
            self.reply(404, error("no such place"))
            return
        prompt = body["messages"][-1]["content"]
        server = self.server
        with server.lock:
            before = server.asked[prompt]
            server.asked[prompt] += 1
            server.bodies.append(body)
            server.times.append(time.monotonic())
            server.keys.add(self.headers.get("Authorization"))
            server.under_way += 1
            server.most_under_way = max(server.most_under_way, server.under_way)
        try:
            time.sleep(server.latency)
            if not server.misbehave(self, prompt, before):
                with server.lock:
                    server.paid[prompt] += 1
                self.reply(200, answer(prompt.split()[-1]))
        finally:
            with server.lock:
                server.under_way -= 1

    def reply(self, status: int, body: bytes, **headers: str) -> bool:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return True

    def hang_up(self, sent: bytes = b"") -> bool:
        self.wfile.write(sent)
        self.wfile.flush()
        self.close_connection = True
        return True
