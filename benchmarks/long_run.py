"""Eight hours' worth of requests to a server that misbehaves, replayed in minutes.

    python benchmarks/long_run.py                 # 8 hours, 4 requests a second: 115,200 requests
    python benchmarks/long_run.py --hours 0.5

The endpoint engine asks through the examiner, as a study does, a server of its own process
(``misbehaving_server.py``): one in ten tries fails, in ten ways, and answers come in eight.
Time-outs, pauses and ``Retry-After`` go by a clock that is 30 times as fast (``Clock``). After each
round of 1,920 requests memory, open files and threads are measured.

Printed: the slope of memory over the second half, files and threads before and after, and the
ledger beside the server's own count. Exit code 1 where memory grows by more than 1 MB an hour's
worth, a file or thread is left, or ledger and count differ.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from whatworks.base.store import Store
from whatworks.data.task import Example, MetricSpec
from whatworks.methods.bench.examiner import Examiner
from whatworks.metrics.registry import load
from whatworks.models.decoding import Decoding
from whatworks.models.endpoint.clock import Clock
from whatworks.models.endpoint.engine import EndpointEngine
from whatworks.models.metering import Meter
from whatworks.models.weights import Weights
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Prompt

A_SECOND = 4.0
"""Requests a second: eight at a time of two seconds each."""
ROUND = 1920
SPEED = 30.0
TIMEOUT = 180.0
PRICES = {"m": {"input": 1.0, "output": 2.0}}
MOST_GROWTH = 1.0
"""MB that memory may grow in an hour's worth of requests; what is noise."""


@dataclass(frozen=True)
class Held:
    """What the process holds at a moment: MB of memory, open files, threads."""

    memory: float
    files: int
    threads: int


@dataclass(frozen=True)
class LongRun:
    """What came of it: what was held after each round, the ledger, the server's count."""

    held: list[Held]
    before: Held
    after: Held
    ledger: dict[str, float]
    server: dict[str, float]
    behaved: dict[str, int]
    seconds: float

    @property
    def growth(self) -> float:
        """MB by which memory grows in an hour's worth, by least squares over the second half."""
        half = self.held[len(self.held) // 2 :]
        if len(half) < 2:
            return 0.0
        hours = np.arange(len(half)) * ROUND / A_SECOND / 3600
        return float(np.polyfit(hours, [one.memory for one in half], 1)[0])

    @property
    def differences(self) -> list[str]:
        """Where ledger and count differ."""
        keys = self.ledger.keys() | self.server.keys()
        pairs = [(k, self.ledger.get(k, 0), self.server.get(k, 0)) for k in sorted(keys)]
        return [
            f"{k}: {mine} here, {its} there" for k, mine, its in pairs if abs(mine - its) > 1e-6
        ]


def measure_held() -> Held:
    """What this process holds now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return Held(memory, len(os.listdir("/proc/self/fd")), threading.active_count())


def replay(requests: int, speed: float = SPEED, timeout: float = TIMEOUT) -> LongRun:
    """Ask so many requests."""
    began, work = time.monotonic(), Path(tempfile.mkdtemp(dir=_find_memory_disk()))
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("misbehaving_server.py")), str(speed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None and server.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        meter, held = Meter(), list[Held]()
        before = measure_held()
        engine = EndpointEngine(
            url, "m", timeout=timeout, retries=8, cache=work / "kept", prices=PRICES,
            clock=Clock(speed),
        )  # fmt: skip
        meter.price = engine.price
        for start in range(0, requests, ROUND):
            _ask(engine, meter, work, range(start, min(requests, start + ROUND)))
            held.append(measure_held())
        engine.close()
        after = measure_held()
        server.stdin.write("\n")
        server.stdin.flush()
        count = json.loads(server.stdout.readline())
    finally:
        server.stdin.close()
        server.wait(timeout=20)
        server.stdout.close()
        shutil.rmtree(work)
    sold: dict[str, Any] = count["sold"]
    price = PRICES["m"]
    usd = sold["prompt tokens"] * price["input"] + sold["completion tokens"] * price["output"]
    ledger = {
        "requests received": engine.sent,
        "answers": meter.ledger.requests,
        "prompt tokens": meter.ledger.prompt_tokens,
        "completion tokens": meter.ledger.completion_tokens,
        "estimated": engine.estimated,
        "US dollars": round(meter.ledger.usd, 6),
        "US dollars paid": round(engine.spent, 6),
    }
    paid = round(usd / 1e6, 6)
    theirs = {"estimated": 0, **sold, "US dollars": paid, "US dollars paid": paid}
    return LongRun(
        held, before, after, ledger, theirs, count["behaved"], time.monotonic() - began
    )  # fmt: skip


def _ask(engine: EndpointEngine, meter: Meter, work: Path, numbers: range) -> None:
    """A round, through the examiner; its answers are then removed, as another study's would be."""
    rows = [
        Example(id=f"r{i}", inputs={"q": f"{'What is asked here? ' * (i % 5)}n{i}"}, target="a")
        for i in numbers
    ]
    examiner = Examiner(engine, load(MetricSpec(name="exact")), Store(work / "store"))
    start = Candidate(prompt=Prompt(), weights=Weights(base="m"), decoding=Decoding(max_tokens=256))
    answers = examiner.ask(start, rows, meter=meter)
    assert all(answer.generation.text.startswith("answer ") for answer in answers)
    for folder in ("store", "kept"):
        shutil.rmtree(work / folder)


def _find_memory_disk() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--hours", type=float, default=8.0)
    chosen = arguments.parse_args()
    run = replay(round(chosen.hours * 3600 * A_SECOND))
    print(f"{run.ledger['answers']:,} answers to {run.ledger['requests received']:,} tries "
          f"({chosen.hours:g} hours' worth) in {run.seconds:.0f} s")  # fmt: skip
    print("the server: " + ", ".join(f"{k} {v}" for k, v in sorted(run.behaved.items())))
    first, middle, last = (run.held[at].memory for at in (0, len(run.held) // 2, -1))
    print(f"memory: {first:.1f} MB after the first round, {middle:.1f} in the middle, "
          f"{last:.1f} at the end; {run.growth:+.2f} MB an hour's worth")  # fmt: skip
    print(f"files: {run.before.files} before, {run.after.files} after; threads: "
          f"{run.before.threads} before, {run.after.threads} after")  # fmt: skip
    for name, value in run.ledger.items():
        print(f"  {name}: {value:,} here, {run.server[name]:,} there")
    left = run.after.files > run.before.files or run.after.threads > run.before.threads
    broken = run.differences or left or run.growth > MOST_GROWTH
    print(f"ledger and count differ in {len(run.differences)} of {len(run.ledger)} entries")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
