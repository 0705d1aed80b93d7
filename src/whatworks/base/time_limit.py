"""A call that is broken off when it takes too long."""

from __future__ import annotations

import ctypes
import gc
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

_AGAIN = 0.5
"""Seconds after which a call is broken off again, if it went on."""

T = TypeVar("T")


class OutOfTime(BaseException):
    """A call took longer than it may. No ``Exception``: nothing on its way may take it for one."""


def call_within(seconds: float | None, function: Callable[..., T], *arguments: Any) -> T:
    """What a function returns, if it does so in time.

    In the main thread a timer signal breaks off Python code and regular expressions; elsewhere, and
    on Windows, a second thread does, between two instructions of Python code.

    Args:
        seconds: None for no limit.
        function: What to call.
        arguments: What with.

    Raises:
        OutOfTime: If it does not.
    """
    if seconds is None:
        return function(*arguments)
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        return _call_with_signal(seconds, function, *arguments)
    return _call_watched(seconds, function, *arguments)


def _call_with_signal(seconds: float, function: Callable[..., T], *arguments: Any) -> T:
    running = True

    def stop(number: int, frame: FrameType | None) -> None:
        del number
        # What a callback of the garbage collector raises is lost: the next tick raises it then.
        lost = {getattr(callback, "__code__", None) for callback in gc.callbacks}
        if running and (frame is None or frame.f_code not in lost):
            raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    began = time.monotonic()
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        return function(*arguments)
    finally:
        running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if remaining:  # a timer that someone else had set goes on
            rest = max(1e-3, remaining - (time.monotonic() - began))
            signal.setitimer(signal.ITIMER_REAL, rest, interval)


def _call_watched(seconds: float, function: Callable[..., T], *arguments: Any) -> T:
    thread = ctypes.c_ulong(threading.get_ident())
    lock = threading.Lock()
    state = {"done": False, "sent": False}

    def stop() -> None:
        with lock:
            if not state["done"]:
                state["sent"] = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(OutOfTime))

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        result = function(*arguments)
        with lock:
            state["done"] = True
        while state["sent"]:  # it is on its way: it must not arrive later, somewhere else
            time.sleep(0.001)
        return result
    finally:
        with lock:
            state["done"] = True
        timer.cancel()
