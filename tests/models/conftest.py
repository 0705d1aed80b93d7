"""Three decoder models that `transformers` must agree on, token for token."""

from __future__ import annotations

import runpy
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from endpoint_server import Server

from whatworks.models.endpoint import api_keys
from whatworks.models.local.engine import LocalEngine


@pytest.fixture(scope="session")
def build() -> Callable[..., Path]:
    """`build_model` of the conftest above; two modules named conftest cannot import each other."""
    return runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"))["build_model"]


@pytest.fixture(scope="session")
def tiny_llama(build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("llama"), kind="llama")


@pytest.fixture(scope="session")
def stories(real_data: Path) -> Path:
    folder = real_data / "stories260K"
    if not folder.is_dir():
        pytest.skip("stories260K is not among the real data")
    return folder


@pytest.fixture(scope="session", params=["tiny_model", "tiny_llama", "stories"])
def model(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def engine() -> LocalEngine:
    return LocalEngine(dtype="float32", device="cpu", threads=1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A local server that misbehaves as it is told; no prices but those that a test gives."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("WHATWORKS_PRICES", raising=False)
    monkeypatch.setattr(api_keys, "_HOLDERS", {})  # each test is a program of its own
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()
