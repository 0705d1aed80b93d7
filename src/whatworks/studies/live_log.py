"""What a run is doing, for whoever watches it: ``live.jsonl`` in a study's folder, anew each run.

No figure of a study comes from here, and no run needs it: lines are not flushed to the disk, a full
disk leaves them out, and whoever reads skips a torn one. Dev rows alone are told of, never test.

Each line has a ``kind``:

=========== ====================================================================================
``begin``   process, time, arms with their seeds, budget; the first line
``bar``     arm, units done and in all, note, when its phase began; ``ended`` with the last one
``say``     a line of text
``answers`` arm, seed, and of each dev row its id, score in [0, 1] and the answer's beginning
``loss``    arm, seed, method, and (step, mean loss per trained token in nats) of its training
``spent``   arm, seed, requests, tokens, seconds, US dollars; ``adapting`` for the method's part
=========== ====================================================================================
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from whatworks.base.errors import StorageError
from whatworks.base.progress import Watcher
from whatworks.base.store import write_atomic
from whatworks.methods.bench.examiner import Answer
from whatworks.models.metering import Ledger

EVERY = 0.25
"""Seconds between two lines of one bar."""
LONGEST = 4000
"""Characters of an answer that are told."""
POINTS = 200
"""Most points of one loss curve."""

Line = dict[str, Any]


class LiveLog:
    """The file; every line is appended in one write, so that several processes may.

    Args:
        path: Where.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: dict[Any, float] = {}

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._path

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Begin the file anew."""
        with suppress(StorageError):
            write_atomic(self._path, _format({"kind": "begin", "at": time.time(), **facts}))

    def say(self, text: str) -> None:
        """Tell a line of text."""
        self._write({"kind": "say", "text": text})

    def tell_bar(self, arm: str, bar: Mapping[str, Any], *, now: bool) -> None:
        """Tell where a bar stands; not more often than ``EVERY`` unless ``now``."""
        if self._is_due(("bar", arm), now):
            self._write({"kind": "bar", "arm": arm, "at": time.time(), **bar})

    def tell_answers(self, arm: str, seed: int, answers: Sequence[Answer]) -> None:
        """Tell of answers to dev rows."""
        rows = [[a.example.id, a.score.counted, a.generation.text[:LONGEST]] for a in answers]
        self._write({"kind": "answers", "arm": arm, "seed": seed, "rows": rows})

    def tell_losses(
        self, arm: str, seed: int, method: str, points: Sequence[Sequence[float]]
    ) -> None:
        """Tell (step, loss) of a training; those told before stay."""
        step = max(1, -(-len(points) // POINTS))
        thin = [list(point) for point in points[::step]]
        self._write({"kind": "loss", "arm": arm, "seed": seed, "method": method, "points": thin})

    def tell_spent(
        self, arm: str, seed: int, ledger: Ledger, *, adapting: bool, now: bool = True
    ) -> None:
        """Tell what an arm's seed has spent: in adapting, or in all."""
        if not self._is_due(("spent", arm, seed), now):
            return
        spent = {
            "requests": ledger.all_requests,
            "tokens": ledger.all_tokens,
            "seconds": ledger.all_seconds,
            "usd": ledger.all_usd,
        }
        self._write({"kind": "spent", "arm": arm, "seed": seed, "adapting": adapting, **spent})

    def read(self) -> list[Line]:
        """The lines, oldest first; none where there is no file."""
        try:
            content = self._path.read_bytes()
        except OSError:
            return []
        lines: list[Line] = []
        for line in content.splitlines(keepends=True):
            with suppress(ValueError):
                if line.endswith(b"\n"):
                    lines.append(json.loads(line))
        return lines

    def _is_due(self, key: Any, now: bool) -> bool:
        clock = time.monotonic()
        if not now and clock - self._last.get(key, -EVERY) < EVERY:
            return False
        self._last[key] = clock
        return True

    def _write(self, line: Line) -> None:
        with suppress(OSError), self._path.open("ab", buffering=0) as file:
            file.write(_format(line).encode())


def _format(line: Line) -> str:
    return json.dumps(line, ensure_ascii=True) + "\n"


class LiveWatcher:
    """Shows progress as another watcher does, and tells it to a log besides."""

    def __init__(self, shown: Watcher, log: LiveLog) -> None:
        self._shown, self._log = shown, log
        self._bars: dict[str, Line] = {}

    def start(self, name: str, total: int) -> None:
        """Begin, or begin anew, a bar of ``total`` units."""
        self._shown.start(name, total)
        note = self._bars.get(name, {}).get("note", "")
        self._bars[name] = {"done": 0, "total": total, "note": note, "began": time.time()}

    def advance(self, name: str, n: int = 1, note: str = "") -> None:
        """Move a bar by ``n`` units."""
        self._shown.advance(name, n, note)
        bar = self._bars.setdefault(name, {"done": 0, "total": 0, "note": "", "began": time.time()})
        fresh = bool(note) and note != bar["note"]
        bar["done"] += n
        bar["note"] = note or bar["note"]
        self._log.tell_bar(name, bar, now=fresh or bar["done"] >= bar["total"])

    def done(self, name: str, note: str = "") -> None:
        """Finish a bar."""
        self._shown.done(name, note)
        bar = self._bars.pop(name, {"done": 0, "total": 0, "began": time.time()})
        self._log.tell_bar(name, {**bar, "note": note, "ended": True}, now=True)

    def say(self, text: str) -> None:
        """Print a line."""
        self._shown.say(text)
        self._log.say(text)
