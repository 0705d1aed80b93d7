"""Three decoder models that `transformers` must agree on, token for token."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from whatworks.engines.local import LocalEngine


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
