"""Many requests at once: equal ones asked once, none after one has failed for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event
from typing import TypeVar

from whatworks.base.errors import ArmFailure
from whatworks.models.endpoint.trouble import Stopped, Trouble

T = TypeVar("T")

Ask = Callable[[int, int, Event], T]
"""Asks the request at a place: (place, requests side by side, stop)."""


def ask_all(
    keys: Sequence[str],
    names: Sequence[str],
    recall: Callable[[str], T | None],
    ask: Ask[T],
    *,
    concurrency: int,
    done: Callable[[int], object],
) -> tuple[dict[int, T], ArmFailure | None]:
    """What each request brought, by its place, and the failure if one failed for good.

    The failure says which request and what the server said. No further request leaves then; those
    under way are waited for.

    Args:
        keys: One per request; requests with the same key are the same.
        names: What to call each request in an error.
        recall: What is kept of an earlier run.
        ask: Asks one request; called from several threads.
        concurrency: Most requests side by side.
        done: Called with the number of requests just answered.
    """
    places: dict[str, list[int]] = {}
    for at, key in enumerate(keys):
        places.setdefault(key, []).append(at)
    results: dict[str, T] = {}
    for key, several in places.items():
        recalled = recall(key)
        if recalled is not None:
            results[key] = recalled
            done(len(several))
    todo = [several[0] for key, several in places.items() if key not in results]
    failures: dict[int, Trouble] = {}
    for at, answer in _run_side_by_side(todo, ask, concurrency):
        if isinstance(answer, Trouble):
            failures[at] = answer
        else:
            results[keys[at]] = answer
            done(len(places[keys[at]]))
    answered = {at: results[key] for at, key in enumerate(keys) if key in results}
    if not failures:
        return answered, None
    first = min(failures)
    trouble = failures[first]
    place = f"prompt {first} ({names[first]}): " if trouble.prompt else ""
    return answered, ArmFailure(place + trouble.cause, remedy=trouble.remedy)


def _run_side_by_side(
    todo: Sequence[int], ask: Ask[T], concurrency: int
) -> Iterator[tuple[int, T | Trouble]]:
    """Each request's answer or trouble as it comes; after a trouble nothing more leaves."""
    if not todo:
        return
    stop = Event()
    workers = min(concurrency, len(todo))

    def one(at: int) -> T:
        if stop.is_set():
            raise Stopped
        try:
            return ask(at, workers, stop)
        except Trouble:
            stop.set()  # here, before this worker takes the next request
            raise

    with ThreadPoolExecutor(workers, thread_name_prefix="endpoint") as pool:
        futures = {pool.submit(one, at): at for at in todo}
        try:
            for future in as_completed(futures):
                try:
                    yield futures[future], future.result()
                except Trouble as trouble:
                    yield futures[future], trouble
                except Stopped:
                    continue
        finally:
            # Also when the disk is full or the user interrupts: the queue empties at once.
            stop.set()
