"""Makes a unit of a study, for its store alone: here or elsewhere, before the study does."""

from __future__ import annotations

from whatworks.base.errors import arm_failures
from whatworks.base.progress import Phase, Watcher
from whatworks.studies.decisions import ArmRun
from whatworks.studies.study import Study
from whatworks.studies.units import Unit


def make_unit(study: Study, unit: Unit, watcher: Watcher) -> None:
    """Make a unit as the study would, and leave everything but the store as it is.

    Raises:
        ArmFailure: If it cannot be made; the study meets the same, and notes it.
        StorageError: If the store cannot be written.
    """
    study.leave_room()
    run, splits = ArmRun(unit.arm, unit.seed), study.choose_splits(unit.arm, unit.seed)
    arm = next(one for one in study.arms if one.name == unit.arm)
    candidate = study.start_of(unit.arm)
    with arm_failures():
        for step in arm.chain.steps[: unit.steps]:
            candidate = study.steps.take(step, candidate, run, splits, watcher)
        if not unit.asked:
            return
        run.total.add(unit.spent or run.ledger)  # before test, dev was charged, too
        rows = study.task.splits.dev if unit.asked == "dev" else study.task.splits.test
        tick = Phase(watcher, unit.arm, f"seed {unit.seed}: {unit.asked}", len(rows))
        study.examiner_of(unit.arm).ask(candidate.asked, rows, meter=study.money(run), tick=tick)
