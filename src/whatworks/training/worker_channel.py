"""What every training process does with its standard input and output."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Any


def claim_stdout() -> Callable[[str, Any], None]:
    """Keep standard output for messages to the launcher; other prints go to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(kind: str, content: Any) -> None:
        channel.write(json.dumps({kind: content}) + "\n")
        channel.flush()

    return send


def end_with_launcher() -> None:
    """End this process when the launcher does: it holds the other end of standard input."""

    def watch() -> None:
        gone = select.poll()
        gone.register(sys.__stdin__.fileno() if sys.__stdin__ else 0, 0)
        gone.poll()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
