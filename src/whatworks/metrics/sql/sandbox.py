"""Run queries that nobody has read, in a process of their own.

SQLite's own limits are set in the child (``sql_child``); time is watched from here, outside of the
query. A child that does not answer in time is killed and another one started.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

GRACE = 2.0
"""Seconds beyond a query's own limit before its process is killed."""

Row = tuple[Any, ...]


class Limits(NamedTuple):
    """What a query may use: seconds of wall time and rows returned."""

    seconds: float
    rows: int


@dataclass(frozen=True)
class Database:
    """A SQLite file, or what a database in memory is built from.

    Attributes:
        path: A database file; it is opened read-only and never locked.
        script: CREATE TABLE statements (and INSERT), when there is no file.
        rows: Table name to its rows, as JSON; rows are lists, or objects by column.
        loose: Whether rows that break a constraint are left out instead of refused.
    """

    path: str = ""
    script: str = ""
    rows: str = "{}"
    loose: bool = False

    @classmethod
    def build(
        cls, script: str, rows: Mapping[str, Sequence[Any]], *, loose: bool = False
    ) -> Database:
        """A database in memory."""
        return cls(script=script, rows=json.dumps(rows), loose=loose)


@dataclass(frozen=True)
class QueryFailure:
    """A query gave no result.

    Attributes:
        reason: SQLite's message, or the limit that was passed.
        stage: ``database`` when it could not be opened or built, else ``query``.
    """

    reason: str
    stage: str = "query"


def run(database: Database, query: str, limits: Limits) -> list[Row] | QueryFailure:
    """The rows of one read-only query; anything else that the query tries is a ``Failure``."""
    request = {
        "path": database.path,
        "script": database.script,
        "rows": json.loads(database.rows),
        "loose": database.loose,
        "query": query,
        "seconds": limits.seconds,
        "max_rows": limits.rows,
    }
    reply = _SANDBOX.ask(request, limits.seconds + GRACE)
    if reply is None:
        return QueryFailure("stopped: out of time or memory")
    if "error" in reply:
        return QueryFailure(str(reply["error"]), str(reply["stage"]))
    return [tuple(row) for row in reply["rows"]]


run_known = lru_cache(maxsize=512)(run)
"""``run`` for queries that are asked again and again: those of the targets."""


class _Sandbox:
    """The child process of this process, started when needed, replaced when killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By process id: a fork of this process must not share the pipes.
        self._children: dict[int, subprocess.Popen[str]] = {}

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
        """The child's reply, None if it died or was killed."""
        with self._lock:
            child = self._child()
            assert child.stdin and child.stdout
            timer = threading.Timer(seconds, child.kill)
            timer.start()
            try:
                child.stdin.write(json.dumps(request) + "\n")
                child.stdin.flush()
                line = child.stdout.readline()
                return json.loads(line)
            except (OSError, ValueError):  # a broken pipe, a reply cut off
                self._close()
                return None
            except BaseException:  # broken off: the reply to come must not be taken for the next
                self._close()
                raise
            finally:
                timer.cancel()

    def _child(self) -> subprocess.Popen[str]:
        child = self._children.get(os.getpid())
        if child is not None and child.poll() is None:
            return child
        self._close()
        script = Path(__file__).with_name("child.py")
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="ascii",
        )
        self._children[os.getpid()] = child
        return child

    def _close(self) -> None:
        child = self._children.pop(os.getpid(), None)
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            try:
                if pipe:
                    pipe.close()
            except OSError:  # what was still to be written has no reader any more
                pass

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._close()


_SANDBOX = _Sandbox()
atexit.register(_SANDBOX.close)
