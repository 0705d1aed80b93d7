"""How long the studies will take here: each is rehearsed by the study's own planner."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from whatworks.analysis.result_rows import ResultRow
from whatworks.base.errors import WhatworksError
from whatworks.base.progress import Silent, Watcher
from whatworks.base.store import write_atomic
from whatworks.data.task import Example
from whatworks.methods.bench.examiner import Examiner
from whatworks.methods.bench.known_facts import CLASSES, PROMPTS, SAMPLES, SHOTS
from whatworks.prompts.candidate import Candidate
from whatworks.prompts.prompt import Demos
from whatworks.studies.open_study import open_study
from whatworks.studies.plan import Planner
from whatworks.studies.study_folder import StudyFolder
from whatworks_claims.desk import Desk
from whatworks_claims.outcome import Outcome
from whatworks_claims.run_studies import Request, name_folder, settle_plan
from whatworks_claims.study_plan import ClaimStudy, Step

BAR = "rehearsal"
AROUND = 2.0
"""Seconds of a study beside its arms: reading it, and writing its report."""


def forecast_studies(
    request: Request,
    desk: Desk,
    steps: Sequence[Step],
    examiner: Examiner,
    start: Candidate,
    watcher: Watcher,
) -> dict[str, float]:
    """Expected seconds of each study, those that are done at nothing.

    Studies that build on others are made from placeholders: only their size counts. What was
    foreseen is kept below ``request.out``, so that a command taken up again does not rehearse
    anew.

    Args:
        request: What the command was asked.
        desk: Where studies are made.
        steps: In an order in which none stands before what it builds on.
        examiner: Asks what the model knows.
        start: The untouched model.
        watcher: Shows one bar over all of them.
    """
    kept = _Kept(request.out / f"forecast-{desk.digest}.json")
    facts: dict[str, Example] = {}

    def guess(rows: Sequence[Example]) -> dict[str, str]:
        facts.update((row.key, row) for row in rows)
        return {row.id: CLASSES[-(i % 2)] for i, row in enumerate(rows)}

    seconds: dict[str, float] = {}
    outcomes: dict[str, Outcome] = {}
    paid: set[str] = set()
    watcher.start(BAR, len(steps))
    with tempfile.TemporaryDirectory(prefix="whatworks-claims-") as folder:
        planner = Planner(Path(folder) / "rehearsals")
        for step in steps:
            watcher.advance(BAR, 1, step.name)
            seconds[step.name] = 0.0
            try:
                plan = step.make(replace(desk, known=guess, finished=outcomes))
            except WhatworksError:
                plan = None
            if plan is None:
                continue
            plan = settle_plan(plan, desk, request)
            outcomes[step.name] = _make_placeholder(plan)
            own = name_folder(request.out, step, plan, desk.digest)
            if StudyFolder(own / "run").has_run:
                continue
            name = own.name
            if name not in kept.seconds:
                asked = [fact for key, fact in facts.items() if key not in paid]
                known = _foresee_classes(planner, examiner, start, asked)
                kept.add(name, known + _foresee(planner, plan, Path(folder) / name, request.model))
            seconds[step.name] = kept.seconds[name]
            paid |= facts.keys()  # what a model knows is asked once
    watcher.done(BAR)
    return seconds


@dataclass
class _Kept:
    """What was foreseen for studies, by the names of their folders."""

    path: Path
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        if self.path.exists():
            self.seconds |= json.loads(self.path.read_text(encoding="utf-8"))

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = seconds
        write_atomic(self.path, json.dumps(self.seconds, indent=1))


def _foresee(planner: Planner, plan: ClaimStudy, folder: Path, model: str) -> float:
    """Seconds of a study, rehearsed in a folder of its own; those that reading takes if it cannot
    be run at all."""
    try:
        opened = open_study(plan.write(folder, model), out=folder / "run")
        try:
            return AROUND + planner.plan(opened.study(), Silent()).seconds
        finally:
            opened.close()
    except WhatworksError:
        return AROUND


def _foresee_classes(
    planner: Planner, examiner: Examiner, start: Candidate, facts: Sequence[Example]
) -> float:
    """Seconds to tell what the model knows, where it knows about half of the facts."""
    if not facts:
        return 0.0
    requests = len(facts) * (PROMPTS + PROMPTS * SAMPLES // 2)
    shown = start.with_prompt(demos=Demos(pool=tuple(facts[:SHOTS]), k=SHOTS))
    return planner.foresee(examiner, shown, facts, requests)


def _make_placeholder(plan: ClaimStudy) -> Outcome:
    """An outcome in which every arm answers right."""
    rows = [
        ResultRow(arm, 0, "scored", example=e.id, output=e.target, value=1.0, kind="correct")
        for arm in plan.names
        for e in plan.task.splits.test
    ]
    return Outcome(plan.task, tuple(rows))
