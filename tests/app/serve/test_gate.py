"""Who may ask the server, and how much: the real server in a thread, asked over sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from whatworks.app.serve import batcher
from whatworks.app.serve.gate import LARGEST, Access, Gate, open_to_pages
from whatworks.app.serve.served import Served
from whatworks.app.serve.server import ModelServer
from whatworks.data.task import MetricSpec
from whatworks.metrics.registry import load
from whatworks.models.engine import ModelFiles
from whatworks.models.fake import FakeEngine
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

openai = pytest.importorskip("openai")
KEY = "sk-not-to-be-seen"
CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Yes?"}]}


@contextlib.contextmanager
def running(access: Access, answer: Any = lambda _: "yes") -> Generator[int]:
    candidate = Candidate(prompt=Prompt(), weights=Weights(base="fake:"))
    metric = load(MetricSpec(name="exact"))
    served = Served("m", FakeEngine(answer), ModelFiles("fake:"), candidate, metric)
    app: Any = open_to_pages(Gate(ModelServer(served).app(), access), access)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def ask(port: int, host: str | None, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("POST", CHAT, skip_host=True)
    body = json.dumps(ASK).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {"content-length": str(len(body)), **({"host": host} if host else {}), **named}
    for name, value in given.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_key_is_asked_for_everywhere_and_not_shown() -> None:
    access = Access("127.0.0.1", key=KEY)
    assert KEY not in repr(access)
    with running(access) as port:
        url = f"http://127.0.0.1:{port}/v1"
        with openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
            assert client.chat.completions.create(**ASK).choices[0].message.content == "yes"
            for wrong in ("other", KEY + "x", KEY[:-1], "Bearer " + KEY):
                with pytest.raises(openai.AuthenticationError) as caught:
                    client.with_options(api_key=wrong).chat.completions.create(**ASK)
                assert caught.value.code == "invalid_api_key" and KEY not in str(caught.value)
            with pytest.raises(openai.AuthenticationError):
                client.with_options(api_key="other").models.list()
        assert ask(port, "127.0.0.1") == ask(port, "localhost", authorization=KEY) == 401
        assert ask(port, "localhost", authorization=f"Basic {KEY}") == 401
        assert ask(port, "localhost", authorization=f"bearer {KEY}") == 200


def test_a_page_does_not_reach_it_by_a_changed_name() -> None:
    with running(Access("127.0.0.1", names=("models.example.org",))) as port:
        for good in ("127.0.0.1", f"localhost:{port}", f"[::1]:{port}", "Models.example.org"):
            assert ask(port, good) == 200, good
        for bad in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "10.0.0.9",
                    "localhost@evil.example:80", "[::1", "evil.example#localhost"):  # fmt: skip
            assert ask(port, bad) in (400, 403), bad
        ours = f"127.0.0.1:{port}"
        assert ask(port, ours, origin=f"http://{ours}") == 200
        for page in ("http://evil.example", "null", "http://127.0.0.1:3000", "file://"):
            assert ask(port, ours, origin=page) == 403, page


def test_listening_everywhere_it_answers_to_addresses_alone() -> None:
    with running(Access("0.0.0.0")) as port:
        assert ask(port, f"10.1.2.3:{port}") == ask(port, socket.gethostname()) == 200
        assert ask(port, f"evil.example:{port}") == 403


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused_before_it_is_read(chunked: bool) -> None:
    with running(Access("127.0.0.1")) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.putrequest("POST", CHAT)
        if chunked:
            connection.putheader("transfer-encoding", "chunked")
            connection.endheaders()
            for _ in range(LARGEST // 2**16 + 1):
                connection.send(b"10000\r\n" + b"x" * 2**16 + b"\r\n")
        else:
            connection.putheader("content-length", str(64 * 2**20))
            connection.endheaders()  # not one byte of it is sent
        reply = connection.getresponse()
        assert (reply.status, "4 MiB" in reply.read().decode()) == (413, True)
        connection.close()
        with openai.OpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0
        ) as client:
            long = [{"role": "user", "content": "x" * (LARGEST - 1000)}]
            said = client.chat.completions.create(model="m", messages=long)
            assert said.choices[0].message.content == "yes"


def test_a_full_queue_says_when_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher, "LONGEST", 3)
    go = threading.Event()

    def answer(_: Any) -> str:
        go.wait(20)
        return "yes"

    with running(Access("127.0.0.1"), answer) as port, openai.OpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0
    ) as client, ThreadPoolExecutor(8) as pool:  # fmt: skip
        futures = [pool.submit(client.chat.completions.create, **ASK) for _ in range(8)]
        refused = [f for f in futures if isinstance(_wait_for_error(f), openai.RateLimitError)]
        go.set()
        answered = [f for f in futures if f.exception() is None]
        assert (len(answered), len(refused)) == (3, 5)
        error: Any = refused[0].exception()
        assert error.response.headers["retry-after"] == "1"
        assert len(client.chat.completions.create(**ASK, n=5).choices) == 5, "alone it may"


def _wait_for_error(future: Any) -> BaseException | None:
    with contextlib.suppress(TimeoutError):
        return future.exception(timeout=1)
    return None


def test_an_empty_key_is_refused() -> None:
    command = [sys.executable, "-m", "whatworks", "serve", "lab", "--api-key", " "]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ)
    assert run.returncode == 2 and "the key is empty" in run.stderr


def test_the_command_takes_the_key_from_the_environment(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "whatworks", "serve", "lab", "--port", str(port)]
    with (tmp_path / "said").open("w+") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, env={**os.environ, "WHATWORKS_API_KEY": KEY}
        )
        try:
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    assert ask(port, "localhost") == 401
                    assert ask(port, "localhost", authorization=f"Bearer {KEY}") == 404
                    break
                time.sleep(0.2)
            else:
                raise AssertionError("it never listened")
        finally:
            process.terminate()
            process.wait()
        said.seek(0)
        text = said.read()
    assert "serving 'lab'" in text and KEY not in text


def test_named_pages_may_ask_and_no_others() -> None:
    """As a browser does it: a preflight without a key, then the request with it."""
    page, other = "https://app.example.com", "https://evil.example.com"
    with running(Access("127.0.0.1", key=KEY, origins=(page,))) as port:

        def preflight(origin: str) -> str | None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST",
                     "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
            connection.request("OPTIONS", CHAT, headers=asked)
            allowed = connection.getresponse().headers["access-control-allow-origin"]
            connection.close()
            return allowed

        assert preflight(page) == page and preflight(other) is None
        key = {"authorization": f"Bearer {KEY}"}
        host = f"127.0.0.1:{port}"
        assert ask(port, host, origin=page, **key) == 200
        assert ask(port, host, origin=page) == 401
        assert ask(port, host, origin=other, **key) == 403
    with running(Access("127.0.0.1")) as port:
        assert ask(port, f"127.0.0.1:{port}", origin=page) == 403
