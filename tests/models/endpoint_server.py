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


def hold_trial(body: dict[str, Any], dialect: str) -> str | None:
    """The answer of a server that keeps to forms asked for in this dialect alone, to a probe.

    None where it is asked something else than a probe; free text where the form is in words that it
    does not know.
    """
    if body["messages"][-1]["content"] != "Say hello in one word.":
        return None
    words = "qx7-lemon"
    form: Any = None
    if dialect == "guided":
        form = next((value for name, value in body.items() if name.startswith("guided_")), None)
    elif dialect in body:
        form = body[dialect]
    if form is None:
        return "Hello!"
    text = json.dumps(form)
    if "qx7-[0-9]" in text:
        words = "qx7-123"
    if '"answer": {"type"' in text:
        return json.dumps({"answer": words})
    return json.dumps({"qx7": words}) if '"qx7":' in text else words


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
        self.owner = ""
        self.times: list[float] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    counted = False

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        owned = {"owned_by": self.server.owner} if self.server.owner else {}
        listed = [{"id": name, **owned} for name in ("tiny-chat", "big")]
        self.reply(200, json.dumps({"data": listed}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith(("/chat/completions", "/api/chat")):
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
        self.counted = True
        try:
            time.sleep(server.latency)
            if not server.misbehave(self, prompt, before):
                with server.lock:
                    server.paid[prompt] += 1
                self.reply(200, answer(prompt.split()[-1]))
        finally:
            self.end_request()

    def end_request(self) -> None:
        """Before the answer goes out: a client that has it may ask again at once."""
        with self.server.lock:
            self.server.under_way -= self.counted
        self.counted = False

    def reply(self, status: int, body: bytes, **headers: str) -> bool:
        self.end_request()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return True

    def hang_up(self, sent: bytes = b"") -> bool:
        self.end_request()
        self.wfile.write(sent)
        self.wfile.flush()
        self.close_connection = True
        return True
