"""A job on disk: what is told of it, its events, and the training itself.

``job.json`` is the object that clients are shown; ``events.jsonl`` its events, oldest first;
``run/`` the training, which goes on from its last state after anything.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from whatworks.base.store import Journal, write_atomic

UNDER_WAY = ("validating_files", "queued", "running")


class JobFolder:
    """One job.

    Args:
        path: Its folder; its name is the job's id.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path / "run"
        self._job = path / "job.json"
        self._events = Journal(path / "events.jsonl")
        self.told_steps: set[int] = set()

    @property
    def job(self) -> dict[str, Any]:
        """The object that clients are shown."""
        return json.loads(self._job.read_text("utf-8"))

    @property
    def known(self) -> bool:
        """Whether the job was begun: a kill may leave a folder without it."""
        return self._job.exists()

    def write(self, job: dict[str, Any]) -> dict[str, Any]:
        """Keep the object."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomic(self._job, json.dumps(job))
        return job

    def change(self, **fields: Any) -> dict[str, Any]:
        """Keep the object with other values in some fields."""
        return self.write({**self.job, **fields})

    def tell(
        self, message: str, *, level: str = "info", data: dict[str, Any] | None = None
    ) -> None:
        """Add an event; with data it is one of metrics."""
        event = {
            "id": f"ftevent-{self.path.name[-12:]}-{time.time_ns():x}",
            "object": "fine_tuning.job.event",
            "created_at": int(time.time()),
            "level": level,
            "message": message,
            "data": data,
            "type": "metrics" if data else "message",
        }
        self._events.append([event])

    def tell_loss(self, step: int, steps: int, loss: float) -> None:
        """Add the metrics of a step."""
        self.told_steps.add(step)
        figures = {"step": step, "train_loss": loss, "total_steps": steps}
        self.tell(f"Step {step}/{steps}: training loss={loss:.4f}", data=figures)

    def list_events(self) -> list[dict[str, Any]]:
        """The events, newest first."""
        return [dict(event) for event in self._events.read()][::-1]
