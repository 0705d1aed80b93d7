"""The embedded model behind the server in this process, asked by the real `openai` client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from whatworks.app.serve.served import open_served
from whatworks.app.serve.server import ModelServer

openai = pytest.importorskip("openai")


@pytest.fixture(scope="module")
def http() -> Iterator[TestClient]:
    with TestClient(ModelServer(open_served("lab", name="lab")).app()) as client:
        yield client


@pytest.fixture(scope="module")
def sdk(http: TestClient) -> Any:
    return openai.OpenAI(
        base_url="http://testserver/v1", api_key="none", http_client=http, max_retries=0
    )
