"""Executors: whoever makes the parts of a study, and whoever dies, the rows are the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from whatworks.app.run_study import run_study
from whatworks.base.progress import Silent
from whatworks.models.fake import FakeEngine
from whatworks.studies.executors.order import Order
from whatworks.studies.executors.pool import Lost, News, Pool, Unable, Unmade
from whatworks.studies.making import make_unit
from whatworks.studies.study import Study
from whatworks.studies.study_folder import StudyFolder
from whatworks.studies.units import Unit, list_units

ARMS = """
seeds: 2
diagnose: false
decoding: {max_tokens: 8}
arms:
- zero-shot
- {few-shot: {k: 2}}
- {arm: few-shot, name: four, few-shot: {k: 4}}
- {arm: few-shot+prompt, name: told, few-shot: {k: 2}, prompt: {variants: [Say the count.]}}
- {arm: rag, name: fails}
"""


@pytest.fixture
def scripted(study: Callable[..., Path]) -> Path:
    """A study of a scripted model: one arm fails, two begin alike."""
    path = study(more="model: 'fake:script.json'\n")
    path.write_text(path.read_text().replace("arms: [zero-shot]\n", "") + ARMS)
    answers = [{"contains": "amber", "answer": '{"count": 0}', "chance": 0.5}]
    (path.parent / "script.json").write_text(json.dumps({"answers": answers, "latency": 0.001}))
    return path


def read_outcome(out: Path) -> tuple[list[str], list[str]]:
    """All rows without their seconds, and what was decided."""
    folder = StudyFolder(out)
    rows = [*folder.results.rows(), *folder.results.constant()]
    return sorted(repr(replace(row, seconds=0.0)) for row in rows), [
        repr((one.arm, one.seed, one.candidate, one.dev_score)) for one in folder.decisions()
    ]


def run(path: Path, out: str, jobs: int) -> tuple[list[str], list[str]]:
    """Run a study; what came of it."""
    run_study(path, out=path.parent / out, jobs=jobs, watcher=Silent())
    return read_outcome(path.parent / out)


class Here:
    """A maker that makes units in this process; ``mischief`` says with what it fails instead."""

    def __init__(self, order: Order, mischief: Callable[[Unit], Exception | None]) -> None:
        self._study, self._mischief = order.open().study(), mischief
        self.made: list[Unit] = []

    def make(self, unit: Unit, tell: Callable[[News], None]) -> None:
        if error := self._mischief(unit):
            raise error
        try:
            make_unit(self._study, unit, Silent())
        except Exception as error:
            raise Unmade(str(error)) from error
        self.made.append(unit)

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


@contextmanager
def open_run(path: Path, out: str) -> Iterator[tuple[Study, Order]]:
    """A study in a folder that is held."""
    order = Order(path=path, out=path.parent / out)
    with StudyFolder(order.out).hold():
        yield order.open().study(), order


def run_serial(path: Path) -> tuple[list[str], list[str]]:
    """Run a study alone; what came of it."""
    with open_run(path, "serial") as (study, _):
        study.run(Silent())
    return read_outcome(path.parent / "serial")


@contextmanager
def open_pool(
    path: Path, mischief: Callable[[Unit], Exception | None], *, helps: bool
) -> Iterator[tuple[Study, Here]]:
    """A study that one maker in this process works for."""
    with open_run(path, "pool") as (study, order):
        maker = Here(order, mischief)
        pool = Pool([maker], study.folder.add_time, helps=helps)
        study.ahead = pool
        yield study, maker
        pool.close()


def test_processes_end_with_the_rows_of_serial(scripted: Path) -> None:
    serial = run_serial(scripted)
    assert any("failed" in row for row in serial[0])
    assert run(scripted, "processes", 3) == serial


def test_a_pool_that_is_waited_for_makes_everything_once(scripted: Path) -> None:
    serial = run_serial(scripted)
    with open_pool(scripted, lambda unit: None, helps=False) as (study, maker):
        engine = study.examiner.engine
        assert isinstance(engine, FakeEngine)
        study.run(Silent())
        assert not engine.seen, "the study finds all of it made"
        assert read_outcome(scripted.parent / "pool") == serial
        names = [unit.makes for unit in maker.made]
        assert len(set(names)) == len(names)
        units = list_units(study)
        assert len({unit.makes for unit in units}) < len(units), "two arms begin alike"


@pytest.mark.parametrize(
    ("error", "helps"),
    [(Lost("gone"), True), (Lost("gone"), False), (Unmade("no"), True), (Unable("no"), False)],
)
def test_whatever_is_not_made_ahead_the_study_makes(
    scripted: Path, error: Exception, helps: bool
) -> None:
    serial = run_serial(scripted)
    with open_pool(scripted, lambda unit: error if unit.seed else None, helps=helps) as (study, _):
        study.run(Silent())
    assert read_outcome(scripted.parent / "pool") == serial
