"""Clients of the pages: plain requests, and headless Chromium by its debugging protocol."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest


def ask(port: int, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    text = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, text, headers)
    with contextlib.closing(connection):
        reply = connection.getresponse()
        content = reply.read().decode()
        kind = reply.headers.get("content-type", "")
    return reply.status, json.loads(content) if "json" in kind else content


class Browser:
    """Headless Chromium over a pipe, by its debugging protocol."""

    def __init__(self, chromium: str, profile: Path) -> None:
        to_read, self._out = os.pipe()
        self._in, to_write = os.pipe()

        def place() -> None:
            os.dup2(os.dup(to_read), 3)
            os.dup2(os.dup(to_write), 4)

        words = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        words += ["--disable-background-networking", "--remote-debugging-pipe"]
        words += [f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            words,
            close_fds=False,
            preexec_fn=place,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._number, self._rest, self._session = 0, b"", ""

    def call(self, method: str, **params: Any) -> Any:
        self._number += 1
        request: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            request["sessionId"] = self._session
        os.write(self._out, json.dumps(request).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                self._rest += os.read(self._in, 65536)
            message, _, self._rest = self._rest.partition(b"\0")
            reply = json.loads(message)
            if reply.get("id") == self._number:
                assert "error" not in reply, reply
                return reply["result"]

    def open(self, url: str) -> None:
        target = self.call("Target.createTarget", url=url)["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def evaluate(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script)["result"].get("value")

    def wait(self, script: str, wanted: Any) -> None:
        seen = None
        for _ in range(1000):
            if (seen := self.evaluate(script)) == wanted:
                return
            time.sleep(0.05)
        raise AssertionError(f"{script} is {seen!r}, not {wanted!r}")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._out)
        os.close(self._in)


def find_chromium() -> str:
    """The browser; the test is skipped where there is none."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    return chromium


def find_axe() -> str:
    """The script of axe-core; the test is skipped where there is none."""
    spec = find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("no axe-core here: pip install --no-deps axe-playwright-python")
    return Path(spec.origin).with_name("axe.min.js").read_text("utf-8")
