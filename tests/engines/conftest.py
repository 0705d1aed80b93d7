"""Three decoder models that `transformers` must agree on, token for token."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import build_model
from whatworks.engines.local import LocalEngine


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("llama"), kind="llama")


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
