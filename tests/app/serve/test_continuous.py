"""Requests join and leave what the server runs: nothing is lost, nobody waits for a long one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "benchmarks"))

pytestmark = pytest.mark.slow
httpx2 = pytest.importorskip("httpx2")


def run(model: str, count: int, at_once: int) -> dict[str, Any]:
    import serve_load

    return asyncio.run(serve_load.run(model, count, at_once))


def test_five_hundred_requests_at_32_with_a_tenth_given_up() -> None:
    got = run("lab", 500, 32)
    assert (got["answered"], got["given up"], got["lost"]) == (450, 50, [])
    assert got["others than alone"] == 0
    assert got["behind a long one"] < 3 * got["first token of a short request alone"]


@pytest.mark.smollm2
def test_the_same_on_a_real_model() -> None:
    got = run("smollm2", 20, 16)
    assert (got["answered"], got["given up"], got["lost"]) == (18, 2, [])
    assert got["others than alone"] == 0
    assert got["behind a long one"] < 3 * got["first token of a short request alone"]
