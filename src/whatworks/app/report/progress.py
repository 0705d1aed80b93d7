"""The progress of a study: bars on a terminal; in a pipe or a log file the same in plain lines."""

from __future__ import annotations

import re
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

STEPS = 4
"""Lines that a bar leaves in a log, beside its beginning and its end."""


def clean(text: str) -> str:
    """Text on one line, without control characters: what models write may hold escape codes."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+", " ", text).strip()


class RichWatcher:
    """Progress of a study: one bar per name with the time left, or plain lines in a log.

    Use it as a context manager, so that the terminal is given back whatever happens.

    Args:
        console: Where to draw; standard error by default, so that results can be piped.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True, highlight=False)
        self._live = self._console.is_terminal
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lines: dict[str, _Lines] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, name: str, total: int) -> None:
        """Begin, or begin anew, a bar of ``total`` units."""
        if not self._live:
            self._lines[name] = _Lines(total)
            return
        progress = self._bars()
        if name in self._tasks:
            progress.reset(self._tasks[name], total=total)
        else:
            self._tasks[name] = progress.add_task(clean(name), total=total, note="")

    def advance(self, name: str, n: int = 1, note: str = "") -> None:
        """Move a bar by ``n`` units; ``note`` replaces the text beside it."""
        if not self._live:
            if line := self._lines.get(name, _Lines(0)).step(n, note):
                self.say(f"{clean(name)}: {line}")
        elif name in self._tasks:
            self._bars().update(self._tasks[name], advance=n, note=clean(note))

    def done(self, name: str, note: str = "") -> None:
        """Finish a bar; ``note`` says how it ended."""
        ending = clean(note) or "done"
        if not self._live:
            self._lines.pop(name, None)
            self.say(f"{clean(name)}: {ending}")
        else:
            progress = self._bars()
            if name not in self._tasks:
                self.start(name, 1)
            task = next(t for t in progress.tasks if t.id == self._tasks[name])
            total = task.total or 1
            finished = total if not note else task.completed
            progress.update(task.id, total=total, completed=finished, note=ending)
            progress.stop_task(task.id)

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        from rich.text import Text

        self._console.print(Text(clean(text)), soft_wrap=not self._live)

    def close(self) -> None:
        """Stop drawing; the bars stay as they are."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._tasks.clear()

    def _bars(self) -> Progress:
        if self._progress is None:
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                ProgressColumn,
                TextColumn,
                TimeElapsedColumn,
                TimeRemainingColumn,
            )

            columns: list[ProgressColumn] = [
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.fields[note]}", markup=False),
            ]
            self._progress = Progress(*columns, console=self._console, expand=True)
            self._progress.start()
        return self._progress


class _Lines:
    """When a bar in a log is worth a line: at its beginning, its quarters, and a new note."""

    def __init__(self, total: int) -> None:
        self.total, self.completed, self.note, self.quarter = total, 0, "", 0

    def step(self, n: int, note: str) -> str:
        """The line to print, or nothing."""
        self.completed += n
        quarter = STEPS * self.completed // self.total if self.total else 0
        fresh = bool(note) and note != self.note
        if not fresh and quarter <= self.quarter:
            return ""
        self.quarter, self.note = quarter, note or self.note
        amount = f"{self.completed} of {self.total}" if self.total else ""
        return ", ".join(part for part in (clean(self.note), amount) if part)
