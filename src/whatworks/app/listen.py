"""Listening at an address until interrupted, for the model server and the pages."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any


def listen(app: Any, host: str, port: int, *, on_exit: Callable[[], None] | None = None) -> None:
    """Serve an ASGI application until interrupted; requests under way are finished first.

    Args:
        app: The application.
        host: Address to listen at.
        port: Its port.
        on_exit: Called when that begins, so that replies without an end can end.
    """
    server = _make_server(app, host, port)
    leave = server.handle_exit

    def handle_exit(number: int, frame: FrameType | None) -> None:
        if on_exit is not None:
            on_exit()
        leave(number, frame)

    server.handle_exit = handle_exit
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


@contextlib.contextmanager
def listen_aside(app: Any, host: str, port: int, *, on_exit: Callable[[], None]) -> Generator[int]:
    """Serve an ASGI application in a thread while the block runs.

    Args:
        app: The application.
        host: Address to listen at.
        port: Its port; 0 takes a free one.
        on_exit: Called when the block ends, so that replies without an end can end.

    Yields:
        The port.
    """
    server = _make_server(app, host, port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1] if server.started else port
    finally:
        on_exit()
        server.should_exit = True
        thread.join()


def _make_server(app: Any, host: str, port: int) -> Any:
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=30)
    )
