"""Which executor a study has."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from whatworks.studies.executors.order import Order
from whatworks.studies.executors.pool import Pool
from whatworks.studies.executors.processes import ProcessMaker, choose_jobs
from whatworks.studies.open_study import Opened
from whatworks.studies.units import Ahead, Alone


@contextmanager
def open_executor(
    opened: Opened, order: Order, jobs: int | None, record: Callable[[str, float], None]
) -> Generator[Ahead]:
    """The executor that a study file names, ended when the block is left.

    Args:
        opened: The study; one with ``executor: serial`` has processes where ``jobs`` are many.
        order: How others open the study.
        jobs: Units made at once, the study's own included; by the machine and model if None.
        record: Takes down what an arm has taken: its name and seconds.
    """
    named = opened.file.executor
    kind = "processes" if named == "serial" and (jobs or 1) > 1 else named
    if kind == "serial":
        yield Alone()
        return
    count = choose_jobs(opened.weights.base) if jobs is None else jobs
    pool = Pool([ProcessMaker(order) for _ in range(count - 1)], record, helps=True)
    try:
        yield pool
    finally:
        pool.close()
