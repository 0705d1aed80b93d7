"""Makes units of a study in a process of its own: ``python -m whatworks.studies.executors.worker``.

Its one argument is an ``Order``. Each line on its standard input is a ``Unit``; each is answered on
standard output, after lines of ``{"note", "done", "total"}``, by ``{"made": 1}`` or by
``{"unmade": CAUSE}``; ``{"unable": CAUSE}`` comes where the study cannot be opened. It ends when
its standard input does, in the middle of a unit or not: a study that was killed leaves nobody.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from typing import IO

from whatworks.base.errors import WhatworksError
from whatworks.studies.executors.order import Order
from whatworks.studies.making import make_unit
from whatworks.studies.study import Study
from whatworks.studies.units import Unit

TELL_SECONDS = 0.5
"""How often it tells how far it is, at most."""


class Teller:
    """Tells the other end how far a unit is; a ``Watcher``."""

    def __init__(self, out: IO[str]) -> None:
        self._out, self._total, self._done, self._told = out, 0, 0, 0.0

    def tell(self, **message: object) -> None:
        """Write one line."""
        self._out.write(json.dumps(message) + "\n")

    def start(self, name: str, total: int) -> None:
        """Begin anew."""
        del name
        self._total, self._done = total, 0

    def advance(self, name: str, n: int = 1, note: str = "") -> None:
        """Count, and tell now and then."""
        del name
        self._done += n
        if time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            self.tell(note=note, done=self._done, total=self._total)

    def done(self, name: str, note: str = "") -> None:
        """The unit's end is told by itself."""

    def say(self, text: str) -> None:
        """What a method says to nobody in particular is said where the study finds it made."""


def main() -> None:
    """Serve until standard input ends."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1) as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
        asked: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_listen, args=(asked,), daemon=True).start()
        _serve(asked, Teller(out))


def _listen(asked: queue.Queue[str]) -> None:
    """Pass on what is asked, and end the process with its input."""
    for line in sys.stdin:
        asked.put(line)
    os._exit(0)


def _serve(asked: queue.Queue[str], teller: Teller) -> None:
    """Open the study when the first unit is asked for, and make one after the other."""
    study: Study | None = None
    while True:
        unit = Unit.model_validate_json(asked.get())
        try:
            study = study or Order.model_validate_json(sys.argv[1]).open().study()
        except WhatworksError as error:
            teller.tell(unable=error.in_words)
            return
        try:
            make_unit(study, unit, teller)
        except Exception as error:  # the study meets it itself, and notes it
            teller.tell(unmade=str(error))
        else:
            teller.tell(made=1)


if __name__ == "__main__":
    main()
