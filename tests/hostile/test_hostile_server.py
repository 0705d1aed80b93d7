"""A server that misbehaves: a short form of benchmarks/long_run.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
sys.path.insert(0, BENCHMARKS)

import long_run  # noqa: E402
import misbehaving_server  # noqa: E402


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_the_ledger_is_the_servers_own_count_and_nothing_is_left_open() -> None:
    run = long_run.replay(400)
    assert run.differences == []
    assert run.ledger["answers"] == 400 < run.ledger["requests received"]
    assert (run.after.files, run.after.threads) == (run.before.files, run.before.threads)
    known = misbehaving_server.GOOD.keys() | misbehaving_server.BAD.keys()
    assert len(run.behaved) >= len(known) - 4, "it hardly misbehaved"
    assert run.behaved["duplicate reply"], "what a kept connection would have taken for an answer"
