"""Runs of studies in processes of their own, with an end to their time."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whatworks.base.errors import InputError
from whatworks.studies.study_folder import StudyFolder


@dataclass
class _Started:
    process: subprocess.Popen[bytes]
    clock: threading.Timer
    late: bool = False


@dataclass
class BackgroundRuns:
    """The runs that a server started.

    Attributes:
        seconds: Most that a run may take; it is stopped then, and goes on when it is started again.
    """

    seconds: float
    _started: dict[Path, _Started] = field(default_factory=dict[Path, "_Started"])

    def start(self, study: Path, out: Path) -> None:
        """Start ``whatworks run``; what it says is in ``OUT.log`` beside the folder.

        Raises:
            InputError: If one of this server is at work in that folder.
        """
        before = self._started.get(out)
        if before is not None and before.process.poll() is None:
            raise InputError(
                "a run is at work there", place=str(out), remedy="ask for its status, or stop it"
            )
        out.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "whatworks", "run", str(study), "--out", str(out)]
        with self._log(out).open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        clock = threading.Timer(self.seconds, self._end, [out])
        clock.daemon = True
        self._started[out] = _Started(process, clock)
        clock.start()

    def describe(self, out: Path) -> dict[str, Any]:
        """``whatworks.status/1``: running, finished, failed, stopped or unknown; its last line."""
        mine, folder = self._started.get(out), StudyFolder(out)
        code = mine.process.poll() if mine else None
        if mine and code is None:
            state = "running"
        elif mine and mine.late:
            state = "stopped"
        elif mine and code not in (0, 1):
            state = "failed"
        else:
            state = "finished" if folder.has_run else "unknown"
        log, says = self._log(out), ""
        if mine and log.is_file():
            lines = log.read_text("utf-8", "replace").strip().splitlines()
            says = lines[-1].strip() if lines and state in ("failed", "stopped") else ""
        return {
            "schema": "whatworks.status/1",
            "folder": str(out),
            "state": state,
            "decided": [one.arm for one in folder.decisions()],
            "says": f"stopped after {self.seconds:g} s" if state == "stopped" else says,
        }

    def close(self) -> None:
        """Stop what is at work; the same command again goes on from there."""
        for one in self._started.values():
            one.clock.cancel()
            if one.process.poll() is None:
                one.process.terminate()
        for one in self._started.values():
            one.process.wait()

    def _end(self, out: Path) -> None:
        one = self._started[out]
        if one.process.poll() is None:
            one.late = True
            one.process.terminate()

    @staticmethod
    def _log(out: Path) -> Path:
        return out.with_name(f"{out.name}.log")
