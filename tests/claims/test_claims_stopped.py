"""Ctrl-C and SIGKILL of the command while a study trains: nothing runs on, nothing is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from whatworks_claims.evidence import ClaimFinding
from whatworks_claims.findings import Report
from whatworks_claims.measure import measure
from whatworks_claims.run_studies import Request, Silent

CLAIM = "form.chat"
LIMIT = 60.0


def started(out: Path) -> subprocess.Popen[str]:
    args = ["claims", CLAIM, "--quick", "--jobs", "2", "--out", str(out)]
    return subprocess.Popen(
        [sys.executable, "-m", "whatworks", *args],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def training(folder: Path) -> set[int]:
    """Processes that train below this folder: there is their log, and a server forked them."""
    found = set[int]()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            log = (process / "fd" / "2").readlink()
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            said = Path(f"/proc/{parent}/cmdline").read_bytes()
        except OSError:
            continue
        if log.is_relative_to(folder) and b"whatworks.training.fork_server" in said:
            found.add(int(process.name))
    return found


def children(pid: int) -> set[int]:
    """All descendants of a process."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        if found := re.match(r"(\d+) \(.*\) \S (\d+)", text, re.DOTALL):
            parents[int(found[1])] = int(found[2])
    below, new = set[int](), {pid}
    while new := {child for child, parent in parents.items() if parent in new} - below:
        below |= new
    return below


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def alive(pids: set[int]) -> set[int]:
    found = set[int]()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.add(pid)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_while_a_study_trains(how: signal.Signals, tmp_path: Path) -> None:
    """All processes end with the command, also the training; what was there stays and is used."""
    out = tmp_path / "out"
    command = started(out)
    try:
        until(lambda: training(out / "studies"), "no training began")
        below = children(command.pid)
        assert training(out / "studies") <= below and len(below) >= 2, "processes of their own"
        rows = {path: path.read_bytes() for path in out.rglob("store/answers/**/*.json")}
        command.send_signal(how)
        _, said = command.communicate(timeout=LIMIT)
    finally:
        command.kill()
    assert command.returncode == (130 if how is signal.SIGINT else -signal.SIGKILL)
    if how is signal.SIGINT:
        assert "the same command again goes on from here" in said
        assert "Traceback" not in said, said
    until(lambda: not alive(below), "processes are left running")
    assert rows and all(path.read_bytes() == before for path, before in rows.items())
    assert not list(out.glob("claims.html")), "no page of half a run"


def untimed(report: Report) -> list[ClaimFinding]:
    """The findings, their tables without what a request takes."""
    return [
        replace(
            found,
            evidence=replace(
                found.evidence,
                tables=tuple(
                    replace(one, rows=tuple(row[:-1] for row in one.rows))
                    if one.columns[-1] == "per request"
                    else one
                    for one in found.evidence.tables
                ),
            ),
        )
        for found in report.findings
    ]


def test_killed_and_taken_up_again_it_ends_in_the_same_findings(tmp_path: Path) -> None:
    """SIGKILL among the answers of a scripted model; the rest is asked, the findings are equal."""
    script = tmp_path / "script.json"
    answers = [{"contains": "[1]", "answer": "Rome"}]
    script.write_text(json.dumps({"answers": answers, "default": "I don't know"}))

    def request(out: Path) -> Request:
        return Request(ids=("rag",), model=f"fake:{script}", quick=True, out=out)

    out = tmp_path / "killed"
    args = ["claims", "rag", "--quick", "--model", f"fake:{script}", "--out", str(out)]
    command = subprocess.Popen(
        [sys.executable, "-m", "whatworks", *args, "--jobs", "1"], stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: list(out.rglob("store/answers/**/*.json")), "nothing was asked")
    finally:
        command.kill()
    assert command.wait() == -signal.SIGKILL and not list(out.glob("claims.html"))
    taken_up = measure(request(out), Silent())
    undisturbed = measure(request(tmp_path / "undisturbed"), Silent())
    assert untimed(taken_up) == untimed(undisturbed)
